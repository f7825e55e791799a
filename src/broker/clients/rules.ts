/** What has to be true of a client as a whole: what its kind needs, and whose agent it may be bound to. */
import type { Executor } from '../db/database.js';
import type { Change } from '../registry/change.js';
import { type FieldProblem, invalid } from '../registry/refusal.js';
import { isDocumentId } from './document-policy.js';
import type { ClientPatch } from './schema.js';
import type { ClientValues } from './store.js';

/** What an app needs and a service must not have, and what needs a proof of who it is. */
export function kindProblems(
  kind: string,
  client: Pick<ClientValues, 'redirectUris' | 'auth' | 'agentId' | 'requirePar' | 'origin'> & {
    readonly id: string;
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
  // Nobody vouches for it: the code flow for a user who is asked, and nothing else (DC11, K7).
  if (client.origin === 'registration' && client.mayExchange) {
    refuse('mayExchange', 'must not be set for a client that registered itself');
  }
  if (client.origin === 'registration' && client.agentId) {
    refuse('agentId', 'must not be set for a client that registered itself: register it yourself');
  }
  if (kind === 'app') {
    if (client.redirectUris?.length === 0 && !isDocumentId(client.id)) {
      refuse('redirectUris', 'must hold at least one URI for an app');
    }
    if (isPublic && client.requireSignedRequest) {
      refuse('requireSignedRequest', 'must not be set for a public client: it has no key');
    }
    // One exact document may be bound: whoever sends its URL is answered where it says, and the token
    // says that nobody proved the agent (`none`, §8b).
    if (isPublic && client.agentId && !isDocumentId(client.id)) {
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

/** What an operator may say of a client that is known by a document: which it is, and whose agent it is. */
const OURS_TO_SAY: readonly string[] = ['id', 'kind', 'name', 'agentId', 'mayExchange'];

/** All else is its document's to say. */
export function documentClientProblems(
  id: string,
  input: Readonly<Record<string, unknown>>,
): FieldProblem[] {
  if (!isDocumentId(id)) return [];
  const said = Object.keys(input).filter(
    (field) => !OURS_TO_SAY.includes(field) && input[field] !== undefined,
  );
  const problems = said.map((field) => ({
    path: [field],
    message: 'must be left out: the document at its id says it',
  }));
  if (input.mayExchange === true) {
    problems.push({ path: ['mayExchange'], message: 'must not be set: nobody vouches for it' });
  }
  return input.kind === 'service'
    ? [...problems, { path: ['kind'], message: 'must be app: a document describes an app' }]
    : problems;
}

export const documentPatchProblems = (
  id: string,
  fields: readonly PropertyKey[],
): FieldProblem[] =>
  isDocumentId(id)
    ? fields
        .filter((field) => field !== 'agentId')
        .map((field) => ({ path: [String(field)], message: 'is what the document at its id says' }))
    : [];

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
