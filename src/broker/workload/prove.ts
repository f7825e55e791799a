/**
 * Proves an agent or a service by its platform's token (MCP workload identity federation, RFC 7523): a
 * Kubernetes service account's, a SPIFFE JWT-SVID. The platform hands the same token to a workload again
 * and again, so it may be shown more than once while it lives, as long as its platform is trusted and its
 * credential is not removed; what it obtains ends with it.
 */
import { and, eq, gt, isNull, or, sql } from 'drizzle-orm';
import { credentials } from '../../../schema/index.js';
import type { Database } from '../db/database.js';
import type { CredentialFacts, Facts, FactsCache } from '../facts/store.js';
import type { Trusted, TrustVerifier } from '../trust/verify.js';
import { isMeant, PLATFORM_LIFE_MAX_SECONDS, PLATFORM_TYPES, type WorkloadRule } from './policy.js';

export interface WorkloadDeps {
  readonly db: Database;
  /** Exact issuer identifier; its token endpoint is accepted too (MCP WIF), alone. */
  readonly issuer: string;
  readonly facts: FactsCache;
  readonly trust: TrustVerifier;
}

export interface ProvedWorkload {
  readonly principal: string;
  readonly credentialId: string;
  /** Seconds. */
  readonly expiresAt: number;
  /** For the audit. */
  readonly provedBy: string;
  readonly provedSub: string;
}

export type NotProved = { readonly problem: string };

/** @throws OAuthError `temporarily_unavailable` when the platform's keys cannot be had */
export async function proveAs(
  deps: WorkloadDeps,
  jwt: string,
  principal: string,
): Promise<ProvedWorkload | NotProved> {
  const word = await platformWord(deps, jwt);
  if ('problem' in word) return word;
  const known = await (await deps.facts.current()).credentials(principal);
  return only(known.filter(meant(word)), word);
}

/** Without saying who: exactly one credential means this workload. */
export async function proveSomebody(
  deps: WorkloadDeps,
  jwt: string,
): Promise<ProvedWorkload | NotProved> {
  const word = await platformWord(deps, jwt);
  if ('problem' in word) return word;
  const proved = only((await credentialsBy(deps, word.issuer.issuer)).filter(meant(word)), word);
  if ('problem' in proved) return proved;
  const isActive = await mayActAlone(await deps.facts.current(), proved.principal);
  return isActive ? proved : { problem: `${proved.principal} may not act alone now` };
}

async function platformWord(
  { trust, issuer }: WorkloadDeps,
  jwt: string,
): Promise<Trusted | NotProved> {
  return trust.verify(jwt, {
    purpose: 'workload',
    types: PLATFORM_TYPES,
    audiences: [issuer, `${issuer}/token`],
    lifeMaxSeconds: PLATFORM_LIFE_MAX_SECONDS,
  });
}

const meant =
  ({ claims }: Trusted) =>
  ({ kind, rule }: CredentialFacts): boolean =>
    kind === 'workload' && rule !== null && isMeant(rule as unknown as WorkloadRule, claims);

function only(
  [one, ...others]: readonly CredentialFacts[],
  { claims }: Trusted,
): ProvedWorkload | NotProved {
  if (one === undefined) return { problem: 'no credential means this workload' };
  if (others.length > 0) return { problem: 'several credentials mean this workload' };
  return {
    principal: one.principal,
    credentialId: one.id,
    expiresAt: Math.floor(Number(claims.exp)),
    provedBy: String(claims.iss),
    provedSub: String(claims.sub),
  };
}

const credentialsBy = ({ db }: WorkloadDeps, issuer: string): Promise<CredentialFacts[]> =>
  db.orm
    .select()
    .from(credentials)
    .where(
      and(
        eq(credentials.kind, 'workload'),
        isNull(credentials.removedAt),
        or(isNull(credentials.expiresAt), gt(credentials.expiresAt, sql`clock_timestamp()`)),
        sql`${credentials.rule} ->> 'issuer' = ${issuer}`,
      ),
    );

/** Whoever gets tokens of their own: an agent or a service. */
async function mayActAlone(facts: Facts, principal: string): Promise<boolean> {
  const agent = await facts.agent(principal);
  if (agent !== undefined) return agent.status === 'active';
  const client = await facts.client(principal);
  return client?.status === 'active' && client.kind === 'service';
}
