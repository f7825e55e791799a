/**
 * Whoever asks about a token that is another's, or to revoke it, is told nothing (RFC 7009 §2.1, RFC
 * 7662 §2.2): it looks like a token that is not ours. The audit knows, of a bounded number a minute.
 */
import type { KoaContextWithOIDC } from 'oidc-provider';
import { type AccessTokenClaims, actorChain, lineageOf } from '../../protocol/index.js';
import type { RefusalLog } from '../audit/refusals.js';
import { addressOf, type RequestStory, requestState } from '../http/request.js';

/** Who a grant is for, as far as events tell it; whatever became of it. */
export interface GrantParties {
  readonly id: string;
  readonly userId: string;
  readonly agentId: string;
  readonly resource: string;
}

export interface ForeignDeps {
  readonly refusals: RefusalLog;
  readonly grantOf: (id: string) => Promise<GrantParties | undefined>;
}

/** Whom a token is about, for events. */
export function aboutToken({ jti, sub, aud, act, via }: AccessTokenClaims): RequestStory {
  const [current, ...earlier] = actorChain(act).map((actor) => actor.sub);
  return {
    jti,
    sub,
    agentId: current ?? (sub.startsWith('agt_') ? sub : undefined),
    resource: aud,
    grantId: lineageOf(jti)?.grantId,
    detail: {
      ...(earlier.length === 0 ? {} : { earlier_actors: earlier }),
      ...(via === undefined ? {} : { via }),
    },
  };
}

export async function noteForeign(deps: ForeignDeps, ctx: KoaContextWithOIDC): Promise<void> {
  const { foreign, id: requestId } = requestState(ctx);
  if (foreign === undefined) return;
  const by = ctx.oidc.client?.clientId;
  const { detail, ...about } = await withParties(deps, foreign);
  const why = { code: 'access_denied', reason: 'foreign_token', rule: 'foreign_token' };
  const endpoint = ctx.oidc.route;
  await deps.refusals.note(
    {
      type: 'request.refused',
      by,
      clientId: by,
      requestId,
      ...about,
      detail: { ...detail, endpoint, ...why },
    },
    addressOf(ctx.req),
  );
}

/** Of an opaque token only its grant is known. */
async function withParties({ grantOf }: ForeignDeps, foreign: RequestStory): Promise<RequestStory> {
  const { grantId, sub } = foreign;
  if (sub !== undefined || grantId === undefined) return foreign;
  const grant = await grantOf(grantId);
  if (grant === undefined) return foreign;
  return {
    grantId,
    sub: grant.userId,
    agentId: grant.agentId || undefined,
    resource: grant.resource || undefined,
  };
}
