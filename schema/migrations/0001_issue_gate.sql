-- The policy epoch starts at 1.
INSERT INTO "policy_epoch" ("id", "epoch") VALUES (1, 1);
--> statement-breakpoint
-- The issue gate: recorded, or refused. Takes a batch of would-be tokens under a shared advisory
-- lock (every stop takes it exclusively), looks for facts about any of their keys on a snapshot
-- taken after the lock, and records one event for each. A token decided under an older policy epoch
-- is neither issued nor recorded: its decision has to be made again.
-- 1650812769 = GATE_LOCK in src/broker/limits.ts.
CREATE FUNCTION behalf_issue(batch jsonb)
RETURNS TABLE (n integer, outcome text, stopped_by text, epoch bigint, issued_at bigint)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  now_at timestamptz;
  now_seconds bigint;
  current_epoch bigint;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(1650812769, hashtext(current_schema()));
  now_at := clock_timestamp();
  now_seconds := floor(extract(epoch FROM now_at));
  SELECT e.epoch INTO current_epoch FROM policy_epoch e WHERE e.id = 1;
  RETURN QUERY
  WITH would AS (
    SELECT * FROM jsonb_to_recordset(batch) AS w(
      n integer, epoch bigint, checks jsonb, ttl_seconds bigint, exp_max bigint, jti text, by text,
      sub text, agent_id text, client_id text, resource text, grant_id text, request_id text,
      detail jsonb)
  ), stopped AS (
    SELECT DISTINCT ON (w.n) w.n, f.key
    FROM would w
    CROSS JOIN LATERAL jsonb_to_recordset(w.checks) AS c(key text, at bigint)
    JOIN revocations f ON f.key = c.key
      AND (f.always OR floor(extract(epoch FROM f.revoked_at)) >= coalesce(c.at, now_seconds))
    ORDER BY w.n, f.id
  ), decided AS (
    SELECT w.*, s.key AS stopped_by,
      CASE WHEN w.epoch <> current_epoch THEN 'stale'
           WHEN s.key IS NOT NULL THEN 'refused'
           ELSE 'issued' END AS outcome,
      least(now_seconds + w.ttl_seconds, coalesce(w.exp_max, now_seconds + w.ttl_seconds)) AS exp
    FROM would w LEFT JOIN stopped s ON s.n = w.n
  ), recorded AS (
    INSERT INTO audit_events
      (at, type, by, jti, sub, agent_id, client_id, resource, grant_id, request_id, detail)
    SELECT now_at,
      CASE d.outcome WHEN 'issued' THEN 'token.issued' ELSE 'token.refused' END,
      d.by, d.jti, d.sub, d.agent_id, d.client_id, d.resource, d.grant_id, d.request_id,
      d.detail || CASE d.outcome
        WHEN 'issued' THEN jsonb_build_object('iat', now_seconds, 'exp', d.exp)
        ELSE jsonb_build_object('rule', 'stopped', 'stopped_by', d.stopped_by) END
    FROM decided d WHERE d.outcome <> 'stale'
  )
  SELECT d.n, d.outcome, d.stopped_by, current_epoch, now_seconds FROM decided d;
END
$$;
