/** The options of a verifier, checked when it is built: an unsafe one cannot be had (V5). */
import {
  ACT_DEPTH_MAX,
  isScopeToken,
  type PrincipalKind,
  parseSecureUrl,
  SIGNING_ALGS,
  type SigningAlg,
} from '../protocol/index.js';
import { checkDpopOptions, type DpopOptions } from './dpop-options.js';
import type { OnAuthEvent } from './events.js';
import type { HttpInput } from './http-input.js';
import { checkIssuers, type IssuerOptions, type IssuerParts } from './issuer-options.js';
import { detectPlatform } from './platform.js';

/**
 * What a verifier is told. `issuer` and `resource` are all it needs; every default is the strict
 * one.
 */
export interface VerifierOptions extends IssuerParts {
  /**
   * The authorization server: the exact `iss` of its tokens. Of several, each has its own keys, feed
   * and credentials; `jwks`, `client` and `report` then stand with the issuer they are for.
   */
  readonly issuer: string | IssuerOptions | ReadonlyArray<string | IssuerOptions>;
  /** This server's identifier: the exact `aud` of tokens for it, and the `resource` it publishes. */
  readonly resource: string;
  /** Shown to people by clients (RFC 9728 §2 `resource_name`). */
  readonly resourceName?: string | undefined;
  /** Scopes to advertise: `scopes_supported` and, in 401 challenges, `scope`. Demands nothing. */
  readonly scopes?: readonly string[] | undefined;
  /** Kinds of caller accepted at all; default every kind. */
  readonly accept?: readonly PrincipalKind[] | undefined;
  /** Accept tokens whose current actor nobody proved (`actor_proof: none`); default false. */
  readonly acceptUnprovedActors?: boolean | undefined;
  /** Longest chain of actors; default 4. */
  readonly actDepthMax?: number | undefined;
  /** Signature algorithms of access tokens; default all of Behalf's: ES256, EdDSA, PS256, RS256. */
  readonly algorithms?: readonly SigningAlg[] | undefined;
  /** Allowed difference between clocks; default 5, at most 60. */
  readonly clockToleranceSeconds?: number | undefined;
  /** Tokens bound to a key by DPoP are taken with their proof; how, and whether others are taken. */
  readonly dpop?: DpopOptions | undefined;
  /**
   * The client's certificate of a request, for tokens bound to one (RFC 8705 §3): DER, PEM, or its
   * SHA-256 thumbprint in base64url. From the TLS connection, or from a header only your proxy sets.
   */
  readonly clientCertificate?: ((input: HttpInput) => Uint8Array | string | undefined) | undefined;
  /** How keys found by discovery are kept. */
  readonly jwksCache?:
    | {
        /** Least time between two reads for a `kid` that is not known; default 30. */
        readonly cooldownSeconds?: number;
        /** Keys are read again after this time; default 600. */
        readonly maxAgeSeconds?: number;
        /** How much longer they serve while the issuer cannot be reached; default 3600. */
        readonly staleIfErrorSeconds?: number;
      }
    | undefined;
  /**
   * At most how many verified tokens are remembered, so that their next use costs no signature check;
   * default 5,000; 0 for none. Expiry, keys, revocation and proofs of possession are checked at every use.
   */
  readonly tokenCacheMax?: number | undefined;
  /** Follow the issuer's revocation feed, or accept every token until it expires; default feed. */
  readonly revocation?: 'feed' | 'off' | undefined;
  /** How long the feed may be silent before it counts as lost; default 15. */
  readonly staleLimitSeconds?: number | undefined;
  /** With a lost feed: answer 503, or go on as with `off`; default refuse. */
  readonly onStale?: 'refuse' | 'continue' | undefined;
  /** Hears every decision. What it throws is ignored. */
  readonly onEvent?: OnAuthEvent | undefined;
  readonly fetch?: typeof globalThis.fetch | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined;
}

const CLOCK_TOLERANCE_MAX_SECONDS = 60;
const KINDS = ['delegated', 'agent', 'service', 'user'] as const satisfies PrincipalKind[];

export type VerifierSettings = ReturnType<typeof checkOptions>;

function within(name: string, value: number, least: number, most: number): number {
  if (typeof value === 'number' && value >= least && value <= most) return value;
  throw new TypeError(`${name} is a number from ${least} to ${most}`);
}

function oneOf<T extends string>(name: string, value: T, allowed: readonly T[]): T {
  if (allowed.includes(value)) return value;
  throw new TypeError(`${name} is one of ${allowed.join(', ')}`);
}

/**
 * Checks the options and fills in the defaults, which are the strict ones.
 *
 * @throws TypeError naming the option
 */
export function checkOptions(options: VerifierOptions) {
  const { resource } = options;
  if (parseSecureUrl(resource) === undefined)
    throw new TypeError('resource is an absolute https URL (http on loopback), without fragment');
  const { jwksCache = {}, accept = KINDS, scopes = [], now = Date.now } = options;
  const issuers = checkIssuers(options.issuer, options, resource);
  const forever = Number.MAX_SAFE_INTEGER;
  for (const kind of accept) oneOf<string>('accept', kind, KINDS);
  if (accept.length === 0) throw new TypeError('accept names at least one kind of caller');
  const { algorithms = SIGNING_ALGS } = options;
  for (const alg of algorithms) oneOf<string>('algorithms', alg, SIGNING_ALGS);
  if (algorithms.length === 0) throw new TypeError('algorithms names at least one');
  const badScope = scopes.find((scope) => !isScopeToken(scope));
  if (badScope !== undefined) throw new TypeError(`scopes: "${badScope}" is not a scope-token`);
  return Object.freeze({
    issuers,
    /** Of several, the first that knows this server as a client: its tools are registered there. */
    registrar: issuers.find(({ client }) => client !== undefined) ?? issuers[0],
    resource,
    resourceName: options.resourceName,
    scopes: Object.freeze([...scopes]),
    accept: Object.freeze([...accept]) as readonly PrincipalKind[],
    acceptUnprovedActors: options.acceptUnprovedActors === true,
    actDepthMax: within('actDepthMax', options.actDepthMax ?? ACT_DEPTH_MAX, 1, 16),
    algorithms: Object.freeze([...algorithms]) as readonly SigningAlg[],
    clockToleranceSeconds: within(
      'clockToleranceSeconds',
      options.clockToleranceSeconds ?? 5,
      0,
      CLOCK_TOLERANCE_MAX_SECONDS,
    ),
    dpop: checkDpopOptions(options.dpop ?? {}, { resource, now }),
    clientCertificate: options.clientCertificate,
    cooldownSeconds: within('cooldownSeconds', jwksCache.cooldownSeconds ?? 30, 1, forever),
    maxAgeSeconds: within('maxAgeSeconds', jwksCache.maxAgeSeconds ?? 600, 1, forever),
    staleIfErrorSeconds: within(
      'staleIfErrorSeconds',
      jwksCache.staleIfErrorSeconds ?? 3600,
      0,
      86_400,
    ),
    tokenCacheMax: within('tokenCacheMax', options.tokenCacheMax ?? 5_000, 0, 1_000_000),
    platform: detectPlatform(),
    revocation: oneOf('revocation', options.revocation ?? 'feed', ['feed', 'off']),
    staleLimitSeconds: within('staleLimitSeconds', options.staleLimitSeconds ?? 15, 3, 3600),
    onStale: oneOf('onStale', options.onStale ?? 'refuse', ['refuse', 'continue']),
    onEvent: options.onEvent,
    fetch: options.fetch ?? ((input, init) => globalThis.fetch(input, init)),
    now,
  });
}
