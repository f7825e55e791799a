// Stopped at one process, asked at the other: never stale (DESIGN §13, G8). A trial is a token that
// the other process has just called active, revoked here, and asked about there at once.
import { type Cluster, inBatches } from '../races/support/cluster.js';
import type { Answer } from '../support/broker.js';
import { admin } from '../support/keys.js';
import { AGENT, FILES, OTHER_AGENT } from '../support/world.js';
import type { Figures } from './run.js';

const AT_ONCE = 20;
/** Of each so many trials one pauses and resumes an agent: a cached fact, not a token's own. */
const PAUSE_EVERY = 40;
const ATTEMPTS_MAX = 20;
const NEXT_MS = 250;

export async function runStale(cluster: Cluster, trials: number): Promise<Figures> {
  const startedAt = performance.now();
  const pauses = Math.ceil(trials / PAUSE_EVERY);
  const revocations = [...Array(trials - pauses).keys()];
  // Beside each other: a pause waits for the second to be over, and a revocation for nothing.
  const [ofTokens, ofAgents] = await Promise.all([
    inBatches(revocations, AT_ONCE, (n) => revoked(cluster, n)),
    inBatches([...Array(pauses).keys()], 1, (n) => paused(cluster, n)),
  ]);
  return {
    what: `stale answers (${pauses} to pauses)`,
    processes: 2,
    trials,
    attempts: trials,
    seconds: (performance.now() - startedAt) / 1000,
    wrong: [...ofTokens, ...ofAgents].flat(),
  };
}

const pick = ({ origins: [a, b] }: Cluster, n: number) =>
  n % 2 === 0 ? { here: a, there: b } : { here: b, there: a };

/** An overloaded machine answers 503, which promises nothing: asked again until it is done. */
async function answered(
  cluster: Cluster,
  origin: string,
  path: string,
  fields: Readonly<Record<string, string>>,
  by: string,
): Promise<Answer> {
  for (let attempt = 1; ; attempt += 1) {
    const answer = await cluster.post(origin, path, fields, by);
    if (answer.status !== 503 || attempt === ATTEMPTS_MAX) return answer;
    await new Promise((resolve) => setTimeout(resolve, NEXT_MS));
  }
}

const OWN = { grant_type: 'client_credentials', resource: FILES, scope: 'files:read' };
const ownToken = (cluster: Cluster, origin: string, agent: string) =>
  answered(cluster, origin, '/token', OWN, agent);

async function isActive(cluster: Cluster, origin: string, token: string, by: string) {
  const { status, body } = await answered(cluster, origin, '/introspect', { token }, by);
  return status === 200 ? (body.active as boolean) : `${status}`;
}

async function revoked(cluster: Cluster, n: number): Promise<string[]> {
  const { here, there } = pick(cluster, n);
  const issued = await ownToken(cluster, here, AGENT);
  if (issued.status !== 200) return [`not issued: ${issued.status}`];
  const token = issued.body.access_token as string;
  const before = await isActive(cluster, there, token, AGENT);
  const { status } = await answered(cluster, here, '/revoke', { token }, AGENT);
  const after = await isActive(cluster, there, token, AGENT);
  return before === true && after === false
    ? []
    : [`revoked (${status}): ${before}, then ${after}`];
}

/** Asked by the file server: the agent itself may not even ask any more. */
async function paused(cluster: Cluster, n: number): Promise<string[]> {
  const { here, there } = pick(cluster, n);
  const token = await liveToken(cluster, there);
  const asked = () => isActive(cluster, there, token, 'cli_files');
  const set = (status: string) =>
    admin({ issuer: here }, 'PUT', `/agents/${OTHER_AGENT}/status`, { status, reason: 'soak' });
  await set('paused');
  const after = await asked();
  const { body } = await ownToken(cluster, there, OTHER_AGENT);
  await set('active');
  const again = await asked();
  // By the authentication, or by the gate where the process had not heard of it.
  const isRefused = ['invalid_client', 'unauthorized_client'].includes(body.error);
  return after === false && isRefused && again === false
    ? []
    : [`paused: ${after}, ${body.error ?? 'issued'}, ${again}`];
}

/** One that is active: a token of the very second of the last pause is dead, as it should be. */
async function liveToken(cluster: Cluster, origin: string): Promise<string> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const { body } = await ownToken(cluster, origin, OTHER_AGENT);
    if ((await isActive(cluster, origin, body.access_token, 'cli_files')) === true)
      return body.access_token;
    await new Promise((resolve) => setTimeout(resolve, NEXT_MS));
  }
  throw new Error('no token of an active agent was active');
}
