/**
 * A code or refresh token that comes a second time (DESIGN §6): the same answer again, for a client
 * that lost it or asked twice; or the end of the grant, for somebody else has a copy.
 */
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import { OAuthError } from '../../protocol/index.js';
import { type AuditEvent, grantHasTokens, record, underRequest } from '../audit/store.js';
import type { Database } from '../db/database.js';
import { isUnavailable } from '../db/database.js';
import { requestState } from '../http/request.js';
import { LOST_RACE, rethrow } from '../provider/errors.js';
import { readDpopProof, useDpopProof } from '../provider/internals.js';
import { because } from './denials.js';
import { endGrant } from './ends.js';
import { countKeptAnswer, keepAnswer, readKeptAnswer, undoRotation } from './kept-answer.js';
import { tellSource } from './told.js';

export interface ReplayDeps {
  readonly db: Database;
  readonly provider: () => Provider;
  readonly now: () => number;
  /** How long a refresh is answered again; 0: never. */
  readonly refreshGraceSeconds: number;
  /** Every second use ends the grant, simultaneous ones too. */
  readonly strictReplay: boolean;
}

interface Used {
  readonly grantId?: string | undefined;
  readonly consumed?: unknown;
  readonly scope?: string | undefined;
  /** The key it is bound to (RFC 9449 §5), for public clients. */
  readonly jkt?: string | undefined;
}

/** Whoever has a copy of a public client's token has all there is to have. */
const GRACE_PUBLIC_SECONDS = 10;

const graceFor = (deps: ReplayDeps, ctx: KoaContextWithOIDC, token: Used): number =>
  ctx.oidc.client?.clientAuthMethod === 'none' && token.jkt === undefined
    ? Math.min(deps.refreshGraceSeconds, GRACE_PUBLIC_SECONDS)
    : deps.refreshGraceSeconds;

const askedOf = ({ scope, resource }: Record<string, unknown>): string =>
  JSON.stringify([scope ?? '', resource ?? '']);

/** Keeps the answer that is about to leave. */
export async function keepRefreshAnswer(
  deps: ReplayDeps,
  ctx: KoaContextWithOIDC,
  token: Used,
): Promise<void> {
  // One that was not used up is its own second answer.
  if (graceFor(deps, ctx, token) === 0 || !('RotatedRefreshToken' in ctx.oidc.entities)) return;
  const body = ctx.body as Record<string, unknown>;
  const params = ctx.oidc.params ?? {};
  const proof = await readDpopProof(ctx);
  try {
    await keepAnswer(deps.db, String(params.refresh_token), {
      body,
      expiresAtMs: deps.now() + Number(body.expires_in) * 1000,
      asked: askedOf(params),
      jkt: proof?.thumbprint,
      certificate: requestState(ctx).certificate?.thumbprint,
    });
  } catch (error) {
    // The tokens are recorded and the old one is used up: better without grace than not at all.
    if (!isUnavailable(error)) throw error;
  }
}

/**
 * Answers a refresh again as it was answered before: to the same client and key, asking the same, as
 * long as the new refresh token was not used.
 *
 * @param decide whether the grant would still be served; throws when not
 */
export async function answerAgain(
  deps: ReplayDeps,
  ctx: KoaContextWithOIDC,
  token: Used,
  decide: () => Promise<void>,
): Promise<boolean> {
  const graceSeconds = graceFor(deps, ctx, token);
  if (graceSeconds === 0) return false;
  const params = ctx.oidc.params ?? {};
  const presented = String(params.refresh_token);
  const kept = await readKeptAnswer(deps.db, presented, graceSeconds);
  if (kept === undefined || kept.asked !== askedOf(params)) return false;
  const proof = await readDpopProof(ctx);
  if (proof?.thumbprint !== kept.jkt) return false;
  if (requestState(ctx).certificate?.thumbprint !== kept.certificate) return false;
  await decide();
  await useDpopProof(ctx, proof);
  const event = eventAbout(ctx, token, 'refresh_token.repeated');
  const given = await countKeptAnswer(deps.db, presented, graceSeconds, event);
  if (!given) return false;
  const leftSeconds = Math.max(0, Math.floor((kept.expiresAtMs - deps.now()) / 1000));
  ctx.body = { ...kept.body, expires_in: leftSeconds };
  return true;
}

/** Whom it was about is told by then. */
function eventAbout(
  ctx: KoaContextWithOIDC,
  { grantId }: Used,
  type: AuditEvent['type'],
  more: Readonly<Record<string, unknown>> = {},
): AuditEvent {
  const { id, story } = requestState(ctx);
  const clientId = ctx.oidc.client?.clientId;
  const detail = { ...story?.detail, ...more };
  return { type, by: clientId, clientId, grantId, requestId: id, ...story, detail };
}

/**
 * A second use of a code or refresh token ends the grant, if the first use recorded a token and was
 * over when this request arrived; otherwise the two were simultaneous, and only this one loses.
 */
export async function refuseReplay(
  deps: ReplayDeps,
  ctx: KoaContextWithOIDC,
  source: Used,
  type: 'code.replayed' | 'refresh_token.replayed',
): Promise<never> {
  const { usedBeforeArrival, id } = requestState(ctx);
  const grantId = source.grantId ?? '';
  // Seconds with fractions, from the adapter.
  const usedAt = new Date(Math.round(Number(source.consumed) * 1000));
  // What came before the first use was over is part of the same race, and ends nothing.
  const ends =
    deps.strictReplay ||
    (usedBeforeArrival === true && (await grantHasTokens(deps.db.orm, grantId, usedAt)));
  if (ends) {
    const by = ctx.oidc.client?.clientId ?? 'system';
    await endGrant(underRequest(deps.db, id), grantId, type, by);
  }
  await tellSource(deps.db.orm, ctx, source);
  await record(deps.db.orm, eventAbout(ctx, source, type, { ended: ends }));
  const reason = ends ? `${type}: grant ${grantId} ended` : 'lost a race';
  const used = new OAuthError('invalid_grant', 'this was already used', reason);
  return rethrow(because(used, { rule: ends ? 'used_before' : 'lost_race' }));
}

/**
 * Runs the engine's handler. Where every second use counts, losing a race to use something up does. A
 * refresh that broke off has given nothing away: it may be tried again (R4).
 */
export async function useUp<T>(
  deps: ReplayDeps,
  ctx: KoaContextWithOIDC,
  source: Used,
  handle: () => Promise<T>,
): Promise<T> {
  try {
    return await handle();
  } catch (error) {
    const lost = (error as { error_detail?: string }).error_detail === LOST_RACE;
    const grantId = source.grantId ?? '';
    if (lost && deps.strictReplay) {
      const by = ctx.oidc.client?.clientId ?? 'system';
      const db = underRequest(deps.db, requestState(ctx).id);
      await endGrant(db, grantId, 'redemption.lost_race', by);
    }
    // Only whoever used the token up gets as far as this entity.
    if ('RotatedRefreshToken' in ctx.oidc.entities) {
      const presented = String(ctx.oidc.params?.refresh_token);
      await undoRotation(deps.db, presented, grantId).catch((failure) => {
        if (!isUnavailable(failure)) throw failure;
      });
    }
    throw error;
  }
}
