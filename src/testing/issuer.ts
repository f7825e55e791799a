/** An issuer for tests: real keys and real tokens, no network. */
import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { ACCESS_TOKEN_TYP, type Act, formatScope, parseScope } from '../protocol/index.js';
import { createTestFeed } from './revocations.js';

const DEFAULT_ISSUER = 'https://broker.example';
const DEFAULT_RESOURCE = 'https://files.example/mcp';
const METADATA_PATH = '/.well-known/oauth-authorization-server';
const JWKS_PATH = '/.well-known/jwks.json';
const TTL_SECONDS = 300;
const HEARTBEAT_MS = 500;

/** What a test issuer is called, and its clock. */
export interface TestIssuerOptions {
  readonly issuer?: string;
  /** The default audience. */
  readonly resource?: string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
  readonly heartbeatMs?: number;
}

/** Claims or header members by name; `undefined` leaves one out. */
export type TestClaims = Readonly<Record<string, unknown>>;

/** Whom a delegated token is for, who acts, and what is left (DESIGN §3). */
export interface DelegatedTokenOptions {
  readonly user?: string;
  readonly agent?: string;
  readonly client?: string;
  /** E. */
  readonly scope?: string;
  /** A; default the same as `scope`. */
  readonly agentScope?: string;
  /** Earlier actors, newest first; `cli_…` are services. */
  readonly chain?: readonly string[];
  /** Any other claims, in the place of those above. */
  readonly claims?: TestClaims;
}

/**
 * An issuer without a network: tokens of every kind, keys that rotate, a revocation feed, and
 * ways to fail.
 */
export interface TestIssuer {
  readonly issuer: string;
  readonly resource: string;
  /** Answers discovery, JWKS, the revocation feed and `/decisions`; refuses any other URL. */
  readonly fetch: typeof globalThis.fetch;
  /** The keys as they are published now. */
  jwks(): { keys: JWK[] };
  /** The key that signs now, for tokens of your own making. */
  signingKey(): { readonly kid: string; readonly privateKey: CryptoKey; readonly publicJwk: JWK };
  /** A token with these claims over the defaults of a service's own; `undefined` leaves one out. */
  token(claims?: TestClaims, header?: TestClaims): Promise<string>;
  /** A token of an agent that acts for a user. */
  delegatedToken(options?: DelegatedTokenOptions): Promise<string>;
  /** A token of an agent on its own. */
  agentToken(options?: { agent?: string; scope?: string; claims?: TestClaims }): Promise<string>;
  /** Publishes a revocation: of a token id or path, user, agent, client, or `kid:…`. */
  revoke(key: string, options?: { always?: boolean; atMs?: number }): Promise<void>;
  /** Signs with a new key from now on; the old one stays published unless told otherwise. */
  rotate(options?: { readonly keepOld?: boolean }): Promise<void>;
  /** What `/decisions` was sent, in order. */
  readonly decisions: readonly TestClaims[];
  /** Every request seen, as `METHOD path`. */
  readonly requests: readonly string[];
  /** The feed goes silent, as if its replica were cut off; or is heard again. */
  silenceFeed(silent: boolean): void;
  /** Cuts open streams. */
  dropStreams(): void;
  /** Everything answers 503, or works again. */
  fail(failing: boolean): void;
}

async function createKey(kid: string) {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const publicJwk: JWK = { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' };
  return { kid, privateKey, publicJwk };
}

function sign(
  claims: TestClaims,
  header: TestClaims,
  { kid, privateKey }: { readonly kid: string; readonly privateKey: CryptoKey },
): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ alg: 'ES256', typ: ACCESS_TOKEN_TYP, kid, ...header })
    .sign(privateKey);
}

/** `act` of a chain of agents and services, newest first (RFC 8693 §4.1). */
function actOf(issuer: string, actors: readonly string[]): Act | undefined {
  return [...actors].reverse().reduce<Act | undefined>((act, sub) => {
    const profile = sub.startsWith('cli_') ? 'service' : 'ai_agent';
    const actor = { sub, iss: issuer, sub_profile: profile };
    return act === undefined ? actor : { ...actor, act };
  }, undefined);
}

/** The claims of a delegated token, as {@link TestIssuer.delegatedToken} signs them. */
export function delegatedClaims(issuer: string, options: DelegatedTokenOptions): TestClaims {
  const { scope = 'files:read', agentScope = scope } = options;
  const { user = 'usr_alice', agent = 'agt_scout', client = 'cli_host', chain = [] } = options;
  return {
    sub: user,
    sub_profile: 'user',
    client_id: client,
    scope: formatScope(parseScope(scope)),
    agent_scope: formatScope(parseScope(agentScope)),
    act: actOf(issuer, [agent, ...chain]),
    actor_proof: 'token',
    jti: `cns_test.gnt_test.${crypto.randomUUID()}`,
    ...options.claims,
  };
}

/** Paths and keys stop for ever; everyone else may go on with younger tokens (DESIGN §6). */
const isForever = (key: string): boolean => key.includes('.') || /^(kid:|cns_|gnt_)/.test(key);

/** A service's own token (DESIGN §3), good for five minutes. */
function defaultClaims(issuer: string, resource: string, nowMs: number): TestClaims {
  const iat = Math.floor(nowMs / 1000);
  return {
    iss: issuer,
    aud: resource,
    sub: 'cli_job',
    sub_profile: 'service',
    client_id: 'cli_job',
    scope: 'files:read',
    jti: `crd_test.${crypto.randomUUID()}`,
    iat,
    exp: iat + TTL_SECONDS,
  };
}

/**
 * Creates a test issuer. Give its `fetch` (and `now`) to `createVerifier`.
 *
 * It signs whatever it is asked to: it is no authorization server and decides nothing.
 *
 * Throws nothing; its `fetch` rejects for any other origin, as without a network.
 */
export async function createTestIssuer(options: TestIssuerOptions = {}): Promise<TestIssuer> {
  const { issuer = DEFAULT_ISSUER, resource = DEFAULT_RESOURCE, now = Date.now } = options;
  const feed = createTestFeed(issuer, options.heartbeatMs ?? HEARTBEAT_MS);
  const decisions: TestClaims[] = [];
  const requests: string[] = [];
  let key = await createKey('key-1');
  let published = [key.publicJwk];
  let failing = false;

  async function answer(request: Request, signal: AbortSignal | null | undefined) {
    const { origin, pathname, searchParams } = new URL(request.url);
    requests.push(`${request.method} ${pathname}`);
    if (origin !== new URL(issuer).origin) throw new TypeError(`no network: ${request.url}`);
    switch (pathname) {
      case METADATA_PATH:
        return Response.json({ issuer, jwks_uri: `${origin}${JWKS_PATH}` });
      case JWKS_PATH:
        return Response.json({ keys: published });
      case '/revocations':
        return feed.snapshot();
      case '/revocations/stream':
        return feed.stream(Number(searchParams.get('after')), signal);
      case '/decisions':
        decisions.push(...((await request.json()) as { decisions: TestClaims[] }).decisions);
    }
    return new Response(null, { status: pathname === '/decisions' ? 204 : 404 });
  }

  async function rotate({ keepOld = true } = {}): Promise<void> {
    key = await createKey(`key-${crypto.randomUUID()}`);
    published = [...(keepOld ? published : []), key.publicJwk];
  }
  const token = (claims: TestClaims = {}, header: TestClaims = {}): Promise<string> =>
    sign({ ...defaultClaims(issuer, resource, now()), ...claims }, header, key);

  return {
    issuer,
    resource,
    fetch: async (input, init) =>
      failing
        ? new Response(null, { status: 503 })
        : answer(new Request(input, init), init?.signal),
    jwks: () => ({ keys: [...published] }),
    signingKey: () => key,
    token,
    delegatedToken: (given = {}) => token(delegatedClaims(issuer, given)),
    agentToken: ({ agent = 'agt_scout', scope = 'files:read', claims = {} } = {}) =>
      token({ sub: agent, client_id: agent, sub_profile: 'ai_agent', scope, ...claims }),
    revoke: (revoked, { always = isForever(revoked), atMs = now() } = {}) =>
      feed.revoke(revoked, { always, atMs }),
    rotate,
    decisions,
    requests,
    silenceFeed: feed.silence,
    dropStreams: feed.drop,
    fail: (value) => {
      failing = value;
    },
  };
}
