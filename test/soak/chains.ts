// Chains of four actors, made hop by hop at both processes; stopped at their root at one, and asked
// about at the other by the next request (DESIGN §4, §13, G8): the token exchanged furthest from what
// was stopped is as dead as the first, there is nothing to refresh, and nothing more comes of it.
import { createBrowserless, walkPages } from '../../examples/demo/walk-pages.js';
import type { Cluster } from '../races/support/cluster.js';
import { redemption } from '../races/support/codes.js';
import { authorizeUrl, claimsOf, pkce, type TestBroker } from '../support/broker.js';
import { admin } from '../support/keys.js';
import { AGENT, ANA, FILES, FILES_CLIENT, HOST } from '../support/world.js';
import type { Figures } from './run.js';

const HELPERS = ['agt_second', 'agt_third', 'agt_fourth'] as const;
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** What is stopped: all that Ana allowed, or the first token of the chain. */
const STOPS = ['consent', 'root token'] as const;

export async function runChains(cluster: Cluster, trials: number): Promise<Figures> {
  const startedAt = performance.now();
  await registerHelpers(cluster);
  const wrong: string[] = [];
  for (let n = 0; n < trials; n += 1) wrong.push(...(await stopped(cluster, n)));
  return {
    what: 'chains of four that were stopped elsewhere',
    processes: 2,
    trials,
    attempts: trials,
    seconds: (performance.now() - startedAt) / 1000,
    wrong,
  };
}

/** Each takes work from the one before. */
async function registerHelpers(cluster: Cluster): Promise<void> {
  const at = { issuer: cluster.issuer };
  for (const [n, id] of HELPERS.entries()) {
    const takesWorkFrom = [HELPERS[n - 1] ?? AGENT];
    const made = await admin(at, 'POST', '/agents', {
      id,
      name: id,
      owner: 'Ops',
      takes_work_from: takesWorkFrom,
    });
    if (made.status !== 201) throw new Error(`${made.status} ${JSON.stringify(made.body)}`);
    (cluster.secrets as Record<string, string>)[id] = made.body.credential.secret;
    const may = `/permissions/${id}/${encodeURIComponent(FILES)}`;
    await admin(at, 'PUT', may, { scopes: ['files:read'] });
  }
}

interface Chain {
  /** The first token, and each that was exchanged from the one before. */
  readonly tokens: readonly string[];
  readonly refreshToken: string;
}

async function stopped(cluster: Cluster, n: number): Promise<string[]> {
  const [first, second] = cluster.origins;
  const [here, there] = n % 2 === 0 ? [first, second] : [second, first];
  const what = STOPS[Math.floor(n / 2) % STOPS.length] as (typeof STOPS)[number];
  const chain = await makeChain(cluster);
  const [root = '', ...others] = chain.tokens;
  const deepest = others.at(-1) ?? '';
  const before = await states(cluster, there, chain.tokens);
  if (what === 'consent') {
    const [consent] = String(claimsOf(root).jti).split('.');
    await admin({ issuer: here }, 'DELETE', `/consents/${consent}`);
  } else {
    await cluster.post(here, '/revoke', { token: root }, HOST);
  }
  const after = await states(cluster, there, chain.tokens);
  const on = await exchange(cluster, there, HELPERS[2], deepest);
  const refresh = { grant_type: 'refresh_token', refresh_token: chain.refreshToken };
  const refreshed = await cluster.post(there, '/token', refresh, HOST);
  const came = [before, after, on.body.error, refreshed.status].join(' | ');
  const all = (state: boolean): string => chain.tokens.map(() => state).join();
  // A token that is given back ends itself and what came of it; the authorization goes on.
  const expected = [all(true), all(false), 'invalid_request', what === 'consent' ? 400 : 200];
  return came === expected.join(' | ') ? [] : [`${what}: ${came}`];
}

/** As the file server is told. */
async function states(cluster: Cluster, origin: string, tokens: readonly string[]) {
  const answers = await Promise.all(
    tokens.map((token) => cluster.post(origin, '/introspect', { token }, FILES_CLIENT)),
  );
  return answers.map(({ body }) => body.active).join();
}

/** Ana lets her agent hand work on three times; every hop is made at the other process. */
async function makeChain(cluster: Cluster): Promise<Chain> {
  const { verifier, challenge } = pkce();
  const params = { prompt: 'consent', scope: 'files:read' };
  const url = authorizeUrl({ issuer: cluster.issuer } as TestBroker, challenge, params);
  const browser = createBrowserless(cluster.issuer);
  const callback = await walkPages(browser, url, { ...ANA, helpers: HELPERS.length });
  const code = callback.searchParams.get('code') ?? '';
  const own = { grant_type: 'client_credentials', resource: cluster.issuer };
  const proof = (await cluster.post(cluster.origins[1], '/token', own, AGENT)).body.access_token;
  const form = redemption({ code, verifier }, proof);
  const { body } = await cluster.post(cluster.origins[0], '/token', form, HOST);
  const tokens = [body.access_token as string];
  for (const [n, helper] of HELPERS.entries()) {
    const origin = cluster.origins[(n + 1) % 2] as string;
    const answer = await exchange(cluster, origin, helper, tokens.at(-1) ?? '');
    if (answer.status !== 200) throw new Error(`no hop: ${JSON.stringify(answer.body)}`);
    tokens.push(answer.body.access_token);
  }
  return { tokens, refreshToken: body.refresh_token };
}

const exchange = (cluster: Cluster, origin: string, as: string, token: string) =>
  cluster.post(
    origin,
    '/token',
    { grant_type: EXCHANGE, subject_token: token, subject_token_type: ACCESS_TOKEN },
    as,
  );
