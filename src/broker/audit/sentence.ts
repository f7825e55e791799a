/**
 * Audit events as sentences people can read aloud: who, for whom, through what, was allowed or
 * refused what, by which rule. Names come from the registry; control characters never get through.
 */
import { whatEnded } from './ended.js';
import { safeText } from './safe-text.js';
import type { NamesOf, RecordedEvent } from './store.js';
import { whyRefused } from './why.js';

/** Names behind ids, where there is one. */
export type NameOf = (id: string) => string;

const list = (value: unknown): string => (Array.isArray(value) ? value.map(String).join(', ') : '');

/** One line, no secrets. Of a stop, also what it ended. */
export const sentence = (event: RecordedEvent, nameOf: NameOf): string =>
  told(event, nameOf) + whatEnded(event.detail ?? {});

/** Unknown kinds are told by their type. */
function told(event: RecordedEvent, nameOf: NameOf): string {
  const name = (id: string | undefined | null): string => (id ? safeText(nameOf(id)) : 'nobody');
  const detail = event.detail ?? {};
  const text = (key: string): string => safeText(String(detail[key] ?? ''));
  const at = event.resource ? ` at ${name(event.resource)}` : '';
  const acting = actingFor(event);
  const client = frontOf(event, acting[0]);
  const through = client === undefined ? '' : `, through ${name(client)}`;
  const first = event.agentId || event.sub || event.clientId || event.by;
  const isForOther = acting.length > 0 && event.sub && event.sub !== acting[0];
  const whose = isForOther
    ? `${actorsOf(acting, name, text('parent_actor'))}, for ${name(event.sub)}`
    : name(first);
  const isFronted = client !== undefined && client !== first;
  const who = isForOther || isFronted ? `${whose}${through},` : whose;
  const allowed = `${name(event.agentId || event.clientId)}${event.agentId ? through : ''}`;
  const by = detail.act === undefined ? name(event.by) : authorOf(text('act'), event.by, name);
  const tool = `${text('tool')} (${safeText(list(detail.required))})`;
  switch (event.type) {
    case 'tool.allowed':
      return `${who} was allowed ${tool}${at}`;
    case 'tool.refused':
      return `${who} was refused ${tool}${at}: ${whyRefused(event, name)}`;
    case 'token.issued':
      return `${who} ${issued(detail, name, at)}`;
    case 'token.refused':
      return `${who} was refused ${text('asked') || 'a token'}${at}: ${whyRefused(event, name)}`;
    case 'consent.granted':
      return `${consented(event, name)}${allowed}${at}: ${safeText(list(detail.granted))}`;
    case 'consent.denied':
      return `${name(event.sub)} did not allow ${allowed}${at}`;
    case 'consent.ended':
      return `the consent of ${name(event.sub)} to ${name(event.agentId || event.clientId)}${at} ended: ${text('reason')}`;
    case 'grant.created':
      return `an authorization of ${name(event.sub)} for ${name(event.agentId || event.clientId)}${at} began`;
    case 'grant.ended':
      return `an authorization of ${name(event.sub)} for ${name(event.agentId || event.clientId)}${at} ended: ${text('reason')}`;
    case 'refresh_token.repeated':
      return `${who} was given the answer to its last refresh again${at} (time ${text('time')})`;
    case 'code.replayed':
      return `${who} used a code ${usedBefore(detail, at)}`;
    case 'refresh_token.replayed':
      return `${who} used a refresh token ${usedBefore(detail, at)}`;
    case 'token.revoked':
      return `${by} revoked a token of ${who}${at}`;
    case 'sign_in.succeeded':
      return `${name(event.sub)} signed in${through}`;
    case 'sign_in.failed':
      return `a sign-in failed${event.sub ? ` for ${name(event.sub)}` : ''}${through}: ${text('reason')}`;
    case 'session.ended':
      return `a session of ${name(event.sub)} ended: ${text('reason')}`;
    case 'request.refused':
      return `${asking(event, { who, whose, name })}${at}: ${whyRefused(event, name)}`;
    default: {
      const known = ofRegistry(event, by, name(event.agentId || event.sub));
      if (known !== undefined) return known;
      return `${event.type} by ${by}${event.agentId || event.sub || event.clientId ? `: ${who}` : ''}${at}`;
    }
  }
}

/** The user; or for them another issuer, whose word is taken. */
const consented = ({ by, sub, detail }: RecordedEvent, name: (id?: string) => string): string =>
  detail?.asserted_by === undefined
    ? `${name(sub)} allowed `
    : `${name(by)} allowed, for ${name(sub)}, `;

/** Somebody who acted for an administrator, in their name. */
const authorOf = (actor: string, by: string | undefined, name: (id?: string) => string): string =>
  `${name(actor)}, for ${name(by)},`;

const usedBefore = ({ ended }: Readonly<Record<string, unknown>>, at: string): string =>
  `that was used before${at}: ${ended === true ? 'the authorization ended' : 'nothing came of it'}`;

/** Who was refused what, besides tokens. */
function asking(
  { agentId, by, clientId, detail, sub }: RecordedEvent,
  told: { readonly who: string; readonly whose: string; readonly name: (id?: string) => string },
): string {
  if (detail?.rule === 'foreign_token') {
    return `${told.name(by)} was refused what concerns a token of ${told.whose}`;
  }
  const asked = safeText(String(detail?.asked ?? '')) || 'a request';
  return agentId || sub
    ? `${told.who} was refused ${asked}`
    : `a request of ${told.name(clientId || by)} was refused`;
}

/** What came of an exchange (DESIGN §8c), of a proof, or of a grant. */
function issued(
  detail: Readonly<Record<string, unknown>>,
  name: (id: string) => string,
  at: string,
): string {
  const scope = safeText(String(detail.scope ?? '')) || 'no scope';
  if (detail.purpose === 'actor_token') return 'got a proof of who it is';
  if (detail.exchange === 'hand_off') {
    const [helper, where] = [detail.may_act, detail.for].map((id) => name(String(id ?? '')));
    return `handed work on to ${helper} at ${where}: ${scope}`;
  }
  if (detail.exchange === 'continue') return `exchanged a token${at} for one with ${scope}`;
  const word = detail.asserted_by === undefined ? '' : `, on the word of ${detail.asserted_by}`;
  return `got a token${at} for ${scope}${safeText(word)}`;
}

/** Ids in a detail, which verifiers wrote. */
const idsIn = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((id): id is string => typeof id === 'string') : [];

/** Whoever acted, newest first; the subject is none of them when it handed its own work on. */
function actingFor({ agentId, clientId, sub, detail }: RecordedEvent): string[] {
  // Whoever proved nobody asked with somebody's token all the same.
  const first = agentId || (detail?.parent_actor === undefined ? undefined : clientId);
  return first ? [first, ...idsIn(detail?.earlier_actors).filter((id) => id !== sub)] : [];
}

/**
 * "Checker, handed on by Scribe": agents hand work on, services are called. "Checker, with a token of
 * Scribe": nothing was, when that is what was refused.
 */
const actorsOf = (
  acting: readonly string[],
  name: (id: string) => string,
  refusedOf: string,
): string =>
  acting.map(name).reduce((said, one, n) => {
    if (n === 1 && acting[n] === refusedOf) return `${said}, with a token of ${one}`;
    return acting[n - 1]?.startsWith('agt_')
      ? `${said}, handed on by ${one}`
      : `${said}, called by ${one}`;
  });

/** The client a person would know: the one that asked, or where an actor asked itself, the first. */
function frontOf({ clientId, detail }: RecordedEvent, acting?: string): string | undefined {
  if (!clientId || clientId !== acting) return clientId || undefined;
  const actors = idsIn(detail?.earlier_actors);
  return idsIn(detail?.via).find((id) => id !== acting && !actors.includes(id));
}

/** Fields; of a permission, the scopes that came and went. */
function whatChanged(detail: Readonly<Record<string, unknown>>): string {
  const { fields, added, removed, altered } = detail;
  const [which, came, went, became] = [fields, added, removed, altered].map(list);
  const parts = [
    which,
    came && `added ${came}`,
    became && `changed ${became}`,
    went && `took away ${went}`,
  ];
  return safeText(parts.filter(Boolean).join('; '));
}

/** What administrators did. */
function ofRegistry(event: RecordedEvent, by: string, whom: string): string | undefined {
  const detail = event.detail ?? {};
  const text = (key: string): string => safeText(String(detail[key] ?? ''));
  const because = detail.reason === undefined ? '' : `: ${text('reason')}`;
  const thing = `${text('noun')} ${text('id')}`;
  const key = `${text('kid')} (${text('alg')})`;
  const done = event.type.split('.')[1];
  switch (event.type) {
    case 'agent.activated':
    case 'agent.paused':
    case 'agent.resumed':
    case 'agent.blocked':
    case 'agent.unblocked':
    case 'user.disabled':
    case 'user.enabled':
      return `${whom} was ${done} by ${by}${because}`;
    case 'registry.created':
      return detail.origin === 'registration'
        ? `${text('name')} registered itself as ${thing}`
        : `${by} registered ${thing}`;
    case 'registry.changed':
      return `${by} changed ${thing}: ${whatChanged(detail)}`;
    case 'registry.retired':
      return `${by} retired ${thing}${because}`;
    case 'credential.added':
    case 'credential.removed':
      return `${by} ${done} credential ${text('credential')} of ${thing}`;
    case 'world.applied':
      return `${by} applied a world file: ${text('created')} created, ${text('changed')} changed`;
    case 'bootstrap.used':
      return 'the bootstrap token is in use: nobody else could administer';
    case 'key.published':
      return `${by} published the next signing key ${key}`;
    case 'key.activated':
      return `${by} let the signing key ${key} take over`;
    case 'key.resealed':
      return `${by} sealed the signing key ${key} under the present BEHALF_SECRET`;
    case 'key.retired':
      return detail.compromised === true
        ? `${by} retired the compromised signing key ${key}${because}`
        : `the signing key ${key} retired: what it signed has run out`;
    default:
      return undefined;
  }
}

/** Sentences for many events at once: the names behind all their ids in one look-up. */
export async function sentences(
  events: readonly RecordedEvent[],
  namesOf: NamesOf,
): Promise<string[]> {
  const ids = events.flatMap(({ by, sub, agentId, clientId, resource, detail }) => [
    by,
    ...idsIn([detail?.act, detail?.may_act, detail?.for, detail?.stopped_by]),
    sub,
    agentId,
    clientId,
    resource,
    ...idsIn(detail?.earlier_actors),
    ...idsIn(detail?.via),
  ]);
  const names = await namesOf([...new Set(ids.filter((id) => id !== undefined && id !== null))]);
  return events.map((event) => sentence(event, (id) => names.get(id) ?? id));
}
