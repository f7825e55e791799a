/**
 * The issue gate (DESIGN §5): recorded, or refused. No token leaves before the row that records it
 * is committed, and none is issued once anything in its lineage is stopped. Requests that arrive
 * together share one database call (group commit), so answers leave together too.
 */
import { storable } from '../audit/store.js';
import { type Database, isUnavailable } from '../db/database.js';

/** Something whose revocation stops the token. */
export interface LineageCheck {
  readonly key: string;
  /** Seconds; compared with facts that only stop what is older. Absent: the moment of issue. */
  readonly at?: number | undefined;
}

export interface WouldBeToken {
  /** The policy epoch the decision was made under. */
  readonly epoch: number;
  readonly checks: readonly LineageCheck[];
  readonly ttlSeconds: number;
  /** Seconds since the epoch: the token never outlives its grant or parent. */
  readonly expMax?: number | undefined;
  readonly jti: string;
  readonly by?: string | undefined;
  readonly sub: string;
  readonly agentId?: string | undefined;
  readonly clientId: string;
  readonly resource?: string | undefined;
  readonly grantId?: string | undefined;
  readonly requestId?: string | undefined;
  readonly detail: Readonly<Record<string, unknown>>;
}

export type GateOutcome =
  /** Seconds, on the database's clock. */
  | { readonly outcome: 'issued'; readonly iat: number; readonly exp: number }
  | { readonly outcome: 'refused'; readonly stoppedBy: string }
  /** The policy changed: decide again with fresh facts. Nothing was recorded. */
  | { readonly outcome: 'stale' };

export interface Gate {
  /** @throws the database's error when it could not answer: nothing was issued */
  issue(token: WouldBeToken): Promise<GateOutcome>;
}

/** A batch is one statement; the next gathers meanwhile. */
const BATCH_MAX = 256;

interface Waiting {
  readonly token: WouldBeToken;
  readonly resolve: (outcome: GateOutcome) => void;
  readonly reject: (error: unknown) => void;
}

interface OutcomeRow {
  readonly n: number;
  readonly outcome: 'issued' | 'refused' | 'stale';
  readonly stopped_by: string | null;
  readonly issued_at: string | number;
}

const toWire = (token: WouldBeToken, n: number): Record<string, unknown> => ({
  n,
  epoch: token.epoch,
  checks: token.checks,
  ttl_seconds: token.ttlSeconds,
  exp_max: token.expMax ?? null,
  jti: token.jti,
  by: token.by ?? null,
  sub: token.sub,
  agent_id: token.agentId ?? null,
  client_id: token.clientId,
  resource: token.resource ?? null,
  grant_id: token.grantId ?? null,
  request_id: token.requestId ?? null,
  // Words of other issuers (`asserted_sub`, `proved_sub`, `jti`) may hold what PostgreSQL cannot keep (P9).
  detail: storable(token.detail),
});

function fromWire(row: OutcomeRow, token: WouldBeToken): GateOutcome {
  if (row.outcome === 'stale') return { outcome: 'stale' };
  if (row.outcome === 'refused') return { outcome: 'refused', stoppedBy: row.stopped_by ?? '' };
  const iat = Number(row.issued_at);
  return {
    outcome: 'issued',
    iat,
    exp: Math.min(iat + token.ttlSeconds, token.expMax ?? Infinity),
  };
}

async function issueBatch(db: Database, batch: readonly Waiting[]): Promise<void> {
  const rows = await db.run<OutcomeRow>('select * from behalf_issue($1::text::jsonb)', [
    JSON.stringify(batch.map(({ token }, n) => toWire(token, n))),
  ]);
  const byNumber = new Map(rows.map((row) => [row.n, row]));
  batch.forEach(({ token, resolve, reject }, n) => {
    const row = byNumber.get(n);
    if (row === undefined) reject(new Error('the issue gate gave no answer for a token'));
    else resolve(fromWire(row, token));
  });
}

export function createGate(db: Database): Gate {
  const queue: Waiting[] = [];
  let running = false;

  /** One row may spoil a batch (an id issued twice): then each goes alone. */
  const settle = async (batch: readonly Waiting[]): Promise<void> => {
    try {
      await issueBatch(db, batch);
    } catch (error) {
      if (batch.length === 1 || isUnavailable(error)) {
        for (const { reject } of batch) reject(error);
        return;
      }
      for (const one of batch) await settle([one]);
    }
  };
  const run = async (): Promise<void> => {
    while (queue.length > 0) await settle(queue.splice(0, BATCH_MAX));
    running = false;
  };
  return {
    issue: (token) =>
      new Promise((resolve, reject) => {
        queue.push({ token, resolve, reject });
        if (running) return;
        running = true;
        setImmediate(run);
      }),
  };
}
