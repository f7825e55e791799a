/** What was decided, as a question that can be decided again on the facts there are now. I/O only. */
import {
  type AccessTokenClaims,
  type Act,
  type ActorProof,
  parseScope,
} from '../../protocol/index.js';
import { findIssued, type RecordedEvent } from '../audit/store.js';
import type { Executor } from '../db/database.js';
import { loadDelegationFacts } from '../delegation/load.js';
import { baseScopes } from '../delegation/policy.js';
import { findConsent, findGrant } from '../delegation/queries.js';
import { agreedEdges } from '../delegation/terms.js';
import { loadExchangeFacts, parentOf, placeOf } from '../exchange/load.js';
import { workedHere } from '../exchange/policy.js';
import type { GrantStory } from '../exchange/store.js';
import type { Facts } from '../facts/store.js';
import type { Question } from './change.js';

export interface Sources {
  readonly db: Executor;
  readonly facts: Facts;
  readonly issuer: string;
  readonly now: () => number;
}

const textIn = (event: RecordedEvent, name: string): string | undefined => {
  const value = event.detail?.[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
};
const listIn = (event: RecordedEvent, name: string): string[] => {
  const value = event.detail?.[name];
  return Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [];
};
const isUser = (id: string | null | undefined): boolean => id?.startsWith('usr_') === true;

/** Undefined where nothing about scopes and parties was decided: a malformed request, a sign-in. */
export async function questionOf(
  sources: Sources,
  event: RecordedEvent,
): Promise<Question | undefined> {
  switch (event.type) {
    case 'token.issued':
    case 'token.refused': {
      const asked = parseScope(textIn(event, 'asked'));
      return issuing(sources, event, asked);
    }
    case 'tool.allowed':
    case 'tool.refused': {
      const token = event.jti ? await findIssued(sources.db, event.jti) : undefined;
      return issuing(sources, token ?? event, listIn(event, 'required'));
    }
    case 'request.refused':
      if (textIn(event, 'rule') === 'foreign_token') return undefined;
      return event.clientId && event.resource ? authorizing(sources, event) : undefined;
    default:
      return undefined;
  }
}

async function issuing(
  sources: Sources,
  event: RecordedEvent,
  asked: readonly string[],
): Promise<Question | undefined> {
  if (textIn(event, 'parent') !== undefined) return exchanging(sources, event, asked);
  if (isUser(event.sub)) return underGrant(sources, event, asked);
  const id = event.sub;
  if (!id || !event.resource || event.resource === sources.issuer) return undefined;
  const { facts } = sources;
  const row = (await facts.agent(id)) ?? (await facts.client(id));
  return {
    kind: 'own',
    resource: event.resource,
    asked,
    facts: {
      principal: row && { id, status: row.status, notBeforeMs: row.notBefore.getTime() },
      target: await facts.resource(event.resource),
      permitted: await facts.permitted([id], event.resource),
    },
  };
}

async function underGrant(
  { db, facts, now }: Sources,
  event: RecordedEvent,
  requested: readonly string[],
): Promise<Question | undefined> {
  const id = event.grantId ?? event.jti?.split('.').find((part) => part.startsWith('gnt_'));
  const grant = id === undefined ? undefined : await findGrant(db, id);
  if (grant === undefined || grant.resource === '') return undefined;
  // Somebody else's code: who may have what under it was not the question.
  if (event.clientId !== grant.clientId) return undefined;
  const consent = await findConsent(db, grant.consentId);
  return {
    kind: 'delegation',
    userId: grant.userId,
    over: isOver(consent, now()) || isOver(grant, now()),
    resource: grant.resource,
    facts: await loadDelegationFacts(facts, grant),
    request: { requested, consent: grant.scopes, sinceMs: grant.createdAt.getTime() },
  };
}

interface Lasting {
  readonly endedAt: Date | null;
  readonly expiresAt: Date;
}

const isOver = (row: Lasting | undefined, nowMs: number): boolean =>
  row === undefined || row.endedAt !== null || row.expiresAt.getTime() <= nowMs;

/** Before anybody has signed in, everybody could have. */
async function authorizing(
  { facts }: Sources,
  event: RecordedEvent,
): Promise<Question | undefined> {
  const { clientId, resource: at } = event;
  const resource = at ? await facts.resource(at) : undefined;
  if (!clientId || !at || resource === undefined) return undefined;
  const userId = event.sub ?? '';
  const asked = textIn(event, 'requested_actor') ?? event.agentId;
  const agentId = asked ?? (await facts.client(clientId))?.agentId ?? '';
  const loaded = await loadDelegationFacts(facts, { userId, clientId, agentId, resource: at });
  const known = parseScope(textIn(event, 'asked')).filter((one) => one in resource.scopes);
  const anyone = { id: '', status: 'active', notBeforeMs: 0 };
  return {
    kind: 'delegation',
    userId,
    resource: at,
    facts:
      userId === ''
        ? { ...loaded, user: anyone, userPermitted: Object.keys(resource.scopes) }
        : loaded,
    request: {
      requested: known.length > 0 ? known : baseScopes(resource.scopes),
      sinceMs: Number.MAX_SAFE_INTEGER,
    },
  };
}

async function exchanging(
  sources: Sources,
  event: RecordedEvent,
  asked: readonly string[],
): Promise<Question | undefined> {
  const parent = await findIssued(sources.db, textIn(event, 'parent') ?? '');
  if (parent === undefined || !event.clientId) return undefined;
  const cnf = (parent.detail?.cnf ?? { jkt: 'its own' }) as Readonly<Record<string, string>>;
  const bound = textIn(event, 'rule') === 'key_not_proved' ? { cnf } : {};
  const claims = { ...claimsOf(sources.issuer, parent), ...bound };
  const presenterId = event.agentId ?? (event.type === 'token.issued' ? event.clientId : undefined);
  const proof = (textIn(event, 'proof') ?? textIn(event, 'actor_proof') ?? 'token') as ActorProof;
  const helperId = textIn(event, 'may_act') ?? textIn(event, 'requested_actor');
  const depth = event.detail?.act_depth_max;
  const facts = await loadExchangeFacts(sources.facts, {
    claims,
    state: { alive: true, grant: await grantBehind(sources, parent) },
    callerId: event.clientId,
    presenter: presenterId ? { id: presenterId, proof } : undefined,
    target: textIn(event, 'for') ?? event.resource ?? placeOf(claims),
    helperId,
    provedKey: textIn(event, 'proved_key'),
    provedCertificate: textIn(event, 'proved_certificate'),
    // As it was then: what explains has no setting of its own.
    actDepthMax: typeof depth === 'number' ? depth : undefined,
  });
  return {
    kind: 'exchange',
    facts,
    request: { scopes: asked.length > 0 ? asked : undefined, handOffTo: helperId },
    worked: workedHere(parentOf(claims).chain).map(({ id }) => id),
  };
}

async function grantBehind(
  { db, now }: Sources,
  { grantId }: RecordedEvent,
): Promise<GrantStory | undefined> {
  const grant = grantId ? await findGrant(db, grantId) : undefined;
  const consent = grant && (await findConsent(db, grant.consentId));
  if (grant === undefined || consent === undefined) return undefined;
  if (isOver(grant, now()) || isOver(consent, now())) return undefined;
  const ends = Math.min(grant.expiresAt.getTime(), consent.expiresAt.getTime());
  return {
    agentId: grant.agentId,
    clientId: grant.clientId,
    helpers: consent.helpers,
    resource: grant.resource,
    downstream: agreedEdges(consent),
    expiresAt: Math.floor(ends / 1000),
  };
}

/** The claims of a token that was recorded, as far as decisions look at them. */
export function claimsOf(issuer: string, event: RecordedEvent): AccessTokenClaims {
  const { agentId, clientId, jti, resource } = event;
  const sub = event.sub ?? '';
  const actors = agentId && agentId !== sub ? [agentId, ...listIn(event, 'earlier_actors')] : [];
  const act = actors.reduceRight<Act | undefined>(
    (inner, id) => ({
      sub: id,
      iss: issuer,
      sub_profile: profileOf(id),
      ...(inner === undefined ? {} : { act: inner }),
    }),
    undefined,
  );
  const [helper, place] = [textIn(event, 'may_act'), textIn(event, 'for')];
  return {
    iss: issuer,
    aud: resource ?? issuer,
    sub,
    sub_profile: profileOf(sub),
    client_id: clientId ?? '',
    scope: textIn(event, 'scope') ?? '',
    ...(act === undefined ? {} : { act, actor_proof: 'token' }),
    via: listIn(event, 'via'),
    jti: jti ?? '',
    iat: Number(event.detail?.iat),
    exp: Number(event.detail?.exp),
    ...(helper === undefined ? {} : { may_act: { sub: helper, iss: issuer } }),
    ...(place === undefined ? {} : { hand_off: place }),
  };
}

const profileOf = (id: string): string =>
  isUser(id) ? 'user' : id.startsWith('agt_') ? 'ai_agent' : 'service';
