/**
 * The statements of the engine's storage. Whatever may happen only once is one conditional statement
 * whose row count says who won.
 */

export const FIND = `
select a.payload, a.consumed_at,
       extract(epoch from clock_timestamp() - a.consumed_at)::float8 * 1000 as used_ago_ms,
       (g.ended_at is not null or c.ended_at is not null) is true as ended
from artifacts a
left join grants g on g.id = a.grant_id
left join consents c on c.id = g.consent_id
where a.model = $1 and `;

/** Signed in is only whom a live row of `user_sessions` says so of (`sessions/store.ts`). */
export const FIND_SESSION = `
select a.payload, a.consumed_at, null::float8 as used_ago_ms,
       (a.payload ? 'accountId' and (s.id is null or s.ended_at is not null)) as ended
from artifacts a
left join user_sessions s on s.uid = a.uid
where a.model = $1 and `;

export const UPSERT = `
insert into artifacts (model, id, payload, grant_id, uid, expires_at)
values ($1, $2, $3::text::jsonb, $4, $5, clock_timestamp() + make_interval(secs => $6::float8))
on conflict (model, id) do update
set payload = excluded.payload, expires_at = excluded.expires_at`;

/** A session that is used was seen, to the minute; one that was ended is not written again. */
export const UPSERT_SESSION = `
with seen as (
  update user_sessions
  set last_seen_at = clock_timestamp(), expires_at = clock_timestamp() + make_interval(secs => $6::float8)
  where uid = $5 and ended_at is null and last_seen_at < clock_timestamp() - interval '1 minute'
)
insert into artifacts (model, id, payload, grant_id, uid, expires_at)
select $1, $2, $3::text::jsonb, $4, $5, clock_timestamp() + make_interval(secs => $6::float8)
where not exists (select from user_sessions where uid = $5 and ended_at is not null)
on conflict (model, id) do update
set payload = excluded.payload, expires_at = excluded.expires_at`;

/**
 * What came of an interaction; $4: the user's answer, of which there is one (I8), which the engine may
 * keep again. Never for one that was resumed meanwhile, which would begin again (I7).
 */
export const KEEP_RESULT = `
update artifacts set payload = $3::text::jsonb, grant_id = $4::text
where model = $1 and id = $2 and (grant_id is null or grant_id = $4::text) returning 1 as done`;

/** Once: a marker may be written again only when the first has expired. */
export const INSERT_ONCE = `${UPSERT} where artifacts.expires_at < clock_timestamp() returning 1 as done`;

/**
 * The tombstone of something used outlives the grant, so that a replay is recognised (L11). Using a
 * refresh token erases the answer that brought it (`delegation/kept-answer.ts`).
 */
export const CONSUME = `
with used as (
  update artifacts a set consumed_at = clock_timestamp(),
    expires_at = greatest(a.expires_at, coalesce((select g.expires_at from grants g where g.id = a.grant_id), a.expires_at))
  where model = $1 and id = $2 and consumed_at is null
  returning model, payload ->> 'predecessor' as predecessor
), erased as (
  update artifacts p set successor_sealed = null from used
  where p.model = used.model and p.id = used.predecessor and p.successor_sealed is not null
)
select 1 as done from used`;

export const DESTROY = 'delete from artifacts where model = $1 and id = $2 returning 1 as done';
