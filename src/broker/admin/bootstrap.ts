/**
 * The bootstrap bearer: the operator's own way in, before there is an administrator, and again when
 * none is left. It is good exactly while no principal that holds `admin:security` could use it: an
 * active agent or service with a credential of the kind it proves itself by, or an active user with
 * a password and an app to sign in at.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { agents, clients, credentials, permissions, users } from '../../../schema/index.js';
import { record } from '../audit/store.js';
import type { Database, Executor } from '../db/database.js';
import { httpProblem } from './problem.js';
import type { AdminScope } from './scopes.js';

const SECURITY: AdminScope = 'admin:security';
export const BOOTSTRAP_PRINCIPAL = 'admin';
export const BOOTSTRAP_ENDED =
  'The bootstrap token has ended: somebody holds admin:security. Send an access token for the admin API';

export interface Bootstrap {
  matches(token: string): boolean;
  /** Whether it is good now; notes in the audit that it is in use. */
  admits(requestId: string): Promise<boolean>;
}

/** Uses are told in the audit by what they change; that there are any, once in this time. */
const NOTED_EVERY_MS = 3_600_000;

export function createBootstrap(deps: {
  readonly db: Database;
  readonly token: string;
  readonly adminResource: string;
  readonly now: () => number;
}): Bootstrap {
  const { db, adminResource, now } = deps;
  const expected = digest(deps.token);
  let notedAtMs: number | undefined;
  return {
    matches: (token) => timingSafeEqual(digest(token), expected),
    admits: async (requestId) => {
      if (await hasAdministrator(db.orm, adminResource)) {
        notedAtMs = undefined;
        return false;
      }
      if (notedAtMs === undefined || now() - notedAtMs >= NOTED_EVERY_MS) {
        notedAtMs = now();
        const type = 'bootstrap.used';
        const by = BOOTSTRAP_PRINCIPAL;
        await record(db.orm, { type, by, resource: adminResource, requestId });
      }
      return true;
    },
  };
}

const digest = (value: string): Buffer => createHash('sha256').update(value).digest();

/** Has something of the kind (`auth`) it proves itself by, not expired; `o` is an agent or client. */
const provable = sql`exists (
  select from ${credentials} c where c.principal = o.id and c.removed_at is null
    and c.kind = case when o.auth = 'private_key_jwt' then 'jwk'
      when o.auth in ('tls_client_auth', 'self_signed_tls_client_auth') then 'certificate'
      when o.auth = 'attest_jwt_client_auth' then 'attestation'
      else 'secret' end
    and (c.expires_at is null or c.expires_at > clock_timestamp()))`;

/** The admin API takes bearer tokens only (`policy.ts`): who gets no others cannot use it. */
const getsBearers = sql`not o.dpop_bound and not o.certificate_bound`;

const signsRequests = sql`exists (
  select from ${credentials} c where c.principal = o.id and c.removed_at is null
    and c.kind = 'jwk' and (c.expires_at is null or c.expires_at > clock_timestamp()))`;

/**
 * An app at which a user gets a token of their own: one bound to an agent gives that agent's. One that an
 * operator put here: what anybody can register must not end the bootstrap.
 */
const signInPossible = sql`exists (
  select from ${clients} o where o.status = 'active' and o.kind = 'app' and o.agent_id is null
    and ${getsBearers} and o.origin = 'operator'
    and (o.auth = 'none' or ${provable})
    and (not o.require_signed_request or ${signsRequests}))`;

/** Whether somebody who holds `admin:security` could use it now. */
async function hasAdministrator(db: Executor, adminResource: string): Promise<boolean> {
  const rows = await db
    .select({ principal: permissions.principal })
    .from(permissions)
    .where(
      sql`${permissions.resource} = ${adminResource} and ${SECURITY} = any(${permissions.scopes})
        and (exists (select from ${agents} o where o.id = ${permissions.principal}
            and o.status = 'active' and ${provable} and ${getsBearers})
          or exists (select from ${clients} o where o.id = ${permissions.principal}
            and o.status = 'active' and o.kind = 'service' and ${provable} and ${getsBearers})
          or ${signInPossible} and exists (
            select from ${users} u where u.status = 'active' and u.password_hash is not null
              and (u.id = ${permissions.principal}
                or starts_with(${permissions.principal}, 'role:')
                  and substr(${permissions.principal}, 6) = any(u.roles))))`,
    )
    .limit(1);
  return rows.length > 0;
}

/** First half of the advisory lock of bootstrap changes; the second is the schema's hash. */
const BOOTSTRAP_LOCK = 0x6265_6c62;

/**
 * The database as the bootstrap bearer has it: each transaction waits for the others of its kind,
 * then looks again, so that of many made at once only those before the first administrator count
 * (M1). Taken before any other lock.
 */
export const whileBootstrapping = (db: Database, adminResource: string): Database => ({
  ...db,
  transaction: (work) =>
    db.transaction(async (tx) => {
      const lock = sql`select pg_advisory_xact_lock(${BOOTSTRAP_LOCK}, hashtext(current_schema()))`;
      await tx.execute(lock);
      if (await hasAdministrator(tx, adminResource)) throw httpProblem(401, BOOTSTRAP_ENDED);
      return work(tx);
    }),
});
