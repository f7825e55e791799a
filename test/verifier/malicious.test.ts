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

  it('has at least 40 of them, no two alike', () => {
    expect(tokens.length).toBeGreaterThanOrEqual(40);
    expect(new Set(tokens.map(({ name }) => name)).size).toBe(tokens.length);
  });

  it.each(tokens)('refuses $name', async ({ token, reason, status }) => {
    const error = await verifier.verify(token).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(AuthError);
    expect(error).toMatchObject({ reason, status });
    // VF14: nothing of the token gets into what is logged or answered.
    if (token.length > 20) expect(JSON.stringify(error) + String(error)).not.toContain(token);
  });

  it('fetches nothing that a token points at (J5)', () => {
    expect(new Set(issuer.requests)).toEqual(
      new Set(['GET /.well-known/oauth-authorization-server', 'GET /.well-known/jwks.json']),
    );
  });
});
