/**
 * What a request's terms are now: the registry's words about everyone in it, and about every scope
 * that is offered. Compared with what was agreed to, and kept when it is (`delegation/terms.ts`).
 */
import type { ClientWords, Terms } from '../delegation/terms.js';
import { termsOf } from '../delegation/terms.js';
import type { Facts, ResourceFacts } from '../facts/store.js';
import type { AuthorizationRequest } from './request.js';

export async function currentTerms(
  facts: Facts,
  request: AuthorizationRequest,
  client: ClientWords,
  offered: readonly string[],
): Promise<Terms> {
  const [agent, resource] = await Promise.all([
    request.agentId === '' ? undefined : facts.agent(request.agentId),
    request.resource === '' ? undefined : facts.resource(request.resource),
  ]);
  return termsOf({ agent, client, resource, onward: await onwardOf(facts, resource) }, offered);
}

async function onwardOf(facts: Facts, resource: ResourceFacts | undefined) {
  const named = [...new Set((resource?.downstream ?? []).map((edge) => edge.resource))];
  const found = await Promise.all(
    named.map(async (identifier) => [identifier, await facts.resource(identifier)] as const),
  );
  return Object.fromEntries(found);
}
