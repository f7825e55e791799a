/** The steps of enforcement that concern the token itself: signature to acceptable caller. */
import { type AccessTokenClaims, principalKind, revocationKeys } from '../protocol/index.js';
import { AuthError } from './auth-error.js';
import type { Authorities, Authority } from './authority.js';
import { type Binding, checkBinding, type ProofInput } from './binding.js';
import { type AuthContext, createAuthContext } from './context.js';
import type { RevocationFeed } from './feed.js';
import type { Source } from './introspection.js';
import { checkClaims, checkTimes, TOKEN_MAX_CHARS, type VerifiedToken, verifyJwt } from './jwt.js';
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
  /** Asks the issuer about the token, where that is done for sensitive operations only. */
  readonly confirm?: (() => Promise<Source>) | undefined;
}

/** @throws AuthError */
export type CheckToken = (token: string, proof: ProofInput) => Promise<CheckedToken>;

interface Known {
  readonly claims: AccessTokenClaims;
  readonly authority: Authority;
  /** The token's own word, by its signature; absent when it is the issuer's. */
  readonly verified?: VerifiedToken;
  lifetime?: Lifetime;
  /** What every use of the token comes to, if nothing has changed. */
  checked?: CheckedToken;
}

/** Finds out what a JWT says. A known one is verified again when its key is no longer what it was. */
function createJwtReader({ settings, authorities }: CheckerDeps) {
  const { platform, tokenCacheMax } = settings;
  const cache = createTokenCache<Known>(tokenCacheMax);
  const keysOf = (issuer: string) => authorities.get(issuer)?.keys;

  return async (token: string): Promise<Known> => {
    const digest = platform.digest(token);
    const name = typeof digest === 'string' ? digest : await digest;
    const known = cache.get(name);
    if (known?.verified !== undefined) {
      const { header, key } = known.verified;
      const { keys } = known.authority;
      if ((keys.keyNow(header) ?? (await keys.keyFor(header))) === key) {
        checkTimes(known.verified, settings);
        return known;
      }
    }
    const verified = await verifyJwt(token, { ...settings, keysOf });
    const { claims } = verified;
    const authority = authorities.get(claims.iss);
    if (authority === undefined) throw new AuthError('issuer_mismatch', { claim: 'iss' });
    const made: Known = { claims, authority, verified };
    cache.set(name, made);
    return made;
  };
}

/** What the issuer says of a token that only it can read. */
async function readOpaque(
  token: string,
  authority: Authority,
  settings: VerifierSettings,
): Promise<Known> {
  if (token.length > TOKEN_MAX_CHARS) throw new AuthError('token_too_long');
  if (!/^[\w.~+/-]+=*$/.test(token)) throw new AuthError('token_malformed');
  const members = await authority.introspector?.read(token);
  if (members === undefined) throw new AuthError('token_malformed');
  if (members.iss !== authority.issuer) throw new AuthError('issuer_mismatch', { claim: 'iss' });
  return { claims: checkClaims(members, settings).claims, authority };
}

/** Creates the check of tokens, which builds the contexts of their callers. */
export function createChecker(deps: CheckerDeps): CheckToken {
  const { settings, authorities, lifetimes } = deps;
  const readJwt = createJwtReader(deps);
  const reader = [...authorities.values()].find(({ introspector }) => introspector !== undefined);

  /** Makes what is remembered, and asks the issuer if it is asked every time. */
  async function build(known: Known, lifetime: Lifetime, token: string, binding?: Binding) {
    const { claims, verified, authority } = known;
    const { introspector } = authority;
    let source: Source = verified === undefined ? 'introspection' : 'jwt';
    if (introspector?.mode === 'always' && verified !== undefined)
      source = await introspector.confirm(token, claims);
    if (known.checked?.context.source === source) return known.checked;
    const asks = introspector?.mode === 'sensitive' && source === 'jwt';
    const confirm = asks ? () => introspector.confirm(token, claims) : undefined;
    const findings = { binding, source };
    const context = createAuthContext(claims, findings, () => lifetimes.signalFor(lifetime));
    // What can ask about its token holds it, and so is not remembered.
    if (confirm !== undefined) return { context, lifetime, confirm };
    known.checked = { context, lifetime };
    return known.checked;
  }

  return async (token, proof) => {
    if (typeof token !== 'string') throw new AuthError('token_malformed');
    const isOpaque = reader !== undefined && token.split('.', 4).length !== 3;
    const known = isOpaque ? await readOpaque(token, reader, settings) : await readJwt(token);
    const { claims, verified } = known;
    const isPlain = claims.cnf === undefined && proof.dpop === undefined && !settings.dpop.required;
    const binding = isPlain ? undefined : await checkBinding(token, claims.cnf, proof, settings);
    const { feed, introspector } = known.authority;
    if (feed !== undefined && !feed.isFresh()) await freshen(feed, settings.onStale);
    known.lifetime ??= await lifetimeOf(claims, verified?.header.kid, feed);
    refuseStopped(feed, known.lifetime);
    if (known.checked !== undefined && introspector?.mode !== 'always') return known.checked;
    checkCaller(claims, settings);
    return build(known, known.lifetime, token, binding);
  };
}

async function lifetimeOf(
  claims: AccessTokenClaims,
  kid: string | undefined,
  feed: RevocationFeed | undefined,
): Promise<Lifetime> {
  const { iss: issuer, jti: tokenId, exp, iat } = claims;
  const keys = () => revocationKeys(claims, kid);
  const published = feed && (await Promise.all(keys().map(feed.feedKey)));
  return { issuer, tokenId, exp, iat, keys, published };
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
