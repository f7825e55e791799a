/**
 * Who calls the admin API: the bootstrap bearer, or an access token of ours for `<issuer>/admin`,
 * checked as any other is (signature, recorded, alive) and measured against what its bearer may do
 * now. RFC 6750; failures are counted by address and recorded a bounded number of times.
 */
import type { Context } from 'koa';
import type { AccessTokenClaims } from '../../protocol/index.js';
import { authorOf } from '../audit/store.js';
import { userPrincipals } from '../delegation/load.js';
import type { Party } from '../delegation/policy.js';
import type { Facts, FactsCache, ResourceFacts } from '../facts/store.js';
import { requestState } from '../http/request.js';
import type { TokenReader } from '../tokens/access-tokens.js';
import { BOOTSTRAP_ENDED, BOOTSTRAP_PRINCIPAL, type Bootstrap } from './bootstrap.js';
import { decideCaller, type KnownParty } from './policy.js';
import { ADMIN_SCOPES } from './scopes.js';

export interface Caller {
  /** Goes into the audit: an id, with the agent's that acts for it; or `admin`. */
  readonly by: string;
  readonly scopes: readonly string[];
  readonly bootstrap: boolean;
}

export interface Denied {
  /** For the audit. */
  readonly reason: string;
  /** For anyone; absent when there was no token at all (RFC 6750 §3.1). */
  readonly description?: string;
}

export interface AuthenticationDeps {
  readonly bootstrap: Bootstrap;
  readonly reader: TokenReader;
  readonly facts: FactsCache;
  readonly adminResource: ResourceFacts;
}

/** RFC 6750 §2.1; the only place a token is looked for (not in a query, nor in a form). */
const BEARER = /^bearer +([\x21-\x7e]{1,16384})$/i;
const NOT_GOOD = 'The access token is unknown, ended, or not for the admin API';

/** @throws when a look-up failed: nothing was decided */
export async function authenticate(
  deps: AuthenticationDeps,
  ctx: Context,
): Promise<Caller | Denied> {
  const [, token] = BEARER.exec(ctx.get('Authorization')) ?? [];
  if (token === undefined) return { reason: 'no bearer token' };
  if (deps.bootstrap.matches(token)) {
    return (await deps.bootstrap.admits(requestState(ctx).id))
      ? { by: BOOTSTRAP_PRINCIPAL, scopes: ADMIN_SCOPES, bootstrap: true }
      : { reason: 'bootstrap_ended', description: BOOTSTRAP_ENDED };
  }
  const verified = await deps.reader.verify(token);
  if (verified === undefined) return { reason: 'not_a_token_of_ours', description: NOT_GOOD };
  const { claims } = verified;
  const { identifier: audience, scopes } = deps.adminResource;
  const facts = await deps.facts.fresh();
  const decision = decideCaller(claims, {
    audience,
    scopes,
    subject: await partyOf(facts, claims.sub, audience),
    client: await clientOf(facts, claims.client_id, audience),
    actor: claims.act && (await partyOf(facts, claims.act.sub, audience)),
  });
  const denied = 'denied' in decision ? decision.denied : await endOf(deps, verified);
  if (denied !== undefined || 'denied' in decision) {
    return { reason: `${denied} ${told(claims)}`, description: NOT_GOOD };
  }
  const { granted } = decision;
  return { by: authorOf(claims.sub, claims.act?.sub), scopes: granted, bootstrap: false };
}

async function endOf(
  { reader }: AuthenticationDeps,
  token: Parameters<TokenReader['isAlive']>[0],
): Promise<'expired_or_stopped' | undefined> {
  return (await reader.isAlive(token)) ? undefined : 'expired_or_stopped';
}

/** Ids only: the signature was ours, so these are names of the registry. */
const told = ({ sub, client_id: client, act, jti }: AccessTokenClaims): string =>
  `(sub ${sub}, client ${client}${act === undefined ? '' : `, act ${act.sub}`}, jti ${jti})`;

async function clientOf(facts: Facts, id: string, resource: string) {
  const known = await partyOf(facts, id, resource);
  return known && { ...known, origin: (await facts.client(id))?.origin };
}

async function partyOf(
  facts: Facts,
  id: string,
  resource: string,
): Promise<KnownParty | undefined> {
  const user = await facts.user(id);
  const row = user ?? (await facts.agent(id)) ?? (await facts.client(id));
  if (row === undefined) return undefined;
  const principals = user === undefined ? [id] : userPrincipals(user);
  return { ...party(row), permitted: await facts.permitted(principals, resource) };
}

const party = ({
  id,
  status,
  notBefore,
}: {
  id: string;
  status: string;
  notBefore: Date;
}): Party => ({
  id,
  status,
  notBeforeMs: notBefore.getTime(),
});
