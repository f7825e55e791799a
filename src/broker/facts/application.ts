/**
 * The client of a code flow, as the pages and the law see it: an app, or an agent that is its own
 * OAuth client and then never acts as anybody else (DESIGN §8a, `client_auth`).
 */
import type { AgentFacts, ClientFacts, Facts } from './store.js';

export async function applicationOf(facts: Facts, id: string): Promise<ClientFacts | undefined> {
  const client = await facts.client(id);
  if (client !== undefined) return client;
  const agent = await facts.agent(id);
  return agent === undefined ? undefined : ownClient(agent);
}

const ownClient = (agent: AgentFacts): ClientFacts => ({
  id: agent.id,
  name: agent.name,
  origin: 'operator',
  kind: 'app',
  softwareId: null,
  softwareVersion: null,
  description: agent.description,
  clientUri: null,
  logoUri: agent.logoUri,
  policyUri: null,
  contact: agent.contact,
  redirectUris: agent.redirectUris,
  agentId: agent.id,
  requirePar: agent.requirePar,
  requireSignedRequest: agent.requireSignedRequest,
  mayExchange: agent.mayExchange,
  dpopBound: agent.dpopBound,
  certificateBound: agent.certificateBound,
  fapi: agent.fapi,
  auth: agent.auth,
  status: agent.status,
  notBefore: agent.notBefore,
  createdAt: agent.createdAt,
});
