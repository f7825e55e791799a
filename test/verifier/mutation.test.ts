// Tokens that nobody thought of: 20,000 in every run, a million in `npm run soak` (SOAK_MUTATIONS).
import fc from 'fast-check';
import { base64url, generateKeyPair } from 'jose';
import { afterAll, describe, expect, it } from 'vitest';
import { forge } from '../../src/testing/forge.js';
import { AuthError } from '../../src/verifier/index.js';
import { createVerifierWorld } from './support/verifier-world.js';

const isSoak = process.env.MODE === 'soak';
const MUTATIONS = Number(process.env.SOAK_MUTATIONS ?? (isSoak ? 1_000_000 : 20_000));
/** A share of them, of a property. */
const share = (percent: number) => ({ numRuns: Math.ceil((MUTATIONS * percent) / 100) });
const TIMEOUT_MS = isSoak ? 24 * 3600 * 1000 : 120_000;

const { issuer, verifier } = await createVerifierWorld();
// Good for longer than any soak.
const iat = Math.floor(Date.now() / 1000);
const good = await issuer.delegatedToken({
  chain: ['agt_planner'],
  claims: { iat, exp: iat + 10 * 24 * 3600 },
});
const segments = good.split('.');
const partOf = (n: number) =>
  JSON.parse(new TextDecoder().decode(base64url.decode(segments[n] ?? '')));
const [header, claims] = [partOf(0), partOf(1)];
const mallory = await generateKeyPair('ES256');

let tried = 0;

/** The outcome of one token: accepted, or the AuthError; anything else fails the property. */
async function outcome(token: string): Promise<'accepted' | AuthError> {
  tried += 1;
  try {
    await verifier.verify(token);
    return 'accepted';
  } catch (error) {
    if (error instanceof AuthError) return error;
    throw new Error('something other than an AuthError was thrown', { cause: error });
  }
}

async function refused(token: string): Promise<void> {
  expect(await outcome(token)).toBeInstanceOf(AuthError);
}

const position = fc.nat({ max: good.length });
const text = fc.oneof(
  fc.string({ maxLength: 40, unit: 'binary' }),
  fc.stringMatching(/^[A-Za-z0-9_.=-]{0,40}$/),
);

describe(`VF1, J8: ${MUTATIONS} tokens that nobody issued`, { timeout: TIMEOUT_MS }, () => {
  afterAll(() => expect(tried).toBeGreaterThanOrEqual(MUTATIONS));

  it('accepts a good one, so that it could accept another', async () => {
    expect(await outcome(good)).toBe('accepted');
  });

  it('accepts none with a piece cut out and another put in', async () => {
    await fc.assert(
      fc.asyncProperty(position, fc.nat({ max: 60 }), text, async (at, removed, inserted) => {
        const token = good.slice(0, at) + inserted + good.slice(at + removed);
        fc.pre(token !== good);
        await refused(token);
      }),
      share(40),
    );
  });

  it('accepts none with bytes changed in a part, however well it is spelled again', async () => {
    const change = fc.tuple(fc.nat({ max: 2 }), fc.nat(), fc.integer({ min: 1, max: 255 }));
    await fc.assert(
      fc.asyncProperty(change, async ([part, at, mask]) => {
        const bytes = base64url.decode(segments[part] ?? '');
        const changed = at % bytes.length;
        bytes[changed] = (bytes[changed] ?? 0) ^ mask;
        await refused(segments.with(part, base64url.encode(bytes)).join('.'));
      }),
      share(20),
    );
  });

  it('throws nothing but AuthError for any string at all', async () => {
    const anything = fc.string({ unit: 'binary', maxLength: 300 });
    await fc.assert(fc.asyncProperty(anything, refused), share(20));
  });

  it('accepts nothing that somebody else signed, whatever it says', async () => {
    const more = fc.dictionary(fc.string({ maxLength: 12 }), fc.jsonValue(), { maxKeys: 4 });
    await fc.assert(
      fc.asyncProperty(more, async (others) => {
        await refused(await forge(header, { ...claims, ...others }, mallory.privateKey));
      }),
      share(8),
    );
  });

  it('accepts no claims of its own making under a good signature of ours, unless they are whole', async () => {
    const names = ['sub', 'scope', 'agent_scope', 'act', 'actor_proof', 'jti', 'via', 'cnf', 'exp'];
    const { privateKey } = issuer.signingKey();
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.jsonValue(), async (name, value) => {
        const result = await outcome(await forge(header, { ...claims, [name]: value }, privateKey));
        // What may pass is a value of the claim's own type; never a list, an object or nothing.
        const plain = typeof value === 'string' || typeof value === 'number';
        const emptyList = name === 'via' && Array.isArray(value);
        if (!plain && !emptyList) expect(result).toBeInstanceOf(AuthError);
      }),
      share(6),
    );
  });

  it('accepts no header but one that means the same under a good signature of ours (RFC 8725 §3.1)', async () => {
    const names = ['alg', 'typ', 'kid', 'crit', 'jku', 'jwk', 'x5u', 'x5c', 'b64', 'zip', 'enc'];
    const values = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom('none', 'HS256', 'JWT', 'key-1', 'ES384'),
    );
    const { privateKey } = issuer.signingKey();
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), values, async (name, value) => {
        fc.pre(value !== header[name]);
        await refused(await forge({ ...header, [name]: value }, claims, privateKey));
      }),
      share(6),
    );
  });
});
