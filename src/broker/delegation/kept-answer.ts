/**
 * What is kept of a rotation. Refresh grace (DESIGN §6): the answer to a refresh is kept beside the token it used up,
 * sealed under a key that only whoever presents that token again can derive. Erased when the
 * successor is used (by the statement that uses it, `provider/artifact-sql.ts`), when it was given
 * often enough, and when its time is over.
 */

import { and, eq, gt, isNotNull, sql } from 'drizzle-orm';
import { artifacts } from '../../../schema/index.js';
import { artifactKey } from '../artifact-key.js';
import type { AuditEvent } from '../audit/store.js';
import { record } from '../audit/store.js';
import type { Database } from '../db/database.js';
import { createSecrets } from '../keys/secrets.js';

/** How often an answer is given again. */
const USES_MAX = 3;

export interface KeptAnswer {
  /** The body of the answer, as it was sent. */
  readonly body: Readonly<Record<string, unknown>>;
  /** When its access token runs out: milliseconds. */
  readonly expiresAtMs: number;
  /** The scope and resource that were asked for. */
  readonly asked: string;
  /** RFC 7638 thumbprint of the key that was proved, if one was. */
  readonly jkt?: string | undefined;
  /** RFC 8705 thumbprint of the certificate that was shown, if one was. */
  readonly certificate?: string | undefined;
}

const MODEL = 'RefreshToken';
const LABEL = 'refresh-answers';

/** The presented token is 256 random bits: as good a root as any, and nowhere else. */
const sealerOf = (presented: string) => createSecrets(presented);

export async function keepAnswer(
  db: Database,
  presented: string,
  answer: KeptAnswer,
): Promise<void> {
  await db.run(
    `update artifacts set successor_sealed = $3, successor_uses = 0
     where model = $1 and id = $2 and consumed_at is not null`,
    [MODEL, artifactKey(MODEL, presented), sealerOf(presented).seal(LABEL, JSON.stringify(answer))],
  );
}

/** What was answered to this token, if it was used up no longer ago than that. */
export async function readKeptAnswer(
  db: Database,
  presented: string,
  graceSeconds: number,
): Promise<KeptAnswer | undefined> {
  const [row] = await db.orm
    .select({ sealed: artifacts.successorSealed })
    .from(artifacts)
    .where(isKept(presented, graceSeconds));
  if (row?.sealed == null) return undefined;
  return JSON.parse(sealerOf(presented).open(LABEL, row.sealed)) as KeptAnswer;
}

/** Counts one more time that it is given, with its event; false when it may not be any more. */
export const countKeptAnswer = (
  db: Database,
  presented: string,
  graceSeconds: number,
  event: AuditEvent,
): Promise<boolean> =>
  db.transaction(async (tx) => {
    const uses = sql<number>`${artifacts.successorUses} + 1`;
    const [row] = await tx
      .update(artifacts)
      .set({
        successorUses: uses as unknown as number,
        successorSealed:
          sql`case when ${uses} < ${USES_MAX} then ${artifacts.successorSealed} end` as unknown as string,
      })
      .where(isKept(presented, graceSeconds))
      .returning({ uses: artifacts.successorUses });
    if (row === undefined) return false;
    await record(tx, { ...event, detail: { ...event.detail, time: row.uses } });
    return true;
  });

const isKept = (presented: string, graceSeconds: number) =>
  and(
    eq(artifacts.model, MODEL),
    eq(artifacts.id, artifactKey(MODEL, presented)),
    isNotNull(artifacts.successorSealed),
    gt(artifacts.consumedAt, sql`clock_timestamp() - make_interval(secs => ${graceSeconds})`),
  );

/** The successor, which nobody has seen, is gone, and the token is as it was. */
export async function undoRotation(db: Database, presented: string, grantId: string) {
  await db.run(
    `with gone as (
       delete from artifacts where model = $1 and grant_id = $3 and payload ->> 'predecessor' = $2
     )
     update artifacts set consumed_at = null where model = $1 and id = $2`,
    [MODEL, artifactKey(MODEL, presented), grantId],
  );
}

/** Erases what nobody may be given any more, a bounded number at a time. */
export async function eraseKeptAnswers(
  db: Database,
  graceSeconds: number,
  limit: number,
): Promise<number> {
  const rows = await db.run(
    `update artifacts set successor_sealed = null where (model, id) in (
       select model, id from artifacts where successor_sealed is not null
       and consumed_at <= clock_timestamp() - make_interval(secs => $1::float8)
       order by consumed_at limit $2 for update skip locked) returning 1`,
    [graceSeconds, limit],
  );
  return rows.length;
}
