/**
 * Whom an exchange is about, for the audit, should it be refused: known as soon as the subject token
 * is known to be ours, whatever is decided about it. Pure.
 */
import {
  ACT_DEPTH_MAX,
  type AccessTokenClaims,
  formatScope,
  lineageOf,
} from '../../protocol/index.js';
import type { RequestStory } from '../http/request.js';
import { type Proved, parentOf } from './load.js';
import { currentActor } from './policy.js';

export interface AskedExchange {
  readonly claims: AccessTokenClaims;
  readonly callerId: string;
  readonly presenter: Proved | undefined;
  readonly target: string;
  readonly scopes: readonly string[] | undefined;
  readonly provedKey: string | undefined;
  readonly provedCertificate: string | undefined;
  readonly actDepthMax: number | undefined;
}

export function toldOf(asked: AskedExchange): RequestStory {
  const {
    claims,
    callerId,
    presenter,
    provedKey,
    provedCertificate,
    actDepthMax = ACT_DEPTH_MAX,
  } = asked;
  const parent = parentOf(claims);
  const holder = currentActor(parent)?.id;
  const isHolder = presenter !== undefined && presenter.id === holder;
  const earlier = (isHolder ? parent.chain.slice(1) : parent.chain).map(({ id }) => id);
  const via = [...new Set([...parent.via, parent.clientId])].filter((id) => id !== callerId);
  return {
    sub: claims.sub,
    agentId: presenter?.id,
    grantId: lineageOf(claims.jti)?.grantId,
    resource: asked.target,
    detail: {
      parent: claims.jti,
      asked: formatScope(asked.scopes ?? []),
      ...(presenter === undefined ? {} : { proof: presenter.proof }),
      ...(provedKey === undefined ? {} : { proved_key: provedKey }),
      ...(provedCertificate === undefined ? {} : { proved_certificate: provedCertificate }),
      // Whose token it is, where that is somebody else's: nothing was handed on to whoever is refused.
      ...(isHolder || holder === undefined ? {} : { parent_actor: holder }),
      ...(earlier.length === 0 ? {} : { earlier_actors: earlier }),
      ...(via.length === 0 ? {} : { via }),
      ...(actDepthMax === ACT_DEPTH_MAX ? {} : { act_depth_max: actDepthMax }),
    },
  };
}
