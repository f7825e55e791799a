/** Reads the whole audit, a page at a time, and checks its chains and checkpoints (M9). I/O only. */
import type { Database } from '../db/database.js';
import type { VerificationKey } from '../keys/store.js';
import { createChainCheck, type Finding, type StoredEvent } from './chain.js';
import { checkCheckpoints, readHeads } from './checkpoints.js';

export interface AuditReport {
  readonly events: number;
  readonly chains: number;
  readonly checkpoints: number;
  /** Empty: nothing was changed, removed, reordered or cut off. */
  readonly findings: readonly Finding[];
}

const PAGE_ROWS = 2000;

const EVENTS = `
select id, chain, seq, hash, floor(extract(epoch from at) * 1000)::bigint as at_ms, type, by, jti, sub,
  agent_id, client_id, resource, grant_id, request_id, detail::text as detail
from audit_events where (chain, seq) > ($1, $2) and seq <= coalesce(($3::text::jsonb ->> chain::text)::bigint, seq)
order by chain, seq limit ${PAGE_ROWS}`;

interface EventRow {
  readonly id: string | number;
  readonly chain: number;
  readonly seq: string | number;
  readonly hash: string | null;
  readonly at_ms: string | number;
  readonly detail: string;
  readonly [member: string]: string | number | null;
}

const MEMBERS = [
  'type',
  'by',
  'jti',
  'sub',
  'agent_id',
  'client_id',
  'resource',
  'grant_id',
  'request_id',
] as const;

const eventOf = (row: EventRow): StoredEvent => ({
  id: Number(row.id),
  chain: row.chain,
  seq: Number(row.seq),
  hash: row.hash,
  atMs: Number(row.at_ms),
  members: MEMBERS.map((member) => row[member] as string | null),
  detail: row.detail,
});

/**
 * @param kept checkpoints that were kept outside the database
 * @returns what was found, while the broker goes on recording: what comes after the start is left out
 */
export async function verifyAudit(
  db: Database,
  by: {
    readonly issuer: string;
    readonly keys: readonly VerificationKey[];
    readonly kept?: readonly string[];
  },
): Promise<AuditReport> {
  const stored = await db.run<{ n: string | number; jws: string }>(
    'select n, jws from audit_checkpoints order by n',
  );
  const checkpoints = await checkCheckpoints(
    stored.map(({ n, jws }) => ({ n: Number(n), jws })),
    by.kept ?? [],
    by,
  );
  const check = createChainCheck(checkpoints.pins);
  let events = 0;
  let at: readonly [number, number] = [0, 0];
  // Heads first: whatever is recorded meanwhile lies beyond them.
  const heads = await readHeads(db);
  const limits = JSON.stringify(Object.fromEntries(heads.map(({ chain, seq }) => [chain, seq])));
  const beyond = await unlinked(db);
  for (;;) {
    const rows = await db.run<EventRow>(EVENTS, [...at, limits]);
    for (const row of rows) check.add(eventOf(row));
    events += rows.length;
    const last = rows.at(-1);
    if (last === undefined || rows.length < PAGE_ROWS) break;
    at = [last.chain, Number(last.seq)];
  }
  return {
    events,
    chains: heads.length,
    checkpoints: checkpoints.count,
    findings: [...checkpoints.findings, ...check.finish(heads), ...beyond],
  };
}

/** Events beyond their chain's head, in one snapshot: the broker moves both in one transaction. */
const UNLINKED = `
select e.chain, min(e.seq) as first, max(e.seq) as last from audit_events e
left join audit_chains c on c.id = e.chain
where c.id is null or e.seq > c.seq group by e.chain`;

async function unlinked(db: Database): Promise<Finding[]> {
  const rows = await db.run<{ chain: number; first: string; last: string }>(UNLINKED);
  return rows.map(({ chain, first, last }) => ({
    kind: 'added',
    chain,
    from: Number(first),
    to: Number(last),
    says: 'no link of the broker holds these',
  }));
}
