// A verifier and its issuer, without a network, under a clock that tests can set.
import {
  createTestIssuer,
  type TestIssuer,
  type TestIssuerOptions,
} from '../../../src/testing/index.js';
import {
  type AuthContext,
  AuthError,
  type AuthEvent,
  createVerifier,
  type Verifier,
  type VerifierOptions,
} from '../../../src/verifier/index.js';

export interface VerifierWorld {
  readonly issuer: TestIssuer;
  readonly verifier: Verifier;
  readonly events: AuthEvent[];
  /** Moves the clock of issuer and verifier. */
  advance(seconds: number): void;
}

export async function createVerifierWorld(
  options: Partial<VerifierOptions> = {},
  issuerOptions: TestIssuerOptions = {},
): Promise<VerifierWorld> {
  let aheadMs = 0;
  const now = () => Date.now() + aheadMs;
  const events: AuthEvent[] = [];
  const issuer = await createTestIssuer({ now, heartbeatMs: 50, ...issuerOptions });
  const verifier = createVerifier({
    issuer: issuer.issuer,
    resource: issuer.resource,
    fetch: issuer.fetch,
    now,
    revocation: 'off',
    onEvent: (event) => events.push(event),
    ...options,
  });
  return {
    issuer,
    verifier,
    events,
    advance: (seconds) => {
      aheadMs += seconds * 1000;
    },
  };
}

/** The AuthError a promise ends with; anything else fails the test. */
export async function refusal(work: Promise<AuthContext>): Promise<AuthError> {
  const outcome = await work.then(
    () => 'accepted',
    (error: unknown) => error,
  );
  if (outcome instanceof AuthError) return outcome;
  throw new Error('an AuthError was expected', { cause: outcome });
}
