// One attack, and the oracle that judges it: not only what the attacker was told, but what is alive
// afterwards, what the audit knows, what the logs and pages give away, and that nothing broke.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.js';
import type { Answer } from './http.js';
import type { Tally } from './journal.js';
import { dump, type Event, eventsSince, type Kind, kindOf, living } from './ledger.js';
import { type AttackWorld, startAttackWorld } from './world.js';

export interface Attack {
  /** Of the threat catalogue: `C3`. */
  readonly id: string;
  /** A sentence: what is tried. */
  readonly name: string;
  /** Incidents, by number or CVE. */
  readonly refs?: readonly string[];
  /** Tries it; what the attacker saw. */
  run(w: AttackWorld): Promise<unknown>;
  /** Exactly. */
  readonly expected: unknown;
  /** Why no audit event says so. */
  readonly unaudited?: string;
  /** What may be alive afterwards, and why the attacker could have had it anyway. */
  readonly legitimate?: { readonly kinds: readonly Kind[]; readonly because: string };
  /** What was broken on purpose, so that 503 is the right answer. */
  readonly broken?: string;
  /** Why its own client may be given an answer a second time. */
  readonly repeats?: string;
  /** The nearest thing that must still work; throws, or answers other than 200, when it does not. */
  neighbour?(w: AttackWorld): Promise<unknown>;
}

/** Why there is no event: said once, here. */
export const NEVER_ARRIVED = 'the request is not one: refused by the parser, before any endpoint';
export const NOTHING_DECIDED = 'nothing was decided: the answer is the same for everybody';
export const NO_SUCH_PLACE = 'there is no such page in this browser: a guess at an address';
export const ANSWERED = 'an answer, not a refusal: inactive, to whoever may not know';
export const SERVED = 'served as asked: the attack is that something else might have happened';

const REFUSALS = new Set([
  'token.refused',
  'request.refused',
  'code.replayed',
  'refresh_token.replayed',
  'consent.denied',
  'sign_in.failed',
  'grant.ended',
]);

/** What an attacker sees of an answer, in a few words: the same words the tables expect. */
export function seen(answer: Answer): string {
  const { status, headers, body, text } = answer;
  const { location } = headers;
  if (location !== undefined) return `${status} to ${destination(location)}`;
  if (typeof body === 'object' && body !== null && typeof body.error === 'string') {
    return `${status} ${body.error}`;
  }
  if (typeof body === 'object') return `${status} json`;
  if (headers['content-type']?.includes('html') === true) {
    const stage = /action="[^"]*\/(sign-in|decision)"/.exec(text)?.[1];
    return `${status} page${stage === undefined ? '' : ` ${stage}`}`;
  }
  return `${status}${text === '' ? '' : ' text'}`;
}

/** What a redirect to a client says; errors about a response type travel where that type would (A7). */
export function responseIn(location: string): URLSearchParams {
  const { searchParams, hash } = new URL(location);
  return hash === '' ? searchParams : new URLSearchParams(hash.slice(1));
}

function destination(location: string): string {
  if (location.startsWith('/interaction/')) return 'interaction';
  if (!URL.canParse(location)) return location;
  const { pathname, hostname } = new URL(location);
  const answer = responseIn(location);
  const error = answer.get('error');
  if (error !== null) return `client ${error}`;
  if (answer.has('code')) return 'client with a code';
  if (hostname === '127.0.0.1' && /^\/(interaction|authorize)\//.test(pathname)) {
    return pathname.split('/')[1] as string;
  }
  return location;
}

export const seenAll = async (answers: readonly Promise<Answer>[]): Promise<string[]> =>
  (await Promise.all(answers)).map(seen);

/** Counts equal sights: `{ '200 json': 1, '400 invalid_grant': 19 }`. */
export function tallied(sights: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const sight of sights) counts[sight] = (counts[sight] ?? 0) + 1;
  return counts;
}

export const title = ({ id, name, refs = [] }: Attack): string =>
  `${id} ${name}${refs.length === 0 ? '' : ` (${refs.join(', ')})`}`;

/** One suite for one class of the catalogue, against one process. */
export function runAttacks(
  name: string,
  attacks: readonly Attack[],
  settings?: Parameters<typeof startAttackWorld>[0],
): void {
  describe(name, () => {
    let w: AttackWorld;
    beforeAll(async () => {
      w = await startAttackWorld(settings);
    });
    afterAll(() => w?.close());
    for (const attack of attacks) {
      it(title(attack), async () => {
        const tally = await w.begin();
        const result = await attack.run(w);
        const findings = await judge(w, attack, tally);
        const said = JSON.stringify({ result, findings });
        expect({ result, findings }, said).toEqual({ result: attack.expected, findings: [] });
        if (attack.neighbour === undefined) return;
        const still = await w.honestly(async () => attack.neighbour?.(w));
        if (isAnswer(still)) expect(`neighbour: ${seen(still)}`).toBe('neighbour: 200 json');
      });
    }
    it('left no secret in the log, nor one of use in the database', async () => {
      const all = w.canaries.list();
      expect(w.canaries.found(w.output(), all)).toEqual([]);
      expect(w.canaries.found(await dump(w.db), all)).toEqual([]);
    });
  });
}

const isAnswer = (value: unknown): value is Answer =>
  typeof value === 'object' && value !== null && 'status' in value && 'setCookies' in value;

/** Everything the catalogue asks for after every attack (the global oracle). */
export async function judge(
  w: AttackWorld,
  attack: Attack,
  tally: Tally,
  wait: typeof eventually = eventually,
): Promise<string[]> {
  const findings: string[] = [];
  const { exchanges } = tally;
  for (const { method, path, answer } of exchanges) {
    const where = `${method} ${path.split('?')[0]}`;
    for (const problem of problemsOf(w, attack, answer)) findings.push(`${where}: ${problem}`);
  }
  findings.push(...(await unearned(w, attack, tally)));
  if (attack.repeats === undefined) findings.push(...leaksOf(w, tally));
  const honest = (id: number) =>
    tally.spoken.some(([from, to]) => Number(id) > from && Number(id) <= to);
  const tellsRefusal = ({ id, type }: Event) => REFUSALS.has(type) && !honest(id);
  const events = await eventsOf(w, attack, tally, tellsRefusal, wait);
  const refused = events.some(tellsRefusal);
  if (!refused && attack.unaudited === undefined)
    findings.push('no audit event says it was refused');
  if (refused && attack.unaudited !== undefined) findings.push('an audit event exists after all');
  for (const { type, text } of events) {
    for (const what of w.canaries.found(text)) findings.push(`audit ${type} holds ${what}`);
  }
  return [...new Set(findings)];
}

/** A refusal may be written down after its connection is gone: where there must be one, it is waited for. */
async function eventsOf(
  { db }: AttackWorld,
  { unaudited }: Attack,
  { since }: Tally,
  isAwaited: (event: Event) => boolean,
  wait: typeof eventually,
): Promise<Event[]> {
  const look = () => eventsSince(db, since);
  if (unaudited !== undefined) return look();
  const found = async () => {
    const events = await look();
    if (!events.some(isAwaited)) throw new Error('nothing is written yet');
    return events;
  };
  return wait(found).catch(look);
}

function problemsOf(
  w: AttackWorld,
  { broken }: Attack,
  { status, headers, text }: Answer,
): string[] {
  const { location } = headers;
  const isPage = headers['content-type']?.includes('html') === true;
  const framing = headers['content-security-policy'] ?? '';
  const away = location !== undefined && URL.canParse(location) && !location.startsWith(w.issuer);
  const rules: ReadonlyArray<readonly [boolean, string]> = [
    [status >= 500 && !(status === 503 && broken !== undefined), `answered ${status}`],
    [status === 307 || status === 308, `answered ${status}, which repeats a POST (A11)`],
    [isPage && !framing.includes("frame-ancestors 'none'"), 'may be framed (A14)'],
    [isPage && headers['x-frame-options'] !== 'DENY', 'may be framed by old browsers (A14)'],
    [isPage && headers['access-control-allow-origin'] !== undefined, 'is open to scripts (A13)'],
    [
      isPage && /<script/i.test(text) && !framing.includes("script-src 'sha256-"),
      'has a script that may not run',
    ],
    [isPage && /unsafe-(inline|eval)|\son\w+=/i.test(framing), 'allows scripts of anybody'],
    [
      away && responseIn(location).has('code') && location.includes('#'),
      'puts a code in a fragment (A7)',
    ],
    [
      (isPage || text.includes('"error"')) && !/no-store/.test(headers['cache-control'] ?? ''),
      'may be cached (P16)',
    ],
    [away && responseIn(location).get('iss') !== w.issuer, 'leaves without iss (A6)'],
    [headers['x-evil'] !== undefined, 'carries an injected header (P6)'],
    [/\bat [\w.<>]+ \(?(file:|node:|\/)/.test(text), 'shows a stack trace (M11)'],
  ];
  return rules.filter(([broken]) => broken).map(([, problem]) => problem);
}

/** Alive, new, and not by an honest step: an attack that worked, unless the case says why not. */
async function unearned(w: AttackWorld, attack: Attack, tally: Tally): Promise<string[]> {
  const findings: string[] = [];
  const allowed = attack.legitimate?.kinds ?? [];
  for (const name of await living(w.db, tally.since)) {
    if (tally.before.has(name) || tally.honest.has(name) || allowed.includes(kindOf(name)))
      continue;
    findings.push(`alive afterwards: ${name}`);
  }
  const won = tally.exchanges.filter(({ honest }) => !honest).map(({ answer }) => answer.body);
  for (const body of won) {
    const token = typeof body === 'object' && body !== null ? body.access_token : undefined;
    if (typeof token !== 'string' || allowed.includes('token')) continue;
    for (const as of [undefined, clientOf(token)]) {
      const { body: told } = await w.introspect(token, as);
      if (told.active !== false) findings.push('an access token of the attack is active');
    }
  }
  return findings;
}

const clientOf = (token: string): string | undefined => {
  try {
    return JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()).client_id;
  } catch {
    return undefined;
  }
};

/** An answer may hold a secret that is born in it, never one that was known before. */
function leaksOf(w: AttackWorld, { exchanges }: Tally): string[] {
  const all = w.canaries.list();
  return exchanges.flatMap(({ method, path, answer, knownBefore }) => {
    const text = `${JSON.stringify(answer.headers)}\n${answer.text}`;
    return w.canaries
      .found(text, all.slice(0, knownBefore))
      .map((what) => `${method} ${path.split('?')[0]} gives back ${what}`);
  });
}
