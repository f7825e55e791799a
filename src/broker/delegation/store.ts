/**
 * Consents and grants as every stateful step reads them: what a user decided, and each authorization
 * that hangs on it. Ends are durable columns; `approve.ts` writes, `ends.ts` stops.
 */
import { and, eq, gt, isNull, sql } from 'drizzle-orm';
import { consents, grants } from '../../../schema/index.js';
import type { ActorProof } from '../../protocol/index.js';
import type { Executor } from '../db/database.js';

export type ConsentRow = typeof consents.$inferSelect;
export type GrantRow = typeof grants.$inferSelect;

/** Who and where; an empty agent or resource means none. */
export interface ConsentSubject {
  readonly userId: string;
  readonly clientId: string;
  readonly agentId: string;
  readonly resource: string;
}

export async function findLiveConsent(
  db: Executor,
  subject: ConsentSubject,
): Promise<ConsentRow | undefined> {
  const [row] = await db
    .select()
    .from(consents)
    .where(
      and(
        eq(consents.userId, subject.userId),
        eq(consents.clientId, subject.clientId),
        eq(consents.agentId, subject.agentId),
        eq(consents.resource, subject.resource),
        isNull(consents.endedAt),
      ),
    );
  return row;
}

/** In which request, and in which browser, somebody decided. */
export interface Origin {
  readonly requestId: string;
  /** `user_sessions.id`, or its `uid` where only the engine's session is known; empty: unknown. */
  readonly session: string;
}

/** A grant as far as an authorization needs it. */
export type NewGrant = Pick<
  GrantRow,
  'id' | 'consentId' | 'userId' | 'clientId' | 'agentId' | 'resource' | 'scopes' | 'expiresAt'
>;

/** A grant, and what its user agreed to. */
export interface LiveGrant extends GrantRow {
  readonly agreed: Pick<ConsentRow, 'terms' | 'termsHash'>;
}

/**
 * Undefined when the grant, or the consent it hangs on, has ended or run out. A grant lasts no longer
 * than its consent: for how long is the user's latest word.
 */
export async function findLiveGrant(db: Executor, id: string): Promise<LiveGrant | undefined> {
  const [row] = await db
    .select({
      grant: grants,
      consentExpiresAt: consents.expiresAt,
      terms: consents.terms,
      termsHash: consents.termsHash,
    })
    .from(grants)
    .innerJoin(consents, eq(consents.id, grants.consentId))
    .where(
      and(
        eq(grants.id, id),
        isNull(grants.endedAt),
        isNull(consents.endedAt),
        gt(grants.expiresAt, sql`clock_timestamp()`),
        gt(consents.expiresAt, sql`clock_timestamp()`),
      ),
    );
  if (row === undefined) return undefined;
  const { grant, consentExpiresAt, ...agreed } = row;
  const endsAtMs = Math.min(grant.expiresAt.getTime(), consentExpiresAt.getTime());
  return { ...grant, expiresAt: new Date(endsAtMs), agreed };
}

/** The kind of proof a grant stands on from now on, and no credential of the agent's behind it. */
export async function rememberActorProof(
  db: Executor,
  id: string,
  actorProof: ActorProof,
): Promise<void> {
  await db.update(grants).set({ actorProof, actorCredentialId: null }).where(eq(grants.id, id));
}
