// kill −9 at random points (G5): a broker in a process of its own is killed in the middle of code
// exchange, consent, refresh, exchange, revocation and key rotation. What was acknowledged is kept in
// a journal on this side; the next process is asked about all of it.
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createBrowserless, walkPages } from '../../examples/demo/walk-pages.js';
import { openPglite } from '../../src/broker/db/pglite.js';
import { type Child, startChild } from '../store/support/child.js';
import {
  type Answer,
  authFor,
  authorizeUrl,
  claimsOf,
  freePort,
  pkce,
  postForm,
  ROOT_SECRET,
  redeem,
  type TestBroker,
} from '../support/broker.js';
import { openTestPostgres } from '../support/databases.js';
import { admin } from '../support/keys.js';
import { createScratch } from '../support/scratch.js';
import { AGENT, ANA, FILES, HOST, type Secrets, seedWorld } from '../support/world.js';
import type { Figures } from './run.js';

const KILL_WITHIN_MS = 300;
const ANSWERS_MAX = 40;
const WARM_UP_MAX_MS = 3000;
const LOOK_MS = 5;
/** Asked about again after each kill; everything that was stopped is asked about once more at the end. */
const REMEMBERED = 60;
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

interface Told {
  readonly token: string;
  readonly by: string;
}

/** What the broker had acknowledged, and what it may or may not have done when it was killed. */
interface Journal {
  readonly tokens: Told[];
  /** Prefixes of token ids. */
  readonly stopped: Set<string>;
  readonly attempted: Set<string>;
}

interface Place {
  readonly issuer: string;
  readonly secrets: Secrets;
  start(): Promise<Child>;
  close(): Promise<void>;
}

export type Kind = 'PostgreSQL' | 'PGlite';

export async function runKills(kind: Kind, kills: number): Promise<Figures> {
  const startedAt = performance.now();
  const place = await (kind === 'PGlite' ? pglitePlace() : postgresPlace());
  const t = place as unknown as TestBroker;
  const journal: Journal = { tokens: [], stopped: new Set(), attempted: new Set() };
  const wrong: string[] = [];
  let child = await place.start();
  for (let n = 0; n < kills; n += 1) {
    const browser = createBrowserless(t.issuer);
    const works = Promise.allSettled([
      ownTokens(t, journal),
      delegated(t, journal, browser),
      rotations(t),
    ]);
    await underWay(journal);
    child.kill('SIGKILL');
    await child.ended;
    await works;
    child = await place.start();
    wrong.push(...(await check(t, journal, journal.tokens.slice(-REMEMBERED))));
  }
  const stopped = journal.tokens.filter(({ token }) => isUnder(journal.stopped, token));
  wrong.push(...(await check(t, journal, stopped)));
  wrong.push(...(await auditProblems(t)));
  child.kill();
  await child.ended;
  await place.close();
  return {
    what: `kill -9, ${kind} (${journal.tokens.length} tokens, ${journal.stopped.size} stops)`,
    processes: 1,
    trials: kills,
    attempts: journal.tokens.length + journal.stopped.size,
    seconds: (performance.now() - startedAt) / 1000,
    wrong,
  };
}

/** Somewhere in a flow: a random number of answers from now, and a random time after that. */
async function underWay(journal: Journal): Promise<void> {
  const enough = journal.tokens.length + Math.floor(Math.random() * ANSWERS_MAX);
  for (let waited = 0; journal.tokens.length < enough && waited < WARM_UP_MAX_MS; waited += LOOK_MS)
    await sleep(LOOK_MS);
  await sleep(Math.random() * KILL_WITHIN_MS);
}

const childOf = (issuer: string, port: number, more: object): Child =>
  startChild(import.meta.url, '../races/support/broker-process.ts', {
    issuer,
    port,
    secret: ROOT_SECRET,
    ...more,
  });

async function started(child: Child): Promise<Child> {
  await child.next();
  return child;
}

const MORE = { keyLeadSeconds: 0 };

async function postgresPlace(): Promise<Place> {
  const opened = await openTestPostgres();
  const secrets = await seedWorld(opened.db);
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  return {
    issuer,
    secrets,
    start: () => started(childOf(issuer, port, { databaseUrl: opened.url, more: MORE })),
    close: () => opened.close(),
  };
}

async function pglitePlace(): Promise<Place> {
  const scratch = createScratch('kill');
  const dataDir = join(scratch.dir, 'data');
  const db = await openPglite({ directory: dataDir });
  const secrets = await seedWorld(db);
  await db.close();
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  return {
    issuer,
    secrets,
    start: () => started(childOf(issuer, port, { more: { ...MORE, dataDir } })),
    close: () => scratch.dispose(),
  };
}

/** Until the broker is gone: every failure to speak ends the work. */
async function ownTokens(t: TestBroker, journal: Journal): Promise<void> {
  for (;;) {
    const fields = { grant_type: 'client_credentials', resource: FILES, scope: 'files:read' };
    const token = told(
      journal,
      await postForm(`${t.issuer}/token`, fields, authFor(t, AGENT)),
      AGENT,
    );
    const id = String(claimsOf(token).jti);
    journal.attempted.add(id);
    const { status } = await postForm(`${t.issuer}/revoke`, { token }, authFor(t, AGENT));
    if (status === 200) journal.stopped.add(id);
  }
}

async function delegated(
  t: TestBroker,
  journal: Journal,
  browser: ReturnType<typeof createBrowserless>,
): Promise<void> {
  for (let n = 0; ; n += 1) {
    const { verifier, challenge } = pkce();
    const callback = await walkPages(browser, authorizeUrl(t, challenge), ANA);
    const code = callback.searchParams.get('code') ?? '';
    const first = await redeem(t, { code, verifier });
    const token = told(journal, first, HOST);
    const fields = {
      grant_type: EXCHANGE,
      subject_token: token,
      subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
    };
    told(journal, await postForm(`${t.issuer}/token`, fields, authFor(t, AGENT)), AGENT);
    const refresh = {
      grant_type: 'refresh_token',
      refresh_token: first.body.refresh_token as string,
    };
    told(journal, await postForm(`${t.issuer}/token`, refresh, authFor(t, HOST)), HOST);
    const [consent = '', grant = ''] = String(claimsOf(token).jti).split('.');
    const [noun, id, path] =
      n % 2 === 0 ? ['grants', grant, `${consent}.${grant}`] : ['consents', consent, consent];
    journal.attempted.add(path as string);
    const ended = await admin(t, 'DELETE', `/${noun}/${id}`);
    if (ended.status === 200) journal.stopped.add(path as string);
  }
}

async function rotations(t: TestBroker): Promise<void> {
  for (;;) await admin(t, 'POST', '/keys/rotate', {});
}

function told(journal: Journal, { status, body }: Answer, by: string): string {
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  journal.tokens.push({ token: body.access_token, by });
  return body.access_token;
}

const isUnder = (keys: ReadonlySet<string>, token: string): boolean => {
  const path = String(claimsOf(token).jti).split('.');
  return path.some((_, n) => keys.has(path.slice(0, n + 1).join('.')));
};

async function check(t: TestBroker, journal: Journal, tokens: readonly Told[]): Promise<string[]> {
  const problems: string[] = [];
  for (const { token, by } of tokens) {
    const { body } = await postForm(`${t.issuer}/introspect`, { token }, authFor(t, by));
    const id = String(claimsOf(token).jti);
    if (isUnder(journal.stopped, token)) {
      if (body.active !== false) problems.push(`an acknowledged stop was lost: ${id}`);
    } else if (!isUnder(journal.attempted, token) && body.active !== true && isInTime(token)) {
      problems.push(`an acknowledged token has no row: ${id}`);
    }
  }
  return problems;
}

const MARGIN_SECONDS = 5;
const isInTime = (token: string): boolean =>
  Number(claimsOf(token).exp) > Date.now() / 1000 + MARGIN_SECONDS;

/** Every link whole: no change without its event, no half of either. */
async function auditProblems(t: TestBroker): Promise<string[]> {
  const { status, body } = await admin(t, 'POST', '/audit/verify', {});
  if (status !== 200) return [`the audit was not verified: ${status}`];
  return (body.findings as object[]).map((finding) => JSON.stringify(finding));
}
