/** The steps of enforcement that concern the token itself: signature to acceptable caller. */
import { type AccessTokenClaims, principalKind, revocationKeys } from '../protocol/index.js';
import { AuthError } from './auth-error.js';
import type { Authorities, Authority } from './authority.js';
import { checkBinding, type ProofInput } from './binding.js';
import { type AuthContext, createAuthContext, createHeldScopes, type Findings } from './context.js';
import type { RevocationFeed } from './feed.js';
import type { Source } from './introspection.js';
import type { Issued } from './issued.js';
import {
  checkClaims,
  checkTimes,
  HEADERS_MAX,
  TOKEN_MAX_CHARS,
  type TokenHeader,
  type VerifiedToken,
  verifyJwt,
} from './jwt.js';
import type { Lifetime, Lifetimes } from './lifetimes.js';
import type { VerifierSettings } from './options.js';
import type { SignatureCheck } from './platform.js';
import { createRecent } from './recent.js';
import { type Soon, soon } from './soon.js';

export interface CheckerDeps {
  readonly settings: VerifierSettings;
  readonly authorities: Authorities;
  readonly lifetimes: Lifetimes;
  readonly issued: Issued;
  /** Ends everything. */
  readonly signal: AbortSignal;
}

/** @throws AuthError */
export type CheckToken = (token: string, proof: ProofInput) => Promise<AuthContext>;

interface Known {
  readonly claims: AccessTokenClaims;
  readonly authority: Authority;
  /** The token's own word, by its signature; absent when it is the issuer's. */
  readonly verified?: VerifiedToken;
  lifetime?: Lifetime;
  /** What every use of the token comes to, if nothing has changed. */
  context?: AuthContext;
}

/**
 * At first only whose key the token is signed by: nearly nothing to keep, for the many that come once.
 * From the second use on, what it says.
 */
type Remembered = SignatureCheck | Known;

/**
 * Finds out what a JWT says. A known one is verified again when its key is no longer what it was.
 * At once where the platform can: see `soon.ts`.
 */
function createJwtReader({ settings, authorities }: CheckerDeps) {
  const { platform, tokenCacheMax } = settings;
  // By the SHA-256 of the whole token: any less, and two of them share a fate (J14).
  const cache = createRecent<Remembered>(tokenCacheMax);
  const keysOf = (issuer: string) => authorities.get(issuer)?.keys;
  const rules = { ...settings, keysOf, headers: createRecent<TokenHeader>(HEADERS_MAX) };

  function read(token: string, digest: string, verifiedBy?: SignatureCheck): Soon<Known> {
    return soon(verifyJwt(token, rules, verifiedBy), (verified) => {
      const { claims, key } = verified;
      const authority = authorities.get(claims.iss);
      if (authority === undefined) throw new AuthError('issuer_mismatch', { claim: 'iss' });
      const made: Known = { claims, authority, verified };
      cache.set(digest, key === verifiedBy ? made : key);
      return made;
    });
  }

  function readKnown(token: string, digest: string): Soon<Known> {
    const found = cache.get(digest);
    if (typeof found !== 'object') return read(token, digest, found);
    const { verified, authority } = found;
    if (verified === undefined) return read(token, digest);
    return soon(
      authority.keys.keyNow(verified.header) ?? authority.keys.keyFor(verified.header),
      (key) => {
        if (key !== verified.key) return read(token, digest);
        checkTimes(verified, settings);
        return found;
      },
    );
  }
  return (token: string): Soon<Known> =>
    soon(platform.digest(token), (digest) => readKnown(token, digest));
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
  const { settings, authorities, issued, signal } = deps;
  const readJwt = createJwtReader(deps);
  const heldScopes = createHeldScopes();
  const reader = [...authorities.values()].find(({ introspector }) => introspector !== undefined);

  /** Makes what is handed out, and may be remembered. */
  function build(known: Known, lifetime: Lifetime, token: string, findings: Findings): AuthContext {
    const { claims, authority } = known;
    const { introspector } = authority;
    const asks = introspector?.mode === 'sensitive' && findings.source === 'jwt';
    const confirm = asks ? () => introspector.confirm(token, claims) : undefined;
    const context = issued.add(createAuthContext(claims, findings, heldScopes), {
      lifetime,
      confirm,
    });
    // What can ask about its token holds it, and so is not remembered.
    if (confirm === undefined) known.context = context;
    return context;
  }

  return async (token, proof) => {
    if (signal.aborted) throw new AuthError('verifier_closed');
    if (typeof token !== 'string') throw new AuthError('token_malformed');
    const isOpaque = reader !== undefined && token.split('.', 4).length !== 3;
    const read = isOpaque ? readOpaque(token, reader, settings) : readJwt(token);
    const known = read instanceof Promise ? await read : read;
    const { claims, verified } = known;
    const isPlain = claims.cnf === undefined && proof.dpop === undefined && !settings.dpop.required;
    const binding = isPlain ? undefined : await checkBinding(token, claims.cnf, proof, settings);
    const { feed, introspector } = known.authority;
    if (feed !== undefined && !feed.isFresh()) await freshen(feed, settings.onStale);
    if (known.lifetime === undefined) {
      const lifetime = lifetimeOf(claims, verified?.header.kid, feed);
      known.lifetime ??= lifetime instanceof Promise ? await lifetime : lifetime;
    }
    const { lifetime } = known;
    refuseStopped(feed, lifetime);
    const asksAlways = introspector?.mode === 'always' && verified !== undefined;
    if (known.context !== undefined && !asksAlways) return known.context;
    checkCaller(claims, settings);
    let source: Source = verified === undefined ? 'introspection' : 'jwt';
    if (asksAlways) source = await introspector.confirm(token, claims);
    return known.context?.source === source
      ? known.context
      : build(known, lifetime, token, { binding, source });
  };
}

function lifetimeOf(
  claims: AccessTokenClaims,
  kid: string | undefined,
  feed: RevocationFeed | undefined,
): Soon<Lifetime> {
  if (feed === undefined) return { claims, kid, published: undefined };
  const keys = revocationKeys(claims, kid);
  return Promise.all(keys.map(feed.feedKey)).then((published) => ({ claims, kid, published }));
}

/** A lost feed is decided before what it may have missed. */
async function freshen(feed: RevocationFeed, onStale: VerifierSettings['onStale']): Promise<void> {
  await feed.warmUp();
  if (!feed.isFresh() && onStale === 'refuse')
    throw new AuthError('feed_stale', { retryAfterSeconds: 2 });
}

/** Compared anew at every use: a revocation beats whatever is remembered. */
function refuseStopped(feed: RevocationFeed | undefined, { published, claims }: Lifetime): void {
  if (feed !== undefined && published !== undefined && feed.stopsPublished(published, claims.iat))
    throw new AuthError('revoked');
}

/** Who may act here at all, whatever the operation. */
function checkCaller(claims: AccessTokenClaims, settings: VerifierSettings): void {
  if (claims.actor_proof === 'none' && !settings.acceptUnprovedActors)
    throw new AuthError('actor_unproved', { claim: 'actor_proof' });
  if (!settings.accept.includes(principalKind(claims))) throw new AuthError('principal_refused');
}
