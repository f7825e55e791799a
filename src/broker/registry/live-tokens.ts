/**
 * What a narrower registry takes from tokens that are already out: they are found in the log of what
 * was issued, and stopped one by one, so that nobody else's stop with them. They are looked for when
 * the gate is closed: no token in flight is missed.
 */
import { and, eq, gt, inArray, isNull, notInArray, notLike, type SQL, sql } from 'drizzle-orm';
import { alias } from 'drizzle-orm/pg-core';
import { auditEvents, users } from '../../../schema/index.js';
import { TOKEN_TTL_MAX_SECONDS } from '../limits.js';
import type { Change } from './change.js';

/** Which tokens; all that are named must fit. */
export interface LiveTokens {
  /** Who acts, or stands for itself. */
  readonly agentId?: string | undefined;
  readonly clientId?: string | undefined;
  /** Any client but these. */
  readonly clientsBut?: readonly string[] | undefined;
  /** Only those in which no agent acts. */
  readonly withoutAgent?: boolean | undefined;
  /** Only those that begin with an agent or a service. */
  readonly withoutUser?: boolean | undefined;
  readonly sub?: string | undefined;
  /** A role of the user they are for. */
  readonly role?: string | undefined;
  readonly resource?: string | undefined;
  /** At least one of these. */
  readonly scopes?: readonly string[] | undefined;
  /** Who acted in the token they were exchanged from. */
  readonly takenFrom?: string | undefined;
  /** The resource whose token they were exchanged from. */
  readonly goneOnFrom?: string | undefined;
  /** The other issuer whose assertion obtained them. */
  readonly assertedBy?: string | undefined;
  /** Only those that were exchanged from others. */
  readonly exchanged?: boolean | undefined;
  /** Only those whose `cnf` lacks this member (RFC 7800). */
  readonly notBoundBy?: 'jkt' | 'x5t#S256' | undefined;
}

/** More than this are stopped by what they hang on, together with their neighbours. */
const SINGLE_STOPS_MAX = 500;

export function stopLive(change: Change, which: LiveTokens, reason: string): void {
  if (which.scopes?.length === 0) return;
  change.whenClosed(async () => {
    const rows = await change.tx
      .select({ jti: auditEvents.jti })
      .from(auditEvents)
      .where(and(isAlive, ...conditions(which)));
    const tokens = rows.flatMap(({ jti }) => (jti === null ? [] : [jti]));
    const isFew = tokens.length <= SINGLE_STOPS_MAX;
    // What each began with: a consent, or a credential (DESIGN §4). What is newer goes on.
    const roots = new Set(tokens.map((jti) => jti.slice(0, jti.indexOf('.'))));
    const keys = isFew ? tokens : [...roots];
    const ends = { kind: isFew ? 'tokens' : 'roots', ids: keys } as const;
    for (const [n, key] of keys.entries()) {
      change.stop({ key, always: isFew, reason, ...(n === 0 ? { ends } : {}) });
    }
  });
}

/** Whoever may exchange no more: what it got so stops, and what others made of that. */
export function stopExchanged(
  change: Change,
  before: { readonly id: string; readonly mayExchange: boolean },
  after: { readonly mayExchange: boolean },
): void {
  const { id: clientId } = before;
  if (!before.mayExchange || after.mayExchange) return;
  stopLive(change, { clientId, exchanged: true }, `${clientId} may exchange no more`);
}

const isAlive = and(
  eq(auditEvents.type, 'token.issued'),
  gt(auditEvents.at, sql`clock_timestamp() - make_interval(secs => ${TOKEN_TTL_MAX_SECONDS})`),
  sql`(${auditEvents.detail} ->> 'exp')::bigint > extract(epoch from clock_timestamp())`,
);

function conditions(which: LiveTokens): (SQL | undefined)[] {
  const { agentId, clientId, clientsBut, sub, role, resource, scopes } = which;
  const { takenFrom, goneOnFrom, notBoundBy, assertedBy } = which;
  const parent = alias(auditEvents, 'parent');
  const holders = sql`(select ${users.id} from ${users} where ${role ?? ''} = any(${users.roles}))`;
  return [
    agentId === undefined ? undefined : eq(auditEvents.agentId, agentId),
    clientId === undefined ? undefined : eq(auditEvents.clientId, clientId),
    clientsBut === undefined ? undefined : notInArray(auditEvents.clientId, [...clientsBut]),
    which.withoutUser === true ? notLike(auditEvents.sub, 'usr\\_%') : undefined,
    which.withoutAgent === true ? isNull(auditEvents.agentId) : undefined,
    which.exchanged === true ? sql`${auditEvents.detail} ->> 'exchange' is not null` : undefined,
    notBoundBy === undefined
      ? undefined
      : sql`${auditEvents.detail} -> 'cnf' ->> ${notBoundBy} is null`,
    assertedBy === undefined
      ? undefined
      : sql`${auditEvents.detail} ->> 'asserted_by' = ${assertedBy}`,
    sub === undefined ? undefined : eq(auditEvents.sub, sub),
    role === undefined ? undefined : inArray(auditEvents.sub, holders),
    resource === undefined ? undefined : eq(auditEvents.resource, resource),
    scopes === undefined ? undefined : holdsOne(scopes),
    takenFrom === undefined ? undefined : hasParent(eq(parent.agentId, takenFrom)),
    goneOnFrom === undefined ? undefined : hasParent(eq(parent.resource, goneOnFrom)),
  ];
}

const holdsOne = (scopes: readonly string[]): SQL =>
  sql`string_to_array(${auditEvents.detail} ->> 'scope', ' ') && array[${sql.join(
    scopes.map((scope) => sql`${scope}`),
    sql`, `,
  )}]::text[]`;

function hasParent(condition: SQL): SQL {
  const parent = alias(auditEvents, 'parent');
  return sql`exists (select 1 from ${auditEvents} as ${sql.identifier('parent')}
    where ${parent.type} = 'token.issued' and ${condition}
      and ${parent.jti} = ${auditEvents.detail} ->> 'parent')`;
}
