-- Whether a decision made under an epoch may be written now. Takes the gate's lock as issuing does: a
-- change that narrows closes the gate before it says since when, so what this allows is older than that;
-- and a volatile function looks again after it has waited, which the statement around it does not.
CREATE FUNCTION behalf_stands(decided_at bigint) RETURNS boolean
LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM pg_advisory_xact_lock_shared(1650812769, hashtext(current_schema()));
  RETURN EXISTS (SELECT 1 FROM policy_epoch e WHERE e.id = 1 AND e.epoch = decided_at);
END
$$;
