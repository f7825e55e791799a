/**
 * Why an event or a token is what it is: the rule that decided, what was stopped by whom, and the
 * smallest change that would allow it now. Reads only; a token is looked at and kept nowhere.
 */
import { kidKey, parseScope, revocationKeys } from '../../protocol/index.js';
import { createAdminResource } from '../admin/resource.js';
import { sentences } from '../audit/sentence.js';
import { findEvent, findIssued, type NamesOf, type RecordedEvent } from '../audit/store.js';
import { ruleInWords, takenAwayIn, takenInWords } from '../audit/why.js';
import type { Database } from '../db/database.js';
import { createFactsCache } from '../facts/store.js';
import { verificationKeys } from '../keys/store.js';
import { invalid, notFound } from '../registry/refusal.js';
import { createTokenReader, type VerifiedToken } from '../tokens/access-tokens.js';
import { type Explained, explain } from './policy.js';
import { claimsOf, questionOf, type Sources } from './questions.js';
import { idsIn, type Step, stepsOf } from './words.js';

export interface Ended {
  readonly key: string;
  readonly revokedAt: Date;
  readonly by: string;
  readonly reason: string;
}

export interface Explanation {
  readonly about: 'event' | 'token';
  /** What happened, in a sentence; of a token, its issue. */
  readonly sentence: string;
  /** Of a token: whether it can be used. */
  readonly state: 'alive' | 'expired' | 'stopped' | 'not_recorded' | null;
  readonly expiresAt: Date | null;
  readonly eventId: number | null;
  readonly jti: string | null;
  /** The rule that decided then, by its name. */
  readonly rule: string | null;
  readonly why: string | null;
  readonly asked: readonly string[];
  readonly granted: readonly string[];
  readonly takenAway: ReadonlyArray<{ readonly scope: string; readonly by: readonly string[] }>;
  /** What stops it, or what it hangs on. */
  readonly stops: readonly Ended[];
  /** How it would be decided now; null where nothing about rights was decided. */
  readonly now: 'allowed' | 'refused' | null;
  readonly nowWhy: string | null;
  /** The smallest change that would allow it now: empty, none is needed; null, there is none. */
  readonly change: readonly Step[] | null;
}

export interface ExplainDeps {
  readonly db: Database;
  readonly issuer: string;
  readonly namesOf: NamesOf;
}

/** @throws Refusal when it is neither the number of an event nor a token of ours */
export async function explainWhat(deps: ExplainDeps, what: string): Promise<Explanation> {
  const text = what.trim();
  if (/^\d{1,15}$/.test(text)) {
    const event = await findEvent(deps.db.orm, Number(text));
    if (event === undefined) throw notFound('event', text);
    return explainEvent(deps, event);
  }
  const keys = await verificationKeys(deps.db.orm);
  const reader = createTokenReader({ db: deps.db, issuer: deps.issuer, keys: () => keys });
  const token = await reader.verify(text);
  if (token === undefined) {
    const message = 'is neither the number of an event nor a token that this issuer signed';
    throw invalid({ path: ['of'], message });
  }
  return explainToken(deps, token, await reader.isAlive(token));
}

async function explainEvent(deps: ExplainDeps, event: RecordedEvent): Promise<Explanation> {
  const stops = await stopsOf(deps, await keysOf(deps, event));
  return { about: 'event', state: null, expiresAt: null, ...(await told(deps, event, stops)) };
}

async function explainToken(
  deps: ExplainDeps,
  { claims, kid }: VerifiedToken,
  alive: boolean,
): Promise<Explanation> {
  const [event, stops] = await Promise.all([
    findIssued(deps.db.orm, claims.jti),
    stopsOf(deps, { keys: revocationKeys(claims, kid), iat: claims.iat }),
  ]);
  const over = claims.exp * 1000 <= Date.now();
  const expiresAt = new Date(claims.exp * 1000);
  const common = { about: 'token', expiresAt } as const;
  if (event === undefined) {
    const state = 'not_recorded';
    const sentence = 'no such token was recorded';
    return { ...NOTHING, ...common, state, sentence, jti: claims.jti, stops };
  }
  const state = alive ? 'alive' : stops.length > 0 ? 'stopped' : over ? 'expired' : 'not_recorded';
  return { ...(await told(deps, event, stops)), ...common, state };
}

const NOTHING: Explanation = {
  about: 'event',
  sentence: '',
  state: null,
  expiresAt: null,
  eventId: null,
  jti: null,
  rule: null,
  why: null,
  asked: [],
  granted: [],
  takenAway: [],
  stops: [],
  now: null,
  nowWhy: null,
  change: null,
};

async function told(
  deps: ExplainDeps,
  event: RecordedEvent,
  stops: readonly Ended[],
): Promise<Omit<Explanation, 'about' | 'state' | 'expiresAt'>> {
  const { db, issuer, namesOf } = deps;
  const cache = createFactsCache(db, Date.now, [createAdminResource(issuer)]);
  const facts = await cache.fresh();
  const sources: Sources = { db: db.orm, facts, issuer, now: Date.now };
  const question = await questionOf(sources, event);
  const outcome = question === undefined ? undefined : explain(question);
  const change = outcome?.change;
  const { agentId, clientId, resource, sub } = event;
  const ids = [agentId, clientId, resource, sub].filter((id) => typeof id === 'string');
  const names = await namesOf([...new Set([...ids, ...idsIn(change ?? [])])]);
  const name = (id: string | null | undefined) => (id ? (names.get(id) ?? id) : 'nobody');
  const who = {
    agent: name(agentId ?? sub),
    user: name(sub),
    client: name(clientId),
    resource: name(resource),
  };
  const [sentence = ''] = await sentences([event], namesOf);
  const detail = event.detail ?? {};
  const takenAway = takenAwayIn(detail);
  const rule = typeof detail.rule === 'string' ? detail.rule : ruleOf(event);
  const tools = Array.isArray(detail.required) ? detail.required.map(String) : [];
  const isRefusal = event.type.endsWith('.refused');
  return {
    sentence,
    eventId: event.id,
    jti: event.jti ?? null,
    rule,
    why: takenAway.length > 0 ? takenInWords(takenAway, who) : rule && (ruleInWords(rule) ?? rule),
    asked: tools.length > 0 ? tools : parseScope(String(detail.asked ?? '')),
    granted: isRefusal ? [] : parseScope(String(detail.scope ?? '')),
    takenAway,
    stops,
    now:
      outcome === undefined ? null : stops.length === 0 && outcome.allowed ? 'allowed' : 'refused',
    nowWhy: outcome === undefined ? null : whyNow(outcome, stops, who),
    change: change === undefined ? null : await steps(sources, change, stops, name),
  };
}

/** What stands against it now. */
function whyNow(
  { allowed, rule, takenAway }: Explained,
  stops: readonly Ended[],
  who: Parameters<typeof takenInWords>[1],
): string | null {
  if (takenAway.length > 0) return takenInWords(takenAway, who);
  if (rule !== undefined) return ruleInWords(rule) ?? rule;
  return !allowed || stops.length > 0 ? 'what it hangs on was stopped' : null;
}

/** What is stopped never comes back: where nothing else has to change, it takes a new token. */
async function steps(
  { facts }: Sources,
  change: NonNullable<Explained['change']>,
  stops: readonly Ended[],
  name: (id: string) => string,
): Promise<Step[]> {
  if (stops.length > 0 && change.length === 0) {
    return [{ says: 'ask for a new token: this one stays stopped', command: null }];
  }
  return stepsOf(facts, change, name);
}

/** Of decisions that verifiers report, which name no rule of ours. */
function ruleOf({ type, detail }: RecordedEvent): string | null {
  if (type !== 'tool.refused') return null;
  const lacks = (name: string) => Array.isArray(detail?.[name]) && detail[name].length > 0;
  if (lacks('missing_agent')) return 'missing_agent';
  if (lacks('missing_user')) return 'missing_user';
  return typeof detail?.code === 'string' ? detail.code : null;
}

interface Keys {
  readonly keys: readonly string[];
  /** Seconds; absent: whenever it was issued. */
  readonly iat?: number;
}

/** What could have stopped what an event is about. */
async function keysOf({ db, issuer }: ExplainDeps, event: RecordedEvent): Promise<Keys> {
  const { stopped_by: stoppedBy, parent, kid } = event.detail ?? {};
  if (typeof stoppedBy === 'string') return { keys: [stoppedBy] };
  const jti = event.type === 'token.refused' ? parent : event.jti;
  const token = typeof jti === 'string' ? await findIssued(db.orm, jti) : undefined;
  if (token === undefined) return { keys: [] };
  const claims = claimsOf(issuer, token);
  const signed = typeof kid === 'string' ? [kidKey(kid)] : [];
  return { keys: [...revocationKeys(claims), ...signed], iat: claims.iat };
}

const STOPS = `
select key, revoked_at, by, reason from revocations
where key in (select jsonb_array_elements_text($1::text::jsonb))
  and ($2::bigint is null or always or floor(extract(epoch from revoked_at)) >= $2::bigint)
order by id`;

async function stopsOf({ db }: ExplainDeps, { keys, iat }: Keys): Promise<Ended[]> {
  if (keys.length === 0) return [];
  const rows = await db.run<{ key: string; revoked_at: Date; by: string; reason: string }>(STOPS, [
    JSON.stringify(keys),
    iat ?? null,
  ]);
  return rows.map(({ revoked_at: at, ...row }) => ({ ...row, revokedAt: new Date(at) }));
}
