/** Loads the facts an exchange is decided on. I/O only: `policy.ts` decides. */
import { type AccessTokenClaims, type ActorProof, actorChain } from '../../protocol/index.js';
import { userPrincipals } from '../delegation/load.js';
import type { Party } from '../delegation/policy.js';
import { applicationOf } from '../facts/application.js';
import type { ClientFacts, Facts, ResourceFacts } from '../facts/store.js';
import type { ChainActor, ExchangeFacts, ParentToken, Place, Presenter } from './facts.js';
import { workedHere } from './policy.js';
import type { SubjectState } from './store.js';

/** Who presents the token, as far as authentication or an actor token proved it. */
export interface Proved {
  readonly id: string;
  readonly proof: ActorProof;
  /** Seconds: when the proof ends. */
  readonly expiresAt?: number | undefined;
}

export interface ExchangeQuestion {
  readonly claims: AccessTokenClaims;
  readonly state: SubjectState;
  readonly callerId: string;
  readonly presenter: Proved | undefined;
  /** Where the result is to go. */
  readonly target: string;
  readonly helperId: string | undefined;
  /** RFC 9449 thumbprint. */
  readonly provedKey: string | undefined;
  /** RFC 8705 thumbprint. */
  readonly provedCertificate: string | undefined;
  readonly actDepthMax: number | undefined;
}

const profileOf = (id: string): ChainActor['profile'] =>
  id.startsWith('agt_') ? 'ai_agent' : 'service';

/** What a verified token says, in the words of the policy. */
export function parentOf(claims: AccessTokenClaims): ParentToken {
  const subjectProfile = claims.sub_profile;
  return {
    subject: claims.sub,
    subjectProfile:
      subjectProfile === 'ai_agent' || subjectProfile === 'service' ? subjectProfile : 'user',
    clientId: claims.client_id,
    scopes: (claims.scope ?? '').split(' ').filter((scope) => scope !== ''),
    chain: actorChain(claims.act).map(({ sub }) => ({ id: sub, profile: profileOf(sub) })),
    via: claims.via ?? [],
    actorProof: claims.actor_proof,
    expiresAt: claims.exp,
    mayAct: claims.may_act?.sub,
    boundTo: claims.cnf?.jkt,
    boundToCertificate: claims.cnf?.['x5t#S256'],
  };
}

/** The resource a token is about: its audience, or what a hand-off token was made for. */
export const placeOf = (claims: AccessTokenClaims): string => claims.hand_off ?? claims.aud;

export async function loadExchangeFacts(
  facts: Facts,
  question: ExchangeQuestion,
): Promise<ExchangeFacts> {
  const { claims, state, callerId, presenter, target, helperId } = question;
  const parent = parentOf(claims);
  const { chain } = parent;
  const here = placeOf(claims);
  const everyone = [parent.subject, parent.clientId, ...parent.via, ...chain.map(({ id }) => id)];
  const [story, caller, proved, helper, places, heldHere] = await Promise.all([
    Promise.all([...new Set(everyone)].map((id) => partyOf(facts, id))),
    callerOf(facts, callerId),
    presenter === undefined ? undefined : presenterOf(facts, presenter, target),
    helperId === undefined ? undefined : helperOf(facts, helperId),
    Promise.all([here, target].map((one) => loadPlace(facts, one, parent))),
    Promise.all(workedHere(chain).map(({ id }) => facts.permitted([id], here))),
  ]);
  return {
    parent,
    story,
    caller,
    presenter: proved,
    delegation: parent.subjectProfile === 'user' ? state.grant : null,
    here: places[0],
    heldHere,
    target: places[1],
    provedKey: question.provedKey,
    provedCertificate: question.provedCertificate,
    helper,
    actDepthMax: question.actDepthMax,
  };
}

interface PartyRow {
  readonly id: string;
  readonly status: string;
  readonly notBefore: Date;
}

async function partyOf(facts: Facts, id: string): Promise<Party | undefined> {
  const row: PartyRow | undefined =
    (await facts.user(id)) ?? (await facts.agent(id)) ?? (await facts.client(id));
  return row && { id: row.id, status: row.status, notBeforeMs: row.notBefore.getTime() };
}

async function callerOf(facts: Facts, id: string): Promise<ExchangeFacts['caller']> {
  const party = await partyOf(facts, id);
  const client = await facts.client(id);
  const application = await applicationOf(facts, id);
  return (
    party && {
      ...party,
      mayExchange: mayExchange(application),
      certificateBound: application?.certificateBound === true,
      boundTo: client?.agentId ?? null,
    }
  );
}

/** A public client never may: nobody knows who asks (RFC 8693 §5). */
export async function callerMayExchange(facts: Facts, id: string): Promise<boolean> {
  return mayExchange(await applicationOf(facts, id));
}

const mayExchange = (caller: Pick<ClientFacts, 'auth' | 'mayExchange'> | undefined): boolean =>
  caller !== undefined && caller.auth !== 'none' && caller.mayExchange;

async function presenterOf(
  facts: Facts,
  { id, proof, expiresAt }: Proved,
  target: string,
): Promise<Presenter | undefined> {
  const party = await partyOf(facts, id);
  if (party === undefined) return undefined;
  const agent = await facts.agent(id);
  return {
    ...party,
    profile: profileOf(id),
    proof,
    proofExpiresAt: expiresAt,
    permitted: await facts.permitted([id], target),
    takesWorkFrom: agent?.takesWorkFrom ?? [],
    clients: agent?.clients ?? [],
  };
}

async function helperOf(facts: Facts, id: string): Promise<ExchangeFacts['helper']> {
  const agent = await facts.agent(id);
  if (agent === undefined) return undefined;
  return {
    id: agent.id,
    status: agent.status,
    notBeforeMs: agent.notBefore.getTime(),
    profile: 'ai_agent',
    takesWorkFrom: agent.takesWorkFrom,
  };
}

async function loadPlace(
  facts: Facts,
  identifier: string,
  parent: ParentToken,
): Promise<Place | undefined> {
  const resource = await facts.resource(identifier);
  if (resource === undefined) return undefined;
  const user = await facts.user(parent.subject);
  const principals = user === undefined ? [parent.subject] : userPrincipals(user);
  return placeFrom(resource, await facts.permitted(principals, identifier));
}

const placeFrom = (resource: ResourceFacts, subjectPermitted: readonly string[]): Place => ({
  identifier: resource.identifier,
  scopes: resource.scopes,
  clients: resource.clients,
  ownClient: resource.client,
  requireUser: resource.requireUser,
  downstream: resource.downstream,
  subjectPermitted,
});
