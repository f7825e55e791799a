// RFC 8705 §3: a token bound to the client's certificate is good only over a connection with it.
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { VerifierOptions } from '../../src/verifier/index.js';
import { createProver } from './support/prover.js';
import { createVerifierWorld, refusal } from './support/verifier-world.js';

// Only the bytes count: whether the chain is trusted is for whoever ends the TLS connection.
const der = new Uint8Array(Buffer.from('not really a certificate, but bytes are bytes'));
const x5t = createHash('sha256').update(der).digest('base64url');
const pem = `-----BEGIN CERTIFICATE-----\n${Buffer.from(der).toString('base64')}\n-----END CERTIFICATE-----\n`;

const worldWith = (clientCertificate?: VerifierOptions['clientCertificate']) =>
  createVerifierWorld(clientCertificate === undefined ? {} : { clientCertificate });

async function outcome(given: Uint8Array | string | undefined) {
  const { issuer, verifier } = await worldWith(() => given);
  const token = await issuer.delegatedToken({ claims: { cnf: { 'x5t#S256': x5t } } });
  return verifier.authenticate({ headers: { authorization: `Bearer ${token}` } });
}

describe('RFC 8705 §3.1: x5t#S256', () => {
  it.each<[string, Uint8Array | string]>([
    ['DER', der],
    ['a Buffer, as Node’s getPeerCertificate().raw is', Buffer.from(der)],
    ['PEM', pem],
    ['its thumbprint', x5t],
  ])('accepts the certificate as %s', async (_name, given) => {
    expect((await outcome(given)).binding).toEqual({ x5t });
  });

  it.each<[string, Uint8Array | string | undefined]>([
    ['no certificate', undefined],
    ['another certificate', new Uint8Array([1, 2, 3])],
    ['no bytes', new Uint8Array()],
    ['another thumbprint', 'A'.repeat(43)],
    ['an empty string', ''],
    ['PEM that is none', '-----BEGIN CERTIFICATE-----\n=\n-----END CERTIFICATE-----'],
    ['the SHA-1 thumbprint', createHash('sha1').update(der).digest('base64url')],
  ])('refuses %s', async (_name, given) => {
    const error = await refusal(outcome(given));
    expect(error).toMatchObject({ code: 'invalid_token', reason: 'certificate_mismatch' });
  });

  it('reads no header on its own: without clientCertificate such a token is refused', async () => {
    const { issuer, verifier } = await worldWith();
    const token = await issuer.delegatedToken({ claims: { cnf: { 'x5t#S256': x5t } } });
    const headers = {
      authorization: `Bearer ${token}`,
      'client-cert': `:${Buffer.from(der).toString('base64')}:`,
      'x-forwarded-client-cert': pem,
      'x-ssl-client-cert': encodeURIComponent(pem),
    };
    const error = await refusal(verifier.authenticate({ headers }));
    expect(error.reason).toBe('certificate_mismatch');
  });

  it('is said in the metadata where certificates are read (RFC 9728 §2)', async () => {
    const { verifier } = await worldWith(() => undefined);
    expect(verifier.protectedResourceMetadata()).toMatchObject({
      tls_client_certificate_bound_access_tokens: true,
    });
    const plain = (await worldWith()).verifier.protectedResourceMetadata();
    expect(plain).not.toHaveProperty('tls_client_certificate_bound_access_tokens');
  });

  it('beside DPoP: a token bound by both needs both', async () => {
    const { issuer, verifier } = await createVerifierWorld();
    const prover = await createProver(issuer.resource);
    const cnf = { jkt: prover.jkt, 'x5t#S256': x5t };
    const token = await issuer.delegatedToken({ claims: { cnf } });
    const proof = async () => ({
      proof: await prover.prove(token),
      method: 'POST',
      url: issuer.resource,
    });
    const both = await verifier.verify(token, { dpop: await proof(), clientCertificate: der });
    expect(both.binding).toEqual({ jkt: prover.jkt, x5t });
    expect((await refusal(verifier.verify(token, { dpop: await proof() }))).reason).toBe(
      'certificate_mismatch',
    );
    expect((await refusal(verifier.verify(token, { clientCertificate: der }))).reason).toBe(
      'binding_unproved',
    );
  });

  it('refuses confirmations it does not know, also beside one it does', async () => {
    const { issuer, verifier } = await createVerifierWorld();
    for (const cnf of [{ x5t }, { 'x5t#S256': x5t, kid: 'key-1' }, {}]) {
      const token = await issuer.delegatedToken({ claims: { cnf } });
      const error = await refusal(verifier.verify(token, { clientCertificate: der }));
      expect(error.reason).toBe('binding_unsupported');
    }
  });
});
