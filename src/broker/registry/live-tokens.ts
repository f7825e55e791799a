/**
 * What a narrower registry takes from tokens that are already out: they are found in the log of what
 * was issued, and stopped one by one, so that nobody else's stop with them. Under the gate's lock,
 * as every narrowing change is: no token in flight is missed.
 */
import { and, eq, gt, inArray, isNull, type SQL, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { auditEvents, users } from '../../../schema/index.js';
import { TOKEN_TTL_MAX_SECONDS } from '../limits.js';
import type { Change } from './change.js';

/** Which tokens; all that are named must fit. */
export interface LiveTokens {
  /** Who acts, or stands for itself. */
  readonly agentId?: string | undefined;
  readonly clientId?: string | undefined;
  /** Only those in which no agent acts. */
  readonly withoutAgent?: boolean | undefined;
  readonly sub?: string | undefined;
  /** A role of the user they are for. */
  readonly role?: string | undefined;
  readonly resource?: string | undefined;
  /** At least one of these. */
  readonly scopes?: readonly string[] | undefined;
  /** Who acted in the token they were exchanged from. */
  readonly takenFrom?: string | undefined;
}

/** More than this are stopped by what they hang on, together with their neighbours. */
const SINGLE_STOPS_MAX = 500;

export async function stopLive(change: Change, which: LiveTokens, reason: string): Promise<void> {
  if (which.scopes?.length === 0) return;
  const rows = await change.tx
    .select({ jti: auditEvents.jti })
    .from(auditEvents)
    .where(and(isAlive, ...conditions(which)));
  const tokens = rows.flatMap(({ jti }) => (jti === null ? [] : [jti]));
  if (tokens.length <= SINGLE_STOPS_MAX) {
    for (const key of tokens) change.stop({ key, always: true, reason });
    return;
  }
  // What each began with: a consent, or a credential (DESIGN §4). What is newer goes on.
  const roots = new Set(tokens.map((jti) => jti.slice(0, jti.indexOf('.'))));
  for (const key of roots) change.stop({ key, always: false, reason });
}

const isAlive = and(
  eq(auditEvents.type, 'token.issued'),
  gt(auditEvents.at, sql`clock_timestamp() - make_interval(secs => ${TOKEN_TTL_MAX_SECONDS})`),
  sql`(${auditEvents.detail} ->> 'exp')::bigint > extract(epoch from clock_timestamp())`,
);

function conditions(which: LiveTokens): (SQL | undefined)[] {
  const { agentId, clientId, sub, role, resource, scopes, takenFrom } = which;
  const holders = sql`(select ${users.id} from ${users} where ${role ?? ''} = any(${users.roles}))`;
  return [
    agentId === undefined ? undefined : eq(auditEvents.agentId, agentId),
    clientId === undefined ? undefined : eq(auditEvents.clientId, clientId),
    which.withoutAgent === true ? isNull(auditEvents.agentId) : undefined,
    sub === undefined ? undefined : eq(auditEvents.sub, sub),
    role === undefined ? undefined : inArray(auditEvents.sub, holders),
    resource === undefined ? undefined : eq(auditEvents.resource, resource),
    scopes === undefined ? undefined : holdsOne(scopes),
    takenFrom === undefined ? undefined : wasTakenFrom(takenFrom),
  ];
}

const holdsOne = (scopes: readonly string[]): SQL =>
  sql`string_to_array(${auditEvents.detail} ->> 'scope', ' ') && array[${sql.join(
    scopes.map((scope) => sql`${scope}`),
    sql`, `,
  )}]::text[]`;

function wasTakenFrom(agentId: string): SQL {
  const parent = alias(auditEvents, 'parent');
  return sql`exists (select 1 from ${auditEvents} as ${sql.identifier('parent')}
    where ${parent.type} = 'token.issued' and ${parent.agentId} = ${agentId}
      and ${parent.jti} = ${auditEvents.detail} ->> 'parent')`;
}
