import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AuthError } from '../../src/verifier/index.js';
import { createVerifierWorld } from './support/verifier-world.js';

const RUNS = 2_000;
const { issuer, verifier } = await createVerifierWorld();
const good = await issuer.delegatedToken({ chain: ['agt_planner'] });

/** The outcome of one token: accepted, or the AuthError; anything else fails the property. */
async function outcome(token: string): Promise<'accepted' | AuthError> {
  try {
    await verifier.verify(token);
    return 'accepted';
  } catch (error) {
    if (error instanceof AuthError) return error;
    throw new Error('something other than an AuthError was thrown', { cause: error });
  }
}

const position = fc.nat({ max: good.length });
const text = fc.oneof(
  fc.string({ maxLength: 40, unit: 'binary' }),
  fc.stringMatching(/^[A-Za-z0-9_.=-]{0,40}$/),
);

describe(`VF1, J8: ${RUNS} mutations of a good token`, () => {
  it('accepts none of them and throws nothing but AuthError', async () => {
    await fc.assert(
      fc.asyncProperty(position, fc.nat({ max: 60 }), text, async (at, removed, inserted) => {
        const token = good.slice(0, at) + inserted + good.slice(at + removed);
        fc.pre(token !== good);
        expect(await outcome(token)).toBeInstanceOf(AuthError);
      }),
      { numRuns: RUNS },
    );
  });

  it('accepts no claims of its own making under a good signature of ours, unless they are whole', async () => {
    const names = ['sub', 'scope', 'agent_scope', 'act', 'actor_proof', 'jti', 'via', 'cnf', 'exp'];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...names), fc.jsonValue(), async (name, value) => {
        const result = await outcome(await issuer.delegatedToken({ claims: { [name]: value } }));
        // What may pass is a value of the claim's own type; never a list, an object or nothing.
        const plain = typeof value === 'string' || typeof value === 'number';
        const emptyList = name === 'via' && Array.isArray(value);
        if (!plain && !emptyList) expect(result).toBeInstanceOf(AuthError);
      }),
      { numRuns: 500 },
    );
  });

  it('throws nothing but AuthError for any string at all', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 300 }), async (token) => {
        expect(await outcome(token)).toBeInstanceOf(AuthError);
      }),
      { numRuns: RUNS },
    );
  });
});
