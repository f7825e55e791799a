import { describe, expect, it } from 'vitest';
import { createTestIssuer, maliciousTokens } from '../../src/testing/index.js';
import { AuthError, createVerifier } from '../../src/verifier/index.js';

const issuer = await createTestIssuer();
const verifier = createVerifier({
  issuer: issuer.issuer,
  resource: issuer.resource,
  fetch: issuer.fetch,
  revocation: 'off',
});
const tokens = await maliciousTokens(issuer);

describe('VF1, VF13, J1–J12: forged and malformed access tokens', () => {
  it('accepts the token all of them are one change away from', async () => {
    const context = await verifier.verify(await issuer.delegatedToken());
    expect(context.kind).toBe('delegated');
  });

  it('has at least 250 of them, no two alike', () => {
    expect(tokens.length).toBeGreaterThanOrEqual(250);
    expect(new Set(tokens.map(({ name }) => name)).size).toBe(tokens.length);
    expect(new Set(tokens.map(({ token }) => token)).size).toBe(tokens.length);
  });

  it('has some for every row of the catalogue that is about one token', () => {
    const ids = new Set(tokens.map(({ name }) => name.split(' ')[0]));
    const rows = ['J1', 'J2', 'J3', 'J4', 'J5', 'J6', 'J7', 'J8', 'J9', 'J10', 'J11', 'J12', 'V1'];
    expect(rows.filter((id) => !ids.has(id))).toEqual([]);
  });

  it('is made anew for an issuer that signs with another key, at another time', async () => {
    const now = () => Date.UTC(2040, 0, 1);
    const later = await createTestIssuer({
      now,
      issuer: 'https://as.example',
      resource: 'https://api.example',
    });
    await later.rotate();
    const { fetch, issuer: from, resource } = later;
    const other = createVerifier({ issuer: from, resource, fetch, now, revocation: 'off' });
    expect((await other.verify(await later.delegatedToken())).kind).toBe('delegated');
    const refusals = (await maliciousTokens(later, now)).map(async ({ name, token, ...due }) => {
      const error = await other.verify(token).catch((thrown: unknown) => thrown);
      expect(error, name).toMatchObject(due);
    });
    await Promise.all(refusals);
  });

  it.each(tokens)('refuses $name', async ({ token, reason, status, code }) => {
    const error = await verifier.verify(token).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AuthError);
    expect(error).toMatchObject({ reason, status, code });
    // VF14: nothing of the token gets into what is logged or answered.
    if (token.length > 20) expect(JSON.stringify(error) + String(error)).not.toContain(token);
  });

  it('fetches nothing that a token points at (J5)', () => {
    expect(new Set(issuer.requests)).toEqual(
      new Set(['GET /.well-known/oauth-authorization-server', 'GET /.well-known/jwks.json']),
    );
  });
});
