/**
 * What an identity assertion (ID-JAG, draft-ietf-oauth-identity-assertion-authz-grant §4.4) asks for and
 * whether its issuer may say so: for this client, at this resource, about these scopes. Pure: verified
 * claims in, decision out. Whose authority it is, and what is left of it, the law decides
 * (`delegation/policy.ts`): what the enterprise allows stands where a user's consent would.
 */
import { closure, isScopeToken, parseScope } from '../../protocol/index.js';
import { type FreshnessRules, isFreshFor } from '../delegation/freshness.js';
import { baseScopes, hierarchyOf, type ScopeRules } from '../delegation/policy.js';
import type { IdJagRules } from '../trust/schema.js';

export type AssertionDenial =
  | 'other_client'
  | 'self_registered'
  | 'client_not_listed'
  | 'no_jti'
  | 'unknown_claim'
  | 'key_not_proved'
  | 'malformed_scope'
  | 'several_resources'
  | 'other_resource'
  | 'no_resource'
  | 'resource_not_listed'
  | 'actor_not_expected'
  | 'malformed_actor';

export interface AskedWith {
  /** Exact issuer identifier of this broker. */
  readonly issuer: string;
  readonly client: { readonly id: string; readonly origin: string };
  readonly rules: IdJagRules;
  /** `resource` of the request. */
  readonly resource: string | undefined;
  /** RFC 9449 thumbprint of the key this request proved. */
  readonly provedKey: string | undefined;
  /** Whether `act` has a meaning: under the actor profile (draft-mcguinness-oauth-actor-profile). */
  readonly actorProfile: boolean;
}

export interface Asserted {
  readonly jti: string;
  readonly resource: string;
  /** Absent: it names none. */
  readonly scopes: readonly string[] | undefined;
  /** The agent it says acts. */
  readonly agentId: string | undefined;
  /** Seconds. */
  readonly authTime: number | undefined;
}

type Claims = Readonly<Record<string, unknown>>;

const JTI_CHARS_MAX = 256;

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '';

export function decideAssertion(
  claims: Claims,
  asked: AskedWith,
): Asserted | { readonly denied: AssertionDenial } {
  const { client, rules } = asked;
  if (claims.client_id !== client.id) return { denied: 'other_client' };
  // Whoever registered themselves could call themselves anything (DC11).
  if (client.origin === 'registration') return { denied: 'self_registered' };
  if (!rules.clients.includes(client.id)) return { denied: 'client_not_listed' };
  const { jti, auth_time: authTime } = claims;
  if (!isText(jti) || jti.length > JTI_CHARS_MAX) return { denied: 'no_jti' };
  // RFC 9396: what narrows the authority in words we do not read must not be left out.
  if (claims.authorization_details !== undefined) return { denied: 'unknown_claim' };
  if (!isKeyProved(claims.cnf, asked.provedKey)) return { denied: 'key_not_proved' };
  const resource = resourceOf(claims.resource, asked.resource);
  if (typeof resource !== 'string') return resource;
  if (!rules.resources.some((one) => one.resource === resource)) {
    return { denied: 'resource_not_listed' };
  }
  const { scope } = claims;
  if (
    scope !== undefined &&
    (typeof scope !== 'string' || !parseScope(scope).every(isScopeToken))
  ) {
    return { denied: 'malformed_scope' };
  }
  const actor = actorOf(claims.act, asked);
  if (typeof actor === 'object') return actor;
  return {
    jti,
    resource,
    scopes: scope === undefined ? undefined : parseScope(scope),
    agentId: actor,
    authTime: typeof authTime === 'number' && authTime >= 0 ? Math.floor(authTime) : undefined,
  };
}

/** RFC 7800 §3.1: bound to a key that was shown now, and to nothing we cannot see. */
function isKeyProved(cnf: unknown, provedKey: string | undefined): boolean {
  if (cnf === undefined) return true;
  if (typeof cnf !== 'object' || cnf === null) return false;
  const { jkt, ...others } = cnf as Claims;
  return isText(jkt) && jkt === provedKey && Object.keys(others).length === 0;
}

/** The token is for what the assertion names; a request may only say the same (MCP EMA, RFC 8707 §2.2). */
function resourceOf(
  named: unknown,
  requested: string | undefined,
): string | { readonly denied: AssertionDenial } {
  const [only, ...others] = Array.isArray(named) ? named : [named];
  if (others.length > 0) return { denied: 'several_resources' };
  if (only === undefined) return requested ?? { denied: 'no_resource' };
  if (!isText(only)) return { denied: 'no_resource' };
  return requested === undefined || requested === only ? only : { denied: 'other_resource' };
}

/** Without the profile nobody says what `act` means here: it is refused, never left out. */
function actorOf(
  act: unknown,
  { actorProfile, issuer }: AskedWith,
): string | undefined | { readonly denied: AssertionDenial } {
  if (act === undefined) return undefined;
  if (!actorProfile) return { denied: 'actor_not_expected' };
  if (typeof act !== 'object' || act === null || Array.isArray(act)) {
    return { denied: 'malformed_actor' };
  }
  const { sub, iss, sub_profile: profile, ...others } = act as Claims;
  const isOurs = isText(sub) && (iss === undefined || iss === issuer);
  const isAgent = profile === undefined || profile === 'ai_agent';
  // Earlier actors were never ours to check: nothing of them is taken over.
  if (!isOurs || !isAgent || Object.keys(others).length > 0) return { denied: 'malformed_actor' };
  return sub;
}

/** What is asked, and what the enterprise allows of it. */
export interface AllowedByPolicy {
  readonly requested: readonly string[];
  /** Written out; in the place of a user's consent. */
  readonly allowed: readonly string[];
}

/**
 * The issuer's rules are the ceiling, its assertion lowers it. What is restricted or destructive only
 * where a rule names it; what asks for a recent sign-in only if the assertion tells of one.
 */
export function allowedByPolicy(
  scopes: ScopeRules & FreshnessRules,
  { resources }: IdJagRules,
  { resource, scopes: asserted, authTime }: Asserted,
  requested: readonly string[],
  nowSeconds: number,
): AllowedByPolicy {
  const hierarchy = hierarchyOf(scopes);
  const listed = resources.find((one) => one.resource === resource)?.scopes;
  const ceiling = new Set(closure(listed ?? Object.keys(scopes), hierarchy));
  const within = asserted === undefined ? undefined : new Set(closure(asserted, hierarchy));
  const allowed = Object.entries(scopes)
    .filter(([name, { restricted, risk }]) => {
      if (!ceiling.has(name) || within?.has(name) === false) return false;
      const isGrave = restricted || risk === 'destructive';
      if (isGrave && listed?.includes(name) !== true) return false;
      return isFreshFor(scopes, [name], authTime ?? 0, nowSeconds);
    })
    .map(([name]) => name)
    .sort();
  const asked = requested.length > 0 ? requested : (asserted ?? baseScopes(scopes));
  return { requested: asked, allowed };
}

/** The part of an address after the `@`, in lower case: whose people they are. */
export const domainOf = (email: string): string =>
  email.slice(email.lastIndexOf('@') + 1).toLowerCase();

/** An address that finds a user: the issuer's own to give, and said to be checked (incident 17). */
export function addressIn(
  { email, email_verified: isVerified }: Claims,
  { subject, emailDomains = [] }: IdJagRules,
): string | undefined {
  if (subject !== 'email' || isVerified !== true || !isText(email)) return undefined;
  return emailDomains.includes(domainOf(email)) ? email : undefined;
}
