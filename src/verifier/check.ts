/** The steps of enforcement that concern the token itself: signature to acceptable caller. */
import { type AccessTokenClaims, principalKind, revocationKeys } from '../protocol/index.js';
import { AuthError } from './auth-error.js';
import { checkBinding, type ProofInput } from './binding.js';
import { type AuthContext, createAuthContext } from './context.js';
import type { RevocationFeed } from './feed.js';
import { type KeyFor, verifyJwt } from './jwt.js';
import type { Lifetime, Lifetimes } from './lifetimes.js';
import type { VerifierSettings } from './options.js';

export interface CheckDeps {
  readonly settings: VerifierSettings;
  readonly keyFor: KeyFor;
  /** Absent with `revocation: 'off'`. */
  readonly feed: RevocationFeed | undefined;
  readonly lifetimes: Lifetimes;
}

export interface CheckedToken {
  readonly context: AuthContext;
  readonly lifetime: Lifetime;
}

/**
 * Checks a token and builds the context of its caller.
 *
 * @throws AuthError
 */
export async function checkToken(
  token: string,
  proof: ProofInput,
  deps: CheckDeps,
): Promise<CheckedToken> {
  const { settings, feed, lifetimes, keyFor } = deps;
  const { claims, kid } = await verifyJwt(token, { ...settings, keyFor });
  const binding = await checkBinding(token, claims.cnf, proof, settings);
  const keys = revocationKeys(claims, kid);
  const published = feed && (await checkRevocation(feed, keys, claims.iat, settings.onStale));
  checkCaller(claims, settings);
  const { jti: tokenId, exp, iat } = claims;
  const lifetime: Lifetime = { tokenId, exp, iat, keys, published };
  const context = createAuthContext(claims, { binding }, () => lifetimes.signalFor(lifetime));
  return { context, lifetime };
}

/**
 * A lost feed is decided before what it may have missed.
 * @returns the keys in their published form, to be compared again at every later use
 */
async function checkRevocation(
  feed: RevocationFeed,
  keys: readonly string[],
  issuedAtSeconds: number,
  onStale: VerifierSettings['onStale'],
): Promise<readonly string[]> {
  if (!feed.isFresh()) await feed.warmUp();
  if (!feed.isFresh() && onStale === 'refuse')
    throw new AuthError('feed_stale', { retryAfterSeconds: 2 });
  const published = await Promise.all(keys.map(feed.feedKey));
  if (feed.stopsPublished(published, issuedAtSeconds)) throw new AuthError('revoked');
  return published;
}

/** Who may act here at all, whatever the operation. */
function checkCaller(claims: AccessTokenClaims, settings: VerifierSettings): void {
  if (claims.actor_proof === 'none' && !settings.acceptUnprovedActors)
    throw new AuthError('actor_unproved', { claim: 'actor_proof' });
  if (!settings.accept.includes(principalKind(claims))) throw new AuthError('principal_refused');
}
