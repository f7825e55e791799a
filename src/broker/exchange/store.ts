/**
 * What a subject token hangs on, in one statement: whether it was recorded and nothing in its
 * lineage was stopped, and the grant it came from. And the single use of a hand-off token.
 */
import { lineageOf } from '../../protocol/index.js';
import type { Database } from '../db/database.js';
import { type AgreedEdge, agreedEdges } from '../delegation/terms.js';
import { ALIVE, aliveParams, type VerifiedToken } from '../tokens/access-tokens.js';

/** The grant and consent a token hangs on, live. */
export interface GrantStory {
  readonly agentId: string;
  readonly clientId: string;
  readonly helpers: number;
  readonly resource: string;
  readonly downstream: readonly AgreedEdge[];
  /** Seconds. */
  readonly expiresAt: number;
}

export interface SubjectState {
  readonly alive: boolean;
  /** Absent: it hangs on none, or on one that has ended. */
  readonly grant: GrantStory | undefined;
}

const READ_SUBJECT = `
with alive as (${ALIVE})
select (select alive from alive) as alive, live.*
from (select 1) as one
left join lateral (
  select g.agent_id, g.client_id, c.helpers, g.resource, c.terms, c.terms_hash,
    floor(extract(epoch from least(g.expires_at, c.expires_at)))::bigint as expires_at
  from grants g join consents c on c.id = g.consent_id
  where g.id = $6 and c.id = $7 and g.ended_at is null and c.ended_at is null
    and g.expires_at > clock_timestamp() and c.expires_at > clock_timestamp()
) as live on true`;

interface SubjectRow {
  readonly alive: boolean;
  readonly agent_id: string | null;
  readonly client_id: string;
  readonly helpers: number;
  readonly resource: string;
  readonly terms: Readonly<Record<string, unknown>>;
  readonly terms_hash: string;
  readonly expires_at: string | number;
}

export async function readSubject(db: Database, token: VerifiedToken): Promise<SubjectState> {
  const { grantId = '', consentId = '' } = lineageOf(token.claims.jti) ?? {};
  const [row] = await db.run<SubjectRow>(READ_SUBJECT, [...aliveParams(token), grantId, consentId]);
  const alive = row?.alive === true;
  if (row === undefined || row.agent_id === null) return { alive, grant: undefined };
  return {
    alive,
    grant: {
      agentId: row.agent_id,
      clientId: row.client_id,
      helpers: row.helpers,
      resource: row.resource,
      downstream: agreedEdges({ terms: row.terms, termsHash: row.terms_hash }),
      expiresAt: Number(row.expires_at),
    },
  };
}

/** Kept a little longer than the token lives, whichever clock is slow. */
const TAKE_UP = `
insert into artifacts (model, id, payload, expires_at)
values ('HandOff', $1, '{}', to_timestamp($2::bigint) + interval '5 minutes')
on conflict (model, id) do nothing returning 1`;

/** Uses a hand-off token up; false when somebody was first. */
export async function takeUp(db: Database, { claims }: VerifiedToken): Promise<boolean> {
  const rows = await db.run(TAKE_UP, [claims.jti, claims.exp]);
  return rows.length > 0;
}
