/**
 * From a story to a signed token: decide with current facts, pass the gate, stamp the claims. A
 * JWT without a story does not leave: the engine's hook finds nothing and fails.
 */
import type { KoaContextWithOIDC } from 'oidc-provider';
import {
  type AccessTokenClaims,
  kidKey,
  OAuthError,
  parseScope,
  revocationKeys,
  type SigningAlg,
} from '../../protocol/index.js';
import { because } from '../delegation/denials.js';
import type { Facts, FactsCache } from '../facts/store.js';
import { type RequestContext, type RequestState, requestState } from '../http/request.js';
import type { SigningKey } from '../keys/store.js';
import type { VerifiedToken } from './access-tokens.js';
import { confirmationOf } from './binding.js';
import { claimsHash } from './claims-hash.js';
import type { Gate } from './gate.js';

/** A decision ready for the gate: claims without time, and what they are recorded with. */
export interface Issuance {
  readonly claims: Omit<AccessTokenClaims, 'iat' | 'exp'>;
  readonly ttlSeconds: number;
  /** Seconds since the epoch. */
  readonly expMax?: number | undefined;
  readonly signingAlg: SigningAlg;
  /** Credentials that stand behind this token besides its lineage. */
  readonly credentials: readonly string[];
  /** The token it was exchanged from: what stops that one stops this one. */
  readonly parent?: VerifiedToken | undefined;
  readonly grantId?: string | undefined;
  readonly agentId?: string | undefined;
  /** For the audit: what was asked, what fell away, by whose word. */
  readonly detail: Readonly<Record<string, unknown>>;
  /**
   * Error code when the gate refuses: `invalid_grant`, `unauthorized_client` without a grant, or
   * `invalid_request` where RFC 8693 wants it.
   */
  readonly refusedCode: 'invalid_grant' | 'unauthorized_client' | 'invalid_request';
}

/** Decides with the given facts; called again when they turn out to be old. */
export type Story = (facts: Facts, requested: readonly string[]) => Promise<Issuance>;

/** The part of the engine's token that the hook reads and corrects. */
export interface EngineToken {
  scope?: string | undefined;
  iat?: number;
  exp?: number;
  expiresIn?: number;
  jti: string;
  /** RFC 7638 thumbprint of the key that the engine bound the token to (RFC 9449). */
  readonly jkt?: string | undefined;
  /** Of the certificate (RFC 8705 §3.1). */
  readonly 'x5t#S256'?: string | undefined;
  resourceServer?: { jwt?: { sign?: unknown } } | undefined;
}

export interface Issuer {
  /** Says how the token of this request is to be decided. One story a request. */
  tell(ctx: RequestContext, story: Story): void;
  /** Decides, records and returns the claims to sign; corrects the engine's token to match. */
  issue(ctx: KoaContextWithOIDC, token: EngineToken): Promise<AccessTokenClaims>;
}

const ATTEMPTS_MAX = 5;

interface IssuerDeps {
  readonly facts: FactsCache;
  readonly gate: Gate;
  readonly signingKey: (alg: SigningAlg) => SigningKey;
  /** Learns of a key that was retired a moment ago. */
  readonly refreshKeys: () => Promise<void>;
}

export function createIssuer(deps: IssuerDeps): Issuer {
  const stories = new WeakMap<object, Story>();
  return {
    tell: (ctx, story) => {
      stories.set(ctx.req, story);
    },
    issue: async (ctx, token) => {
      const story = stories.get(ctx.req);
      if (story === undefined) throw new Error('a token was to be issued without a decision');
      const requested = parseScope(token.scope);
      for (let n = 0; n < ATTEMPTS_MAX; n += 1) {
        const facts = n === 0 ? await deps.facts.current() : await deps.facts.fresh();
        const issuance = binding(await story(facts, requested), token, requestState(ctx));
        const outcome = await passGate(deps, issuance, facts.epoch, requestState(ctx).id);
        if (outcome !== 'stale') return stamp(token, issuance, outcome);
      }
      throw new OAuthError('temporarily_unavailable', 'the policy is changing: try again');
    },
  };
}

/** What the token is bound to, by the engine or by its story, is recorded with it. */
function binding(
  issuance: Issuance,
  token: EngineToken,
  { instance }: Pick<RequestState, 'instance'>,
): Issuance {
  const { claims, detail } = issuance;
  const cnf = { ...claims.cnf, ...confirmationOf(token) };
  if (Object.keys(cnf).length === 0) return issuance;
  const told = { ...detail, cnf, ...(instance === undefined ? {} : { instance }) };
  return { ...issuance, claims: { ...claims, cnf }, detail: told };
}

/** Recorded: the times stamped, and the key to sign with. */
interface Passed {
  readonly iat: number;
  readonly exp: number;
  readonly kid: string;
}

/** @throws OAuthError when something the token hangs on was stopped */
async function passGate(
  { gate, signingKey, refreshKeys }: IssuerDeps,
  issuance: Issuance,
  epoch: number,
  requestId: string,
): Promise<'stale' | Passed> {
  const { claims } = issuance;
  const { kid } = signingKey(issuance.signingAlg);
  const keys = new Set([...revocationKeys(claims), ...issuance.credentials, kidKey(kid)]);
  const outcome = await gate.issue({
    epoch,
    checks: [...[...keys].map((key) => ({ key })), ...parentChecks(issuance.parent)],
    ttlSeconds: issuance.ttlSeconds,
    expMax: issuance.expMax,
    jti: claims.jti,
    by: claims.client_id,
    sub: claims.sub,
    agentId: issuance.agentId,
    clientId: claims.client_id,
    resource: claims.aud,
    grantId: issuance.grantId,
    requestId,
    detail: {
      ...issuance.detail,
      scope: claims.scope ?? '',
      kid,
      claims: claimsHash(claims),
    },
  });
  if (outcome.outcome === 'stale') return 'stale';
  if (outcome.outcome === 'issued') return { ...outcome, kid };
  if (outcome.stoppedBy === kidKey(kid)) {
    // Retired in an emergency before this process heard of it: another key signs.
    await refreshKeys();
    if (signingKey(issuance.signingAlg).kid !== kid) return 'stale';
  }
  const sentence = 'what this token would hang on was stopped';
  const reason = `stopped by ${outcome.stoppedBy}`;
  throw because(new OAuthError(issuance.refusedCode, sentence, reason), { rule: 'stopped' });
}

/** A fact that only stops what is older is compared with the parent's own time (DESIGN §6). */
const parentChecks = (parent: VerifiedToken | undefined) =>
  parent === undefined
    ? []
    : revocationKeys(parent.claims, parent.kid).map((key) => ({ key, at: parent.claims.iat }));

/**
 * The engine's token is made to say what was decided, and when, by the database's clock; and to be
 * signed with the key that passed the gate, though the engine may have been built before it signed.
 */
function stamp(
  token: EngineToken,
  { claims, signingAlg: alg }: Issuance,
  { iat, exp, kid }: Passed,
): AccessTokenClaims {
  if (token.resourceServer?.jwt !== undefined) token.resourceServer.jwt.sign = { alg, kid };
  token.scope = claims.scope;
  token.iat = iat;
  token.exp = exp;
  token.expiresIn = exp - iat;
  return { ...claims, iat, exp };
}
