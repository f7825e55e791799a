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
import type { Facts, FactsCache } from '../facts/store.js';
import { type RequestContext, requestState } from '../http/request.js';
import type { SigningKey } from '../keys/store.js';
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
  readonly grantId?: string | undefined;
  readonly agentId?: string | undefined;
  /** For the audit: what was asked, what fell away, by whose word. */
  readonly detail: Readonly<Record<string, unknown>>;
  /** Error code when the gate refuses: `invalid_grant`, or `unauthorized_client` without a grant. */
  readonly refusedCode: 'invalid_grant' | 'unauthorized_client';
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
}

export interface Issuer {
  /** Says how the token of this request is to be decided. One story a request. */
  tell(ctx: RequestContext, story: Story): void;
  /** Decides, records and returns the claims to sign; corrects the engine's token to match. */
  issue(ctx: KoaContextWithOIDC, token: EngineToken): Promise<AccessTokenClaims>;
}

const ATTEMPTS_MAX = 5;

export function createIssuer(deps: {
  readonly facts: FactsCache;
  readonly gate: Gate;
  readonly signingKey: (alg: SigningAlg) => SigningKey;
}): Issuer {
  const stories = new WeakMap<object, Story>();

  const attempt = async (ctx: KoaContextWithOIDC, story: Story, token: EngineToken, facts: Facts) => {
    const issuance = await story(facts, parseScope(token.scope));
    const { claims } = issuance;
    const lineage = revocationKeys(claims, undefined);
    const keys = [...lineage, ...issuance.credentials, kidKey(deps.signingKey(issuance.signingAlg).kid)];
    const outcome = await deps.gate.issue({
      epoch: facts.epoch,
      checks: [...new Set(keys)].map((key) => ({ key })),
      ttlSeconds: issuance.ttlSeconds,
      expMax: issuance.expMax,
      jti: claims.jti,
      by: claims.client_id,
      sub: claims.sub,
      agentId: issuance.agentId,
      clientId: claims.client_id,
      resource: claims.aud,
      grantId: issuance.grantId,
      requestId: requestState(ctx).id,
      detail: { ...issuance.detail, scope: claims.scope ?? '' },
    });
    return { issuance, outcome };
  };

  return {
    tell: (ctx, story) => {
      stories.set(ctx.req, story);
    },
    issue: async (ctx, token) => {
      const story = stories.get(ctx.req);
      if (story === undefined) throw new Error('a token was to be issued without a decision');
      for (let n = 0; n < ATTEMPTS_MAX; n += 1) {
        const facts = n === 0 ? await deps.facts.current() : await deps.facts.fresh();
        const { issuance, outcome } = await attempt(ctx, story, token, facts);
        if (outcome.outcome === 'stale') continue;
        if (outcome.outcome === 'refused') {
          throw new OAuthError(
            issuance.refusedCode,
            'what this token would hang on was stopped',
            `stopped by ${outcome.stoppedBy}`,
          );
        }
        const { iat, exp } = outcome;
        token.scope = issuance.claims.scope;
        token.iat = iat;
        token.exp = exp;
        token.expiresIn = exp - iat;
        return { ...issuance.claims, iat, exp };
      }
      throw new OAuthError('temporarily_unavailable', 'the policy is changing: try again');
    },
  };
}
