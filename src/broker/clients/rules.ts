/** What has to be true of a client as a whole: what its kind needs, and whose agent it may be bound to. */
import type { Executor } from '../db/database.js';
import type { Change } from '../registry/change.js';
import { type FieldProblem, invalid } from '../registry/refusal.js';
import type { ClientPatch } from './schema.js';
import type { ClientValues } from './store.js';

/** What an app needs and a service must not have, and what needs a proof of who it is. */
export function kindProblems(
  kind: string,
  client: Pick<ClientValues, 'redirectUris' | 'auth' | 'agentId' | 'requirePar'> & {
    readonly requireSignedRequest?: boolean | undefined;
    readonly mayExchange?: boolean | undefined;
  },
): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const refuse = (field: keyof ClientPatch, message: string): void => {
    problems.push({ path: [field], message });
  };
  const isPublic = client.auth === 'none';
  if (isPublic && client.mayExchange) {
    refuse('mayExchange', 'must not be set for a public client: whoever exchanges proves itself');
  }
  if (kind === 'app') {
    if (client.redirectUris?.length === 0) {
      refuse('redirectUris', 'must hold at least one URI for an app');
    }
    if (isPublic && client.requireSignedRequest) {
      refuse('requireSignedRequest', 'must not be set for a public client: it has no key');
    }
    if (isPublic && client.agentId) {
      refuse('agentId', 'must not be set for a public client: anybody could act as the agent');
    }
    return problems;
  }
  if (client.redirectUris?.length !== 0) {
    refuse('redirectUris', 'must be left out: a service signs nobody in');
  }
  if (isPublic) refuse('auth', 'must not be none: a service proves itself');
  for (const field of ['requirePar', 'requireSignedRequest', 'agentId'] as const) {
    if (client[field]) refuse(field, 'must be left out: a service signs nobody in');
  }
  return problems;
}

/** The agent decides who may front for it: it names the client first. */
export async function checkBinding(
  acceptedBy: (db: Executor, agentId: string) => Promise<readonly string[] | undefined>,
  { tx }: Change,
  clientId: string,
  agentId: string,
): Promise<void> {
  const accepted = await acceptedBy(tx, agentId);
  if (accepted?.includes(clientId) === true) return;
  const message =
    accepted === undefined
      ? `names no agent: "${agentId}"`
      : `does not accept this client: ${agentId} must name ${clientId} among its clients first`;
  throw invalid({ path: ['agentId'], message });
}
