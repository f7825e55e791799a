/** The steps of enforcement that concern the token itself: signature to acceptable caller. */
import { type AccessTokenClaims, principalKind, revocationKeys } from '../protocol/index.js';
import { AuthError } from './auth-error.js';
import type { Authorities, Authority } from './authority.js';
import { checkBinding, type ProofInput } from './binding.js';
import { type AuthContext, createAuthContext } from './context.js';
import type { RevocationFeed } from './feed.js';
import { checkTimes, type VerifiedToken, verifyJwt } from './jwt.js';
import type { Lifetime, Lifetimes } from './lifetimes.js';
import type { VerifierSettings } from './options.js';
import { createTokenCache } from './token-cache.js';

export interface CheckerDeps {
  readonly settings: VerifierSettings;
  readonly authorities: Authorities;
  readonly lifetimes: Lifetimes;
}

export interface CheckedToken {
  readonly context: AuthContext;
  readonly lifetime: Lifetime;
}

/** @throws AuthError */
export type CheckToken = (token: string, proof: ProofInput) => Promise<CheckedToken>;

interface Known {
  readonly verified: VerifiedToken;
  readonly authority: Authority;
  /** What every use of the token comes to, if nothing has changed. */
  checked?: CheckedToken;
}

/** Creates the check of tokens, which builds the contexts of their callers. */
export function createChecker({ settings, authorities, lifetimes }: CheckerDeps): CheckToken {
  const { platform, onStale, tokenCacheMax } = settings;
  const cache = createTokenCache<Known>(tokenCacheMax);
  const keysOf = (issuer: string) => authorities.get(issuer)?.keys;

  /** A known token is verified again when its key is no longer what it was. */
  async function verify(token: string): Promise<Known> {
    const digest = typeof token === 'string' ? platform.digest(token) : '';
    const key = typeof digest === 'string' ? digest : await digest;
    const known = cache.get(key);
    if (known !== undefined) {
      const { header, key: usedKey } = known.verified;
      const { keys } = known.authority;
      if ((keys.keyNow(header) ?? (await keys.keyFor(header))) === usedKey) {
        checkTimes(known.verified, settings);
        return known;
      }
    }
    const verified = await verifyJwt(token, { ...settings, keysOf });
    const authority = authorities.get(verified.claims.iss);
    if (authority === undefined) throw new AuthError('issuer_mismatch', { claim: 'iss' });
    const made: Known = { verified, authority };
    cache.set(key, made);
    return made;
  }

  return async (token, proof) => {
    const known = await verify(token);
    const { claims, header } = known.verified;
    const isPlain = claims.cnf === undefined && proof.dpop === undefined && !settings.dpop.required;
    const binding = isPlain ? undefined : await checkBinding(token, claims.cnf, proof, settings);
    const { feed } = known.authority;
    if (feed !== undefined && !feed.isFresh()) await freshen(feed, onStale);
    if (known.checked !== undefined) {
      refuseStopped(feed, known.checked.lifetime);
      return known.checked;
    }
    const { iss: issuer, jti: tokenId, exp, iat } = claims;
    const keys = () => revocationKeys(claims, header.kid);
    const published = feed && (await Promise.all(keys().map(feed.feedKey)));
    const lifetime: Lifetime = { issuer, tokenId, exp, iat, keys, published };
    refuseStopped(feed, lifetime);
    checkCaller(claims, settings);
    const context = createAuthContext(claims, { binding }, () => lifetimes.signalFor(lifetime));
    known.checked ??= { context, lifetime };
    return known.checked;
  };
}

/** A lost feed is decided before what it may have missed. */
async function freshen(feed: RevocationFeed, onStale: VerifierSettings['onStale']): Promise<void> {
  await feed.warmUp();
  if (!feed.isFresh() && onStale === 'refuse')
    throw new AuthError('feed_stale', { retryAfterSeconds: 2 });
}

/** Compared anew at every use: a revocation beats whatever is remembered. */
function refuseStopped(feed: RevocationFeed | undefined, { published, iat }: Lifetime): void {
  if (feed !== undefined && published !== undefined && feed.stopsPublished(published, iat))
    throw new AuthError('revoked');
}

/** Who may act here at all, whatever the operation. */
function checkCaller(claims: AccessTokenClaims, settings: VerifierSettings): void {
  if (claims.actor_proof === 'none' && !settings.acceptUnprovedActors)
    throw new AuthError('actor_unproved', { claim: 'actor_proof' });
  if (!settings.accept.includes(principalKind(claims))) throw new AuthError('principal_refused');
}
