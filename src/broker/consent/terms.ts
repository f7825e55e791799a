/**
 * What a request's terms are now: the registry's words about everyone in it, and about every scope
 * that is offered. Compared with what was agreed to, and kept when it is (`delegation/terms.ts`).
 */
import { sameTerms } from '../delegation/coverage.js';
import type { LiveGrant } from '../delegation/store.js';
import {
  type ClientWords,
  keptTermsFacts,
  type Terms,
  termsFacts,
  termsOf,
} from '../delegation/terms.js';
import { applicationOf } from '../facts/application.js';
import type { ClientFacts, Facts, ResourceFacts } from '../facts/store.js';
import type { AuthorizationRequest } from './request.js';

export async function currentTerms(
  facts: Facts,
  request: Pick<AuthorizationRequest, 'agentId' | 'resource'>,
  client: ClientFacts,
  offered: readonly string[],
): Promise<Terms> {
  const [agent, resource] = await Promise.all([
    request.agentId === '' ? undefined : facts.agent(request.agentId),
    request.resource === '' ? undefined : facts.resource(request.resource),
  ]);
  const [words, onward] = await Promise.all([wordsOf(facts, client), onwardOf(facts, resource)]);
  return termsOf({ agent, client: words, resource, onward }, offered);
}

/** A document may change its keys as it may its name: both are its own word, and agreed to (K11). */
async function wordsOf(facts: Facts, client: ClientFacts): Promise<ClientWords> {
  if (!client.id.startsWith('https://')) return client;
  const keys = await facts.credentials(client.id);
  return { ...client, proof: [client.auth, ...keys.map(({ thumbprint }) => thumbprint ?? '')] };
}

async function onwardOf(facts: Facts, resource: ResourceFacts | undefined) {
  const named = [...new Set((resource?.downstream ?? []).map((edge) => edge.resource))];
  const found = await Promise.all(
    named.map(async (identifier) => [identifier, await facts.resource(identifier)] as const),
  );
  return Object.fromEntries(found);
}

/** Between a decision and the first token it may have become a decision about something else (D7). */
export async function termsStand(facts: Facts, grant: LiveGrant): Promise<boolean> {
  const client = await applicationOf(facts, grant.clientId);
  // Whoever is gone is refused by the decision itself.
  if (client === undefined) return true;
  const now = await currentTerms(facts, grant, client, grant.scopes);
  return sameTerms(keptTermsFacts(grant.agreed), termsFacts(now), grant.scopes);
}
