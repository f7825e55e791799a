// A token that was verified once is remembered by its hash (J14), and never believed for longer than it is good.
import { exportJWK, generateKeyPair } from 'jose';
import { describe, expect, it } from 'vitest';
import { forge } from '../../src/testing/forge.js';
import { createTestIssuer } from '../../src/testing/index.js';
import type { Verifier } from '../../src/verifier/index.js';
import { createRecent } from '../../src/verifier/recent.js';
import { eventually } from '../support/eventually.js';
import { createProver } from './support/prover.js';
import { createVerifierWorld, refusal } from './support/verifier-world.js';

/** At its first use little is kept of a token, from the second on all it says: each is worth as much. */
describe.each([1, 2])('J14: what a token used %i times before is worth', (times) => {
  const useOf = async (verifier: Verifier, token: string): Promise<void> => {
    for (let n = 0; n < times; n += 1) await verifier.verify(token);
  };

  it('nothing to a token that differs in one character', async () => {
    const { issuer, verifier } = await createVerifierWorld();
    const token = await issuer.delegatedToken();
    await useOf(verifier, token);
    for (let at = token.length - 86; at < token.length; at += 7) {
      const changed = token[at] === 'A' ? 'B' : 'A';
      const other = token.slice(0, at) + changed + token.slice(at + 1);
      expect((await refusal(verifier.verify(other))).code).toBe('invalid_token');
    }
    expect((await verifier.verify(token)).kind).toBe('delegated');
  });

  it('nothing once it has expired', async () => {
    const { issuer, verifier, advance } = await createVerifierWorld();
    const token = await issuer.token();
    await useOf(verifier, token);
    advance(304);
    await useOf(verifier, token);
    advance(2);
    expect((await refusal(verifier.verify(token))).reason).toBe('expired');
  });

  it('nothing once it is revoked', async () => {
    const { issuer, verifier } = await createVerifierWorld({ revocation: 'feed' });
    const token = await issuer.delegatedToken();
    await useOf(verifier, token);
    await issuer.revoke('agt_scout');
    await eventually(async () =>
      expect((await refusal(verifier.verify(token))).reason).toBe('revoked'),
    );
    await verifier.close();
  });

  it('nothing once the feed is lost', async () => {
    const { issuer, verifier, advance } = await createVerifierWorld({ revocation: 'feed' });
    const token = await issuer.token();
    await useOf(verifier, token);
    issuer.silenceFeed(true);
    // What was on its way may still be heard; then nothing is.
    await eventually(async () => {
      advance(20);
      expect((await refusal(verifier.verify(token))).reason).toBe('feed_stale');
    });
    await verifier.close();
  });

  it('nothing once its key was replaced under the same name', async () => {
    const real = await createTestIssuer();
    const mallory = await generateKeyPair('ES256', { extractable: true });
    const { kid } = real.signingKey();
    let replaced = false;
    const jwk = { ...(await exportJWK(mallory.publicKey)), kid, alg: 'ES256' };
    const fetch: typeof globalThis.fetch = async (input, init) =>
      replaced && String(input).endsWith('jwks.json')
        ? Response.json({ keys: [jwk] })
        : real.fetch(input, init);
    const { verifier, advance } = await createVerifierWorld({ fetch });
    const exp = Math.floor(Date.now() / 1000) + 7200;
    const token = await real.token({ exp });
    await useOf(verifier, token);
    replaced = true;
    advance(601);
    expect((await refusal(verifier.verify(token))).reason).toBe('signature_invalid');
    const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString());
    const theirs = await forge({ alg: 'ES256', typ: 'at+jwt', kid }, claims, mallory.privateKey);
    expect((await verifier.verify(theirs)).kind).toBe('service');
  });

  it('everything still when the key set was read again and says the same', async () => {
    const { issuer, verifier, advance } = await createVerifierWorld();
    const exp = Math.floor(Date.now() / 1000) + 7200;
    const token = await issuer.token({ exp });
    await useOf(verifier, token);
    const context = await verifier.verify(token);
    advance(601);
    expect(await verifier.verify(token)).toBe(context);
  });

  it('nothing without the proof it is bound to, every time', async () => {
    const { issuer, verifier } = await createVerifierWorld();
    const prover = await createProver(issuer.resource);
    const token = await issuer.delegatedToken({ claims: { cnf: { jkt: prover.jkt } } });
    const at = { method: 'POST', url: issuer.resource };
    const proof = await prover.prove(token);
    await verifier.verify(token, { dpop: { ...at, proof } });
    expect((await refusal(verifier.verify(token))).reason).toBe('binding_unproved');
    const replayed = verifier.verify(token, { dpop: { ...at, proof } });
    expect((await refusal(replayed)).reason).toBe('dpop_replayed');
    const fresh = { ...at, proof: await prover.prove(token) };
    expect((await verifier.verify(token, { dpop: fresh })).kind).toBe('delegated');
  });

  it('refused again, if it was refused for who calls', async () => {
    const { issuer, verifier } = await createVerifierWorld({ accept: ['delegated'] });
    const token = await issuer.token();
    for (let use = 0; use < 3; use += 1)
      expect((await refusal(verifier.verify(token))).reason).toBe('principal_refused');
  });

  it('the same with nothing remembered at all', async () => {
    const { issuer, verifier } = await createVerifierWorld({ tokenCacheMax: 0 });
    const token = await issuer.token();
    expect(await verifier.verify(token)).not.toBe(await verifier.verify(token));
    await expect(createVerifierWorld({ tokenCacheMax: -1 })).rejects.toThrow(TypeError);
  });
});

describe('the cache', () => {
  it('keeps the ones used last, and no more than it may', () => {
    const cache = createRecent<number>(2);
    cache.set('a', 1);
    cache.set('b', 2);
    expect(cache.get('a')).toBe(1);
    cache.set('c', 3);
    expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual([1, undefined, 3]);
  });

  it.each([
    1, 2, 3, 10,
  ])('with room for %i, never has more, and half of it is the newest', (max) => {
    const cache = createRecent<number>(max);
    for (let n = 1; n <= 50; n += 1) {
      cache.set(`t${n}`, n);
      // Asking moves what is there; so each is asked of a cache of its own, filled the same way.
      const has = (at: number) => {
        const same = createRecent<number>(max);
        for (let m = 1; m <= n; m += 1) same.set(`t${m}`, m);
        return same.get(`t${at}`) !== undefined;
      };
      const kept = Array.from({ length: n }, (_, at) => at + 1).filter(has);
      expect(kept.length).toBeLessThanOrEqual(max);
      const newest = Math.max(1, Math.floor(max / 2));
      expect(kept).toEqual(
        expect.arrayContaining(Array.from({ length: Math.min(n, newest) }, (_, at) => n - at)),
      );
    }
  });
});
