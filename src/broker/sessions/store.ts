/**
 * Browser sessions as their user knows them: one row a sign-in, beside the session the engine
 * keeps. The row rules: a session without a live row is nobody's (`provider/adapter.ts` reads both
 * in one statement), so ending the row signs out, whatever a request in flight writes afterwards.
 * Owns `user_sessions`; knows no password and no cookie.
 */
import { and, eq, isNull, sql } from 'drizzle-orm';
import { userSessions } from '../../../schema/index.js';
import { record } from '../audit/store.js';
import type { Database, Executor } from '../db/database.js';
import { newId } from '../ids.js';

export type SessionRow = typeof userSessions.$inferSelect;

/** Where somebody signs in from, as they will recognise it. */
export interface Place {
  readonly userAgent: string | undefined;
  readonly address: string;
}

/** Why a session is over; `sign_out` and `everywhere` are the user's own doing. */
export type SessionEnd = 'sign_out' | 'ended_by_user' | 'everywhere' | 'replaced' | 'password';

const USER_AGENT_CHARS_MAX = 400;

/**
 * $1 id, $2 key, $3 user, $4 browser, $5 address, $6 life, $7 detail of the event, $8 request, $9 what was
 * proved, $10 the client it is for. A change of the user that is under way is waited for, and what it leaves is looked at.
 */
const OPEN = `
with proved as (
  select id from users where id = $3 and status = 'active' and password_hash = $9 for share
), opened as (
  insert into user_sessions (id, uid, user_id, user_agent, address, expires_at)
  select $1, $2, id, $4, $5, clock_timestamp() + make_interval(secs => $6::float8) from proved
  returning user_id
)
select behalf_record(jsonb_build_array(jsonb_build_object('type', 'sign_in.succeeded',
  'by', user_id, 'sub', user_id, 'request_id', $8::text, 'client_id', $10::text, 'detail', $7::text::jsonb))) from opened`;

/**
 * Notes that somebody proved who they are, and its event with it. Without a key the browser's
 * session does not exist yet: until `joinSession` the row stands for the proof alone, and goes by
 * its own id. Undefined when what was proved is not the password any more, or nobody's who may sign in
 * (M2): checking one takes long enough for that.
 */
export async function openSession(
  db: Database,
  sign: {
    readonly userId: string;
    /** The hash of the password that was proved. */
    readonly passwordHash: string | null;
    readonly place: Place;
    readonly lifeSeconds: number;
    readonly key?: string | undefined;
    readonly requestId?: string | undefined;
    readonly clientId?: string | undefined;
  },
): Promise<string | undefined> {
  const id = newId('ses');
  const {
    userId,
    passwordHash,
    place,
    lifeSeconds,
    key = id,
    requestId = null,
    clientId = null,
  } = sign;
  const userAgent = place.userAgent?.slice(0, USER_AGENT_CHARS_MAX) ?? null;
  const address = place.address === '' ? null : place.address;
  const detail = JSON.stringify({ session: id });
  const proof = [id, key, userId, userAgent, address, lifeSeconds, detail, requestId, passwordHash];
  const rows = await db.run(OPEN, [...proof, clientId]);
  return rows.length > 0 ? id : undefined;
}

/** $1 the proof, $2 the session's key, $3 its life: once, and again for the same session. */
const JOIN = `
with proof as (
  select id from user_sessions
  where id = $1 and uid in ($1, $2) and ended_at is null and expires_at > clock_timestamp()
), former as (
  update user_sessions s set uid = s.id || '.replaced', ended_at = clock_timestamp(), ended_reason = 'replaced'
  from proof where s.uid = $2 and s.id <> proof.id returning 1
)
update user_sessions s
set uid = $2, last_seen_at = clock_timestamp(),
    expires_at = clock_timestamp() + make_interval(secs => $3::float8)
from proof where s.id = proof.id and (select count(*) from former) >= 0
returning s.id`;

/**
 * The proof becomes a session of this browser; whoever was signed in under the same key no longer
 * is. False when the proof was ended meanwhile: then nobody is signed in.
 */
export async function joinSession(
  db: Database,
  id: string,
  key: string,
  lifeSeconds: number,
): Promise<boolean> {
  const rows = await db.run(JOIN, [id, key, lifeSeconds]);
  return rows.length > 0;
}

/** Whether a proof, or the session it became, still holds. */
export async function sessionStands(db: Database, id: string): Promise<boolean> {
  const rows = await db.run(
    `select 1 from user_sessions
     where id = $1 and ended_at is null and expires_at > clock_timestamp()`,
    [id],
  );
  return rows.length > 0;
}

/** To the minute, at the latest. */
const SEE = `
with seen as (
  update user_sessions set last_seen_at = clock_timestamp()
  where uid = $1 and ended_at is null and last_seen_at < clock_timestamp() - interval '1 minute'
  returning 1
)
select id from user_sessions where uid = $1 and ended_at is null and (select count(*) from seen) >= 0`;

/** The id of a live session that was just used. */
export async function seeSession(db: Database, key: string): Promise<string | undefined> {
  const [row] = await db.run<{ id: string }>(SEE, [key]);
  return row?.id;
}

const LIVE = `
select s.id, s.user_agent, s.address, s.signed_in_at, s.last_seen_at
from user_sessions s join users u on u.id = s.user_id
where s.user_id = $1 and s.uid <> s.id and s.ended_at is null
  and s.expires_at > clock_timestamp()
  and date_trunc('second', s.signed_in_at) > date_trunc('second', u.not_before)
order by s.last_seen_at desc, s.id limit ${200}`;

export interface LiveSession {
  readonly id: string;
  readonly userAgent: string | null;
  readonly address: string | null;
  readonly signedInAt: Date;
  readonly lastSeenAt: Date;
}

/** Where a user is signed in, the latest first. What a new password ended is not among them. */
export async function listLiveSessions(db: Database, userId: string): Promise<LiveSession[]> {
  const rows = await db.run<{
    id: string;
    user_agent: string | null;
    address: string | null;
    signed_in_at: Date;
    last_seen_at: Date;
  }>(LIVE, [userId]);
  return rows.map((row) => ({
    id: row.id,
    userAgent: row.user_agent,
    address: row.address,
    signedInAt: new Date(row.signed_in_at),
    lastSeenAt: new Date(row.last_seen_at),
  }));
}

/** Which of a user's sessions to end. */
export interface Ending {
  readonly userId: string;
  readonly reason: SessionEnd;
  /** One session, by its id; absent: all of them, proofs not yet joined included. */
  readonly id?: string;
  /** All but this one. */
  readonly except?: string;
}

/** Ends sessions on the caller's transaction, with their events; how many browsers that was. */
export async function endSessions(tx: Executor, ending: Ending): Promise<number> {
  const { userId, reason, id, except } = ending;
  const ended = await tx
    .update(userSessions)
    .set({ endedAt: sql`clock_timestamp()` as unknown as Date, endedReason: reason })
    .where(
      and(
        eq(userSessions.userId, userId),
        isNull(userSessions.endedAt),
        id === undefined ? undefined : eq(userSessions.id, id),
        except === undefined ? undefined : sql`${userSessions.id} <> ${except}`,
      ),
    )
    .returning({ id: userSessions.id, uid: userSessions.uid });
  if (ended.length === 0) return 0;
  const keys = ended.map(({ uid }) => uid);
  await tx.execute(
    sql`delete from artifacts where model = 'Session' and uid in (${sql.join(
      keys.map((key) => sql`${key}`),
      sql`, `,
    )})`,
  );
  await record(
    tx,
    ...ended.map((session) => ({
      type: 'session.ended' as const,
      by: userId,
      sub: userId,
      detail: { session: session.id, reason },
    })),
  );
  return ended.filter((session) => session.uid !== session.id).length;
}

/** Ends the session of one browser, which says so itself. */
export async function endSessionByKey(
  db: Database,
  key: string,
  reason: SessionEnd,
): Promise<void> {
  await db.transaction(async (tx) => {
    const [row] = await tx
      .select({ id: userSessions.id, userId: userSessions.userId })
      .from(userSessions)
      .where(and(eq(userSessions.uid, key), isNull(userSessions.endedAt)));
    if (row !== undefined) await endSessions(tx, { ...row, reason });
  });
}

/** Longer than a session may be used after it was last written: see UPSERT in the adapter. */
const SWEEP_MARGIN = "interval '1 hour'";

/** For the sweeper: sessions that have run out; how many went. */
export async function forgetSessions(db: Database, rowsMax: number): Promise<number> {
  const rows = await db.run(
    `delete from user_sessions where id in (
       select id from user_sessions where expires_at < clock_timestamp() - ${SWEEP_MARGIN}
       limit $1::int) returning id`,
    [rowsMax],
  );
  return rows.length;
}
