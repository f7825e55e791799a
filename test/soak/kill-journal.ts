// What a broker acknowledged before it was killed, kept on this side, and what the next one is asked
// about it: no stop lost, no token without its row, nothing half done.
import { type AccessTokenClaims, revocationKeys } from '../../src/protocol/index.js';
import { inBatches } from '../races/support/cluster.js';
import {
  type Answer,
  authFor,
  claimsOf,
  headerOf,
  postForm,
  type TestBroker,
} from '../support/broker.js';
import { admin } from '../support/keys.js';
import { FILES_CLIENT } from '../support/world.js';

interface Told {
  readonly token: string;
  readonly by: string;
  readonly refreshToken: string | undefined;
}

export interface Journal {
  readonly tokens: Told[];
  /** What tokens hang on (DESIGN §4) and was stopped for good, and said to be. */
  readonly stopped: Set<string>;
  /** What may have been stopped: it was asked for. */
  readonly attempted: Set<string>;
  /** Where the admin API shows those who were stopped. */
  readonly off: string[];
  /** What was done at least once, from beginning to end, by its name. */
  readonly done: Set<string>;
  /** Answers of a living broker that nobody expects. */
  readonly wrong: string[];
}

export const createJournal = (): Journal => ({
  tokens: [],
  stopped: new Set(),
  attempted: new Set(),
  off: [],
  done: new Set(),
  wrong: [],
});

/** @throws Error when it is no token */
export function told(journal: Journal, answer: Answer, by: string): string {
  const { access_token: token, refresh_token: refreshToken } = succeeded(answer).body;
  journal.tokens.push({ token, by, refreshToken });
  return token;
}

export function succeeded(answer: Answer): Answer {
  if (answer.status >= 300) throw new Error(`${answer.status} ${JSON.stringify(answer.body)}`);
  return answer;
}

/** Asks for a stop; from the answer on it counts. */
export async function stop(
  journal: Journal,
  key: string,
  act: () => Promise<Answer>,
): Promise<void> {
  journal.attempted.add(key);
  succeeded(await act());
  journal.stopped.add(key);
}

const keysOf = ({ token }: Told, kid?: string): string[] =>
  revocationKeys(claimsOf(token) as unknown as AccessTokenClaims, kid);
/** A token is stopped with its signing key, too; the grant behind it is not. */
const tokenKeys = (told: Told): string[] => keysOf(told, headerOf(told.token).kid as string);
const isAmong = (keys: ReadonlySet<string>, of: readonly string[]): boolean =>
  of.some((key) => keys.has(key));

export const stoppedTokens = ({ tokens, stopped }: Journal): Told[] =>
  tokens.filter((one) => isAmong(stopped, tokenKeys(one)));

const AT_ONCE = 8;

/** What introspection says of these tokens to the file server. */
export async function checkTokens(
  t: TestBroker,
  { stopped, attempted }: Journal,
  tokens: readonly Told[],
): Promise<string[]> {
  const problems = await inBatches(tokens, AT_ONCE, async (one) => {
    const fields = { token: one.token };
    const asked = authFor(t, FILES_CLIENT);
    const { body } = await postForm(`${t.issuer}/introspect`, fields, asked);
    const keys = tokenKeys(one);
    if (isAmong(stopped, keys)) {
      return body.active === false ? [] : [`an acknowledged stop was lost: ${keys[0]}`];
    }
    const mayBeDead = isAmong(attempted, keys) || !isInTime(one.token);
    return mayBeDead || body.active === true ? [] : [`a token has no row: ${keys[0]}`];
  });
  return problems.flat();
}

/** What the token endpoint says of refresh tokens whose grant was stopped: the durable ends. */
export async function checkRefreshTokens(
  t: TestBroker,
  { stopped }: Journal,
  tokens: readonly Told[],
): Promise<string[]> {
  const dead = tokens.filter(
    (one) => one.refreshToken !== undefined && isAmong(stopped, keysOf(one)),
  );
  const problems = await inBatches(dead, AT_ONCE, async ({ refreshToken = '', by, token }) => {
    const fields = { grant_type: 'refresh_token', refresh_token: refreshToken };
    const { status } = await postForm(`${t.issuer}/token`, fields, authFor(t, by));
    return status === 400 || status === 401
      ? []
      : [`a refresh token outlived its stop (${status}): ${claimsOf(token).jti}`];
  });
  return problems.flat();
}

export async function checkStates(t: TestBroker, paths: readonly string[]): Promise<string[]> {
  const problems = await inBatches(paths, AT_ONCE, async (path) => {
    const { status, body } = await admin(t, 'GET', path);
    const isOff = status === 200 && ['blocked', 'disabled', 'retired'].includes(body.status);
    return isOff ? [] : [`${path} is ${status} ${body.status}, and was stopped`];
  });
  return problems.flat();
}

/** Every link whole: no change without its event, no half of either. */
export async function checkAudit(t: TestBroker): Promise<string[]> {
  const { status, body } = await admin(t, 'POST', '/audit/verify', {});
  if (status !== 200) return [`the audit was not verified: ${status}`];
  return (body.findings as object[]).map((finding) => JSON.stringify(finding));
}

const MARGIN_SECONDS = 5;
const isInTime = (token: string): boolean =>
  Number(claimsOf(token).exp) > Date.now() / 1000 + MARGIN_SECONDS;
