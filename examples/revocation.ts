/**
 * A stop reaches the server while the token has minutes to live: its next use is refused, and what was
 * begun with it ends. One fact stops a consent with all that came of it, and nothing beside. Runs by itself.
 */
import { createTestIssuer } from 'behalf/testing';
import { AuthError, createVerifier } from 'behalf/verifier';
import { check } from './story.js';

const broker = await createTestIssuer();
const { issuer, resource, fetch } = broker;
const verifier = createVerifier({ issuer, resource, fetch });
await verifier.ready();

const use = async (token: string) => {
  try {
    return (await verifier.verify(token)).kind;
  } catch (error) {
    if (error instanceof AuthError) return `${error.status} ${error.reason}`;
    throw error;
  }
};
const under = (consent: string, path: string) =>
  broker.delegatedToken({ claims: { jti: `${consent}.gnt_1.${path}` } });
const [token, exchanged, other] = await Promise.all([
  under('cns_ana', 't1'),
  under('cns_ana', 't1.t2'),
  under('cns_ben', 't1'),
]);
check(
  'before',
  [await use(token), await use(exchanged), await use(other)],
  Array(3).fill('delegated'),
);

// A long answer, an upload, a subscription: whatever outlives one request listens to this.
const { signal } = await verifier.verify(token);
const ended = new Promise<string>((done) => {
  signal.addEventListener('abort', () => done((signal.reason as Error).message), { once: true });
});
await broker.revoke('cns_ana');
check('what was begun with it', await ended, 'the access token was revoked');
check('the token', await use(token), '401 revoked');
check('what was exchanged from it', await use(exchanged), '401 revoked');
check('what hangs on another consent', await use(other), 'delegated');

await verifier.close();
