/** Loads the facts a delegation is decided on. I/O only: `policy.ts` decides. */
import { applicationOf } from '../facts/application.js';
import type { ClientFacts, Facts, UserFacts } from '../facts/store.js';
import type { DelegationFacts, Party, ScopeRule } from './policy.js';
import type { ConsentSubject } from './store.js';

const party = (
  row: { id: string; status: string; notBefore: Date } | undefined,
): Party | undefined =>
  row === undefined
    ? undefined
    : { id: row.id, status: row.status, notBeforeMs: row.notBefore.getTime() };

/** A client acts as the agent it is bound to wherever there is a resource to act upon. */
function boundParty(client: ClientFacts | undefined, resource: string): DelegationFacts['client'] {
  const asParty = party(client);
  if (asParty === undefined || client === undefined) return undefined;
  return { ...asParty, boundTo: resource === '' ? null : client.agentId };
}

/** Everyone whose permissions count as a user's own. */
export const userPrincipals = (user: UserFacts): string[] => [
  user.id,
  ...user.roles.map((role) => `role:${role}`),
];

const OPEN_SCOPE: ScopeRule = { risk: 'read', restricted: false, implies: [], base: false };

/** Where there is no resource, the OpenID Connect scopes are all there is to give. */
const IDENTITY_ONLY = {
  scopes: { openid: OPEN_SCOPE, profile: OPEN_SCOPE, email: OPEN_SCOPE },
  clients: null,
};

export async function loadDelegationFacts(
  facts: Facts,
  subject: ConsentSubject,
): Promise<DelegationFacts> {
  const acts = subject.agentId !== '';
  const [user, client, agent, resource] = await Promise.all([
    facts.user(subject.userId),
    applicationOf(facts, subject.clientId),
    acts ? facts.agent(subject.agentId) : undefined,
    subject.resource === '' ? IDENTITY_ONLY : facts.resource(subject.resource),
  ]);
  const [userPermitted, agentPermitted] = await Promise.all([
    user === undefined ? [] : facts.permitted(userPrincipals(user), subject.resource),
    agent === undefined ? [] : facts.permitted([agent.id], subject.resource),
  ]);
  const asParty = party(agent);
  return {
    user: party(user),
    userPermitted,
    client: boundParty(client, subject.resource),
    acts,
    agent:
      agent === undefined || asParty === undefined
        ? undefined
        : { ...asParty, clients: agent.clients },
    agentPermitted,
    resource,
  };
}
