/** Loads the facts a delegation is decided on. I/O only: `policy.ts` decides. */
import type { Facts, UserFacts } from '../facts/store.js';
import type { DelegationFacts, Party, ScopeRule } from './policy.js';
import type { ConsentSubject } from './store.js';

const party = (
  row: { id: string; status: string; notBefore: Date } | undefined,
): Party | undefined =>
  row === undefined
    ? undefined
    : { id: row.id, status: row.status, notBeforeMs: row.notBefore.getTime() };

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
    // An agent may be its own OAuth client: same id, same row.
    facts
      .client(subject.clientId)
      .then(async (row) => row ?? (await facts.agent(subject.clientId))),
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
    client: party(client),
    acts,
    agent:
      agent === undefined || asParty === undefined
        ? undefined
        : { ...asParty, clients: agent.clients },
    agentPermitted,
    resource,
  };
}
