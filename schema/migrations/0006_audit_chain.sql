CREATE TABLE "audit_chains" (
	"id" serial PRIMARY KEY NOT NULL,
	"seq" bigint DEFAULT 0 NOT NULL,
	"head" text DEFAULT '' NOT NULL
);
--> statement-breakpoint
CREATE TABLE "audit_checkpoints" (
	"n" bigint PRIMARY KEY NOT NULL,
	"at" timestamp (3) with time zone DEFAULT clock_timestamp() NOT NULL,
	"jws" text NOT NULL
);
--> statement-breakpoint
ALTER TABLE "audit_events" ADD COLUMN "chain" integer;--> statement-breakpoint
ALTER TABLE "audit_events" ADD COLUMN "seq" bigint;--> statement-breakpoint
ALTER TABLE "audit_events" ADD COLUMN "hash" text;--> statement-breakpoint
-- Everything an event says, as it is hashed. src/broker/audit/chain.ts writes out the same.
CREATE FUNCTION behalf_content(
  id bigint, at timestamptz, type text, by text, jti text, sub text, agent_id text, client_id text,
  resource text, grant_id text, request_id text, detail jsonb) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
  SELECT json_build_array(id, floor(extract(epoch FROM at) * 1000)::bigint, type, by, jti, sub, agent_id,
    client_id, resource, grant_id, request_id, detail)::text
$$;
--> statement-breakpoint
-- The next link: what was written together is hashed together, after the link before.
CREATE FUNCTION behalf_link(previous text, contents text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT encode(sha256(convert_to(previous || contents, 'UTF8')), 'hex') $$;
--> statement-breakpoint
-- A chain that no other transaction holds, or a new one: nobody waits for another writer. It stays
-- this transaction's until that ends.
CREATE FUNCTION behalf_take_chain(OUT mine integer, OUT seq bigint, OUT head text)
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  mine := nullif(current_setting('behalf.audit_chain', true), '')::integer;
  IF mine IS NOT NULL THEN
    SELECT c.seq, c.head INTO seq, head FROM audit_chains c WHERE c.id = mine;
    RETURN;
  END IF;
  SELECT c.id, c.seq, c.head INTO mine, seq, head
  FROM audit_chains c ORDER BY c.id LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF mine IS NULL THEN
    INSERT INTO audit_chains AS c DEFAULT VALUES RETURNING c.id, c.seq, c.head INTO mine, seq, head;
  END IF;
  PERFORM set_config('behalf.audit_chain', mine::text, true);
END
$$;
--> statement-breakpoint
-- Appends events, in their order, as one link.
CREATE FUNCTION behalf_record(events jsonb) RETURNS void
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  now_at timestamptz := date_trunc('milliseconds', clock_timestamp());
  chain record;
BEGIN
  SELECT * INTO chain FROM behalf_take_chain();
  WITH e AS MATERIALIZED (
    SELECT nextval('audit_events_id_seq') AS id, r.*, a.place, coalesce(r.detail, '{}') AS told
    FROM jsonb_array_elements(events) WITH ORDINALITY AS a(event, place)
    CROSS JOIN LATERAL jsonb_to_record(a.event) AS r(
      type text, by text, jti text, sub text, agent_id text, client_id text, resource text,
      grant_id text, request_id text, detail jsonb)
  ), link AS (
    SELECT count(*) AS total, behalf_link(chain.head, string_agg(
      behalf_content(e.id, now_at, e.type, e.by, e.jti, e.sub, e.agent_id, e.client_id, e.resource,
        e.grant_id, e.request_id, e.told), '' ORDER BY e.place)) AS hash
    FROM e
  ), recorded AS (
    INSERT INTO audit_events
      (id, at, type, by, jti, sub, agent_id, client_id, resource, grant_id, request_id, detail,
       chain, seq, hash)
    SELECT e.id, now_at, e.type, e.by, e.jti, e.sub, e.agent_id, e.client_id, e.resource, e.grant_id,
      e.request_id, e.told, chain.mine, chain.seq + e.place,
      CASE e.place WHEN link.total THEN link.hash END
    FROM e, link ORDER BY e.place
  )
  UPDATE audit_chains c SET seq = c.seq + link.total, head = link.hash
  FROM link WHERE c.id = chain.mine AND link.total > 0;
END
$$;
--> statement-breakpoint
-- What was recorded before there were chains is the first link of the first one.
INSERT INTO audit_chains (seq, head)
SELECT count(*), coalesce(behalf_link('', string_agg(behalf_content(id, at, type, by, jti, sub, agent_id,
  client_id, resource, grant_id, request_id, detail), '' ORDER BY id)), '') FROM audit_events;
--> statement-breakpoint
UPDATE audit_events e SET chain = c.id, seq = n.place, hash = CASE n.place WHEN c.seq THEN c.head END
FROM audit_chains c, (SELECT id, row_number() OVER (ORDER BY id) AS place FROM audit_events) n
WHERE n.id = e.id;
--> statement-breakpoint
ALTER TABLE "audit_events" ALTER COLUMN "chain" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "audit_events" ALTER COLUMN "seq" SET NOT NULL;--> statement-breakpoint
CREATE UNIQUE INDEX "audit_chain_seq" ON "audit_events" USING btree ("chain","seq");
--> statement-breakpoint
-- The issue gate, as in 0001; what a batch records is one link.
CREATE OR REPLACE FUNCTION behalf_issue(batch jsonb)
RETURNS TABLE (n integer, outcome text, stopped_by text, epoch bigint, issued_at bigint)
LANGUAGE plpgsql VOLATILE AS $$
#variable_conflict use_column
DECLARE
  now_at timestamptz;
  now_seconds bigint;
  current_epoch bigint;
  taken record;
BEGIN
  PERFORM pg_advisory_xact_lock_shared(1650812769, hashtext(current_schema()));
  SELECT * INTO taken FROM behalf_take_chain();
  now_at := date_trunc('milliseconds', clock_timestamp());
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
  ), decided AS MATERIALIZED (
    SELECT w.*, nextval('audit_events_id_seq') AS id, s.key AS stopped_by, d.outcome,
      CASE d.outcome WHEN 'issued' THEN 'token.issued' ELSE 'token.refused' END AS type,
      w.detail || CASE d.outcome
        WHEN 'issued' THEN jsonb_build_object('iat', now_seconds, 'exp',
          least(now_seconds + w.ttl_seconds, coalesce(w.exp_max, now_seconds + w.ttl_seconds)))
        ELSE jsonb_build_object('rule', 'stopped', 'stopped_by', s.key) END AS told,
      row_number() OVER (PARTITION BY d.outcome = 'stale' ORDER BY w.n) AS place
    FROM would w LEFT JOIN stopped s ON s.n = w.n
    CROSS JOIN LATERAL (SELECT CASE WHEN w.epoch <> current_epoch THEN 'stale'
      WHEN s.key IS NOT NULL THEN 'refused' ELSE 'issued' END AS outcome) d
  ), link AS (
    SELECT count(*) AS total, behalf_link(taken.head, string_agg(
      behalf_content(e.id, now_at, e.type, e.by, e.jti, e.sub, e.agent_id, e.client_id, e.resource,
        e.grant_id, e.request_id, e.told), '' ORDER BY e.place)) AS hash
    FROM decided e WHERE e.outcome <> 'stale'
  ), recorded AS (
    INSERT INTO audit_events
      (id, at, type, by, jti, sub, agent_id, client_id, resource, grant_id, request_id, detail,
       chain, seq, hash)
    SELECT e.id, now_at, e.type, e.by, e.jti, e.sub, e.agent_id, e.client_id, e.resource, e.grant_id,
      e.request_id, e.told, taken.mine, taken.seq + e.place,
      CASE e.place WHEN link.total THEN link.hash END
    FROM decided e, link WHERE e.outcome <> 'stale' ORDER BY e.place
  ), moved AS (
    UPDATE audit_chains c SET seq = c.seq + link.total, head = link.hash
    FROM link WHERE c.id = taken.mine AND link.total > 0
  )
  SELECT e.n, e.outcome, e.stopped_by, current_epoch, now_seconds FROM decided e;
END
$$;
