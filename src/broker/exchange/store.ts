/**
 * What a subject token hangs on, in one statement: whether it was recorded and nothing in its
 * lineage was stopped, and the grant it came from. And the single use of a hand-off token.
 */
import { actorChain, tokenIdPrefixes } from '../../protocol/index.js';
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

/** Who acted and through which client, of this token and those it was exchanged from: oldest first. */
const RECORDED_PATH = `
select jsonb_agg(jsonb_build_array(agent_id, client_id) order by length(jti))
from audit_events where type = 'token.issued'
  and jti in (select jsonb_array_elements_text($12::text::jsonb))`;

const READ_SUBJECT = `
with alive as (${ALIVE})
select (select alive from alive) as alive, live.*, (${RECORDED_PATH}) as path
from (select 1) as one
left join lateral (
  select g.agent_id, g.client_id, c.helpers, g.resource, c.terms, c.terms_hash,
    floor(extract(epoch from least(g.expires_at, c.expires_at)))::bigint as expires_at
  from grants g join consents c on c.id = g.consent_id
  where g.id = $10 and c.id = $11 and g.ended_at is null and c.ended_at is null
    and g.expires_at > clock_timestamp() and c.expires_at > clock_timestamp()
) as live on true`;

type RecordedPath = ReadonlyArray<readonly [agentId: string | null, clientId: string]>;

interface SubjectRow {
  readonly alive: boolean;
  readonly path: RecordedPath | null;
  readonly agent_id: string | null;
  readonly client_id: string;
  readonly helpers: number;
  readonly resource: string;
  readonly terms: Readonly<Record<string, unknown>>;
  readonly terms_hash: string;
  readonly expires_at: string | number;
}

/** The consent and grant a token id hangs on; none for an agent's or service's own token. */
export function lineageOf(jti: string): { consentId: string; grantId: string } | undefined {
  const [consentId = '', grantId = ''] = jti.split('.');
  if (!consentId.startsWith('cns_') || !grantId.startsWith('gnt_')) return undefined;
  return { consentId, grantId };
}

export async function readSubject(db: Database, token: VerifiedToken): Promise<SubjectState> {
  const { grantId = '', consentId = '' } = lineageOf(token.claims.jti) ?? {};
  const path = JSON.stringify(tokenIdPrefixes(token.claims.jti));
  const params = [...aliveParams(token), grantId, consentId, path];
  const [row] = await db.run<SubjectRow>(READ_SUBJECT, params);
  const alive = row?.alive === true && isAsRecorded(token, row.path ?? []);
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

/**
 * Whether the token tells the actors and clients before it as they were recorded (X12): what is made
 * of it would otherwise keep a chain that a stolen signing key made shorter, and outlive their stops.
 */
function isAsRecorded({ claims }: VerifiedToken, path: RecordedPath): boolean {
  const actors = path
    .map(([agentId]) => agentId)
    .filter((id, n, all) => id !== null && id !== claims.sub && id !== all[n - 1])
    .reverse();
  const clients = new Set(path.map(([, clientId]) => clientId));
  clients.delete(claims.client_id);
  const via = claims.via ?? [];
  const told = actorChain(claims.act).map(({ sub }) => sub);
  return (
    told.length === actors.length &&
    told.every((id, n) => id === actors[n]) &&
    via.length === clients.size &&
    via.every((id) => clients.has(id))
  );
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
