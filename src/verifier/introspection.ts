/**
 * Asks the issuer whether a token is alive (RFC 7662), where a resource cannot wait for the feed or has
 * tokens it cannot read. An issuer that does not answer is an outage, with a rule of its own; an
 * answer that is not plainly `active: true` is a no.
 */
import { AuthError } from './auth-error.js';
import { readBody } from './fetch-json.js';
import { discover, type MetadataOptions } from './metadata.js';
import { basicAuthorization, type ReportCredentials } from './report.js';
import {
  readSignedAnswer,
  refuseAnswer,
  SIGNED_ANSWER_TYPE,
  type SignedAnswerRules,
} from './signed-answer.js';

const ANSWER_MAX_BYTES = 65_536;
const TIMEOUT_MS = 5_000;

/** When the issuer is asked about a token. */
export type IntrospectionMode = 'never' | 'opaque-only' | 'sensitive' | 'always';

/** Whether the issuer is asked about tokens (RFC 7662), as whom, and what its silence means. */
export interface IntrospectionOptions {
  /**
   * `opaque-only`: about tokens that are no JWT. `sensitive`: also before an operation whose requirement
   * says so. `always`: about every token, at every call.
   */
  readonly mode: IntrospectionMode;
  /** This server's own client at the issuer; default `client`. */
  readonly client?: ReportCredentials | undefined;
  /**
   * When the issuer does not answer: `refuse` with 503 (default), or go by the JWT alone while the last
   * answer is not older than this. A token that is no JWT is refused in any case.
   */
  readonly onOutage?: 'refuse' | { readonly acceptJwtForSeconds: number } | undefined;
  /**
   * Take signed answers only (RFC 9701): by the issuer's keys, to this client, made after the question.
   * Default false: whom TLS names is believed. A plain answer is then refused, and never an outage.
   */
  readonly signed?: boolean | undefined;
}

export interface IntrospectionSettings {
  readonly mode: IntrospectionMode;
  readonly client: ReportCredentials;
  /** 0: refuse. */
  readonly acceptJwtForSeconds: number;
  readonly signed: boolean;
}

/** How the facts of a context are known. */
export type Source =
  /** From the token itself, by its signature. */
  | 'jwt'
  /** The issuer has said that the token is alive. */
  | 'introspection'
  /** The issuer was to be asked and did not answer; the outage rule accepted the token itself. */
  | 'jwt-degraded';

type Members = Readonly<Record<string, unknown>>;

export interface Introspector {
  readonly mode: IntrospectionMode;
  /**
   * The members of a token that is active.
   * @throws AuthError `inactive`, or `introspection_unavailable`
   */
  read(token: string): Promise<Members>;
  /**
   * Confirms that a verified JWT is alive, as far as the outage rule asks for.
   * @throws AuthError likewise
   */
  confirm(token: string, claims: { readonly jti: string; readonly sub: string }): Promise<Source>;
}

export interface IntrospectorDeps
  extends MetadataOptions,
    Omit<SignedAnswerRules, 'issuer' | 'audience'> {
  readonly now: () => number;
  readonly onError: (error: unknown) => void;
}

const MODES: readonly string[] = ['never', 'opaque-only', 'sensitive', 'always'];

/** @throws TypeError naming the option */
export function checkIntrospection(
  options: IntrospectionOptions | undefined,
  client: ReportCredentials | undefined,
): IntrospectionSettings | undefined {
  if (options === undefined) return undefined;
  const { mode, onOutage = 'refuse', signed = false } = options;
  if (!MODES.includes(mode))
    throw new TypeError(`introspection.mode is one of ${MODES.join(', ')}`);
  if (typeof signed !== 'boolean') throw new TypeError('introspection.signed is true or false');
  if (mode === 'never') return undefined;
  const credentials = options.client ?? client;
  if (!(credentials?.clientId && credentials.clientSecret))
    throw new TypeError('introspection needs a client, with a clientId and a clientSecret');
  const acceptJwtForSeconds = onOutage === 'refuse' ? 0 : onOutage?.acceptJwtForSeconds;
  const isBounded = acceptJwtForSeconds >= 0 && acceptJwtForSeconds <= 3600;
  if (!isBounded || (onOutage !== 'refuse' && acceptJwtForSeconds === 0))
    throw new TypeError("introspection.onOutage is 'refuse' or { acceptJwtForSeconds: 1 to 3600 }");
  return Object.freeze({ mode, client: credentials, acceptJwtForSeconds, signed });
}

/** What a 200 says about the token. */
async function readAnswer(
  response: Response,
  askedAtMs: number,
  deps: IntrospectorDeps & IntrospectionSettings,
): Promise<Members> {
  const text = await readBody(response, ANSWER_MAX_BYTES);
  const [type = ''] = (response.headers.get('content-type') ?? '').split(';', 1);
  if (deps.signed && type.trim().toLowerCase() !== SIGNED_ANSWER_TYPE)
    throw refuseAnswer('not signed');
  const times = { askedAtMs, nowMs: deps.now() };
  const answer: unknown = deps.signed
    ? await readSignedAnswer(text, times, { ...deps, audience: deps.client.clientId })
    : JSON.parse(text);
  if (typeof answer === 'object' && answer !== null && !Array.isArray(answer))
    return answer as Members;
  throw deps.signed ? refuseAnswer('about nothing') : new Error('introspection: no JSON object');
}

/** One question. Anything but a readable 200 is thrown. */
async function post(
  endpoint: string,
  token: string,
  deps: IntrospectorDeps & IntrospectionSettings,
): Promise<Members> {
  const { fetch, signal, client, signed } = deps;
  const askedAtMs = deps.now();
  const response = await fetch(endpoint, {
    method: 'POST',
    headers: {
      authorization: basicAuthorization(client),
      accept: signed ? SIGNED_ANSWER_TYPE : 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
    },
    body: new URLSearchParams({ token, token_type_hint: 'access_token' }).toString(),
    redirect: 'error',
    signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
  });
  if (response.status !== 200) {
    await response.body?.cancel();
    throw Object.assign(new Error(`introspection answered ${response.status}`), {
      // Our own mistake, not an outage: it would be answered so for ever.
      isRefusal: response.status < 500 && response.status !== 429,
    });
  }
  return readAnswer(response, askedAtMs, deps);
}

export function createIntrospector(deps: IntrospectorDeps & IntrospectionSettings): Introspector {
  const { mode, now, onError, acceptJwtForSeconds } = deps;
  let endpoint: string | undefined;
  let answeredAtMs = Number.NEGATIVE_INFINITY;

  async function ask(token: string): Promise<Members> {
    endpoint ??= await discover(deps, 'introspection_endpoint');
    const answer = await post(endpoint, token, deps);
    answeredAtMs = now();
    return answer;
  }
  const unavailable = (cause: unknown) =>
    new AuthError('introspection_unavailable', { retryAfterSeconds: 1, cause });

  return {
    mode,
    async read(token) {
      const answer = await ask(token).catch((error: unknown) => {
        onError(error);
        throw unavailable(error);
      });
      if (answer.active !== true) throw new AuthError('inactive');
      return answer;
    },
    async confirm(token, claims) {
      let answer: Members;
      try {
        answer = await ask(token);
      } catch (error) {
        onError(error);
        const isRefusal = (error as { isRefusal?: boolean } | null)?.isRefusal === true;
        const isRecent = now() - answeredAtMs <= acceptJwtForSeconds * 1000;
        if (isRefusal || acceptJwtForSeconds === 0 || !isRecent) throw unavailable(error);
        return 'jwt-degraded';
      }
      if (answer.active !== true) throw new AuthError('inactive');
      // About this token and no other: an answer out of some cache proves nothing.
      if (answer.jti !== claims.jti || answer.sub !== claims.sub)
        throw new AuthError('inactive', { claim: 'jti' });
      return 'introspection';
    },
  };
}
