// A small authorization server over real HTTP: enough of the protocol to see what the host sends,
// strict about what it must send, and able to misbehave.
import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { decodeJwt } from 'jose';
import { createTestIssuer, type TestIssuer } from '../../../src/testing/index.js';

export interface SeenRequest {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly form: Readonly<Record<string, string>>;
}

type Answer = { status: number; body: unknown };
type Form = Record<string, string>;

export interface FakeServer {
  readonly issuer: string;
  readonly tokens: TestIssuer;
  /** Form posts in the order in which they came. */
  readonly seen: SeenRequest[];
  /** Changes the metadata document. */
  metadata: Record<string, unknown>;
  /** Answers the next token requests of this grant instead of the server, in order. */
  readonly next: Array<{ grant: string; answer: Answer | 'cut' }>;
  /** Seconds a token lives. */
  ttlSeconds: number;
  /** The actor the server puts into tokens; default the requested one. */
  actor: string | undefined;
  /** What the user's browser comes back with after approval. */
  approve(url: URL): URL;
  posts(grant: string): SeenRequest[];
  close(): Promise<void>;
}

const RESOURCE = 'https://files.example/mcp';

async function readForm(req: IncomingMessage): Promise<Form> {
  let text = '';
  for await (const chunk of req) text += String(chunk);
  return Object.fromEntries(new URLSearchParams(text));
}

export async function startFakeServer(): Promise<FakeServer> {
  const pushed = new Map<string, Form>();
  const codes = new Map<string, Form>();
  const refreshTokens = new Map<string, Form>();
  const usedActorTokens = new Set<string>();
  const http = createServer((req, res) => void handle(req, res));
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  const tokens = await createTestIssuer({ issuer });

  const server: FakeServer = {
    issuer,
    tokens,
    seen: [],
    metadata: {
      issuer,
      authorization_endpoint: `${issuer}/authorize`,
      token_endpoint: `${issuer}/token`,
      pushed_authorization_request_endpoint: `${issuer}/par`,
      revocation_endpoint: `${issuer}/revoke`,
      code_challenge_methods_supported: ['S256'],
    },
    next: [],
    ttlSeconds: 300,
    actor: undefined,
    approve(url) {
      const uri = url.searchParams.get('request_uri');
      const request = uri ? pushed.get(uri) : Object.fromEntries(url.searchParams);
      if (request === undefined) throw new Error('unknown request_uri');
      const code = randomUUID();
      codes.set(code, request);
      const callback = new URL(request.redirect_uri ?? '');
      callback.searchParams.set('code', code);
      callback.searchParams.set('state', request.state ?? '');
      callback.searchParams.set('iss', issuer);
      return callback;
    },
    posts: (grant) => server.seen.filter(({ form }) => form.grant_type === grant),
    close: () => new Promise((resolve) => http.close(() => resolve())),
  };

  async function issue(request: Form, actor: string | undefined): Promise<Answer> {
    const { scope = 'files:read', resource = RESOURCE } = request;
    const exp = Math.floor(Date.now() / 1000) + server.ttlSeconds;
    const accessToken =
      actor === undefined
        ? await tokens.agentToken({ scope, claims: { aud: resource, exp } })
        : await tokens.delegatedToken({ agent: actor, scope, claims: { aud: resource, exp } });
    const refresh = randomUUID();
    if (actor !== undefined) refreshTokens.set(refresh, request);
    const body = {
      access_token: accessToken,
      token_type: 'Bearer',
      expires_in: server.ttlSeconds,
      scope,
      ...(actor === undefined ? {} : { refresh_token: refresh }),
    };
    return { status: 200, body };
  }

  const invalidGrant = (why: string): Answer => ({
    status: 400,
    body: { error: 'invalid_grant', error_description: why },
  });

  async function redeem(form: Form): Promise<Answer> {
    const request = codes.get(form.code ?? '');
    const challenge = createHash('sha256')
      .update(form.code_verifier ?? '')
      .digest('base64url');
    if (request?.code_challenge !== challenge) return invalidGrant('code or verifier');
    const proof = form.actor_token ?? '';
    if (proof === '' || usedActorTokens.has(proof)) return invalidGrant('actor_token');
    usedActorTokens.add(proof);
    codes.delete(form.code ?? '');
    return issue(request, server.actor ?? request.requested_actor);
  }

  /** RFC 8693 as DESIGN §8c has it, believing every subject token. */
  async function exchange(form: Form, caller: string): Promise<Answer> {
    const subject = decodeJwt(form.subject_token ?? '');
    const { act: inherited, hand_off: handedOff, may_act: _, ...rest } = subject;
    const isCurrent = (inherited as { sub?: string } | undefined)?.sub === caller;
    const actor = server.actor ?? caller;
    const act =
      isCurrent && actor === caller ? inherited : { sub: actor, iss: issuer, act: inherited };
    const here = handedOff ?? form.resource ?? subject.aud;
    const helper = form.requested_actor;
    const to = { aud: issuer, hand_off: here, may_act: { sub: helper, iss: issuer } };
    const scope = form.scope ?? String(subject.scope);
    const claims = { ...rest, scope, act, client_id: caller, aud: here };
    const exp = Math.floor(Date.now() / 1000) + server.ttlSeconds;
    const token = await tokens.token({ ...claims, exp, ...(helper === undefined ? {} : to) });
    const body = {
      access_token: token,
      issued_token_type: 'urn:ietf:params:oauth:token-type:access_token',
      token_type: 'Bearer',
      expires_in: server.ttlSeconds,
      scope,
    };
    return { status: 200, body };
  }

  async function grant(form: Form, caller: string): Promise<Answer> {
    if (form.grant_type?.endsWith(':token-exchange')) return exchange(form, caller);
    if (form.grant_type === 'client_credentials') return issue(form, undefined);
    if (form.grant_type === 'authorization_code') return redeem(form);
    const request = refreshTokens.get(form.refresh_token ?? '');
    if (request === undefined) return invalidGrant('unknown refresh token');
    refreshTokens.delete(form.refresh_token ?? '');
    return issue(request, request.requested_actor);
  }

  async function answer(path: string, form: Form, caller: string): Promise<Answer | 'cut'> {
    if (path === '/revoke') return { status: 200, body: {} };
    if (path === '/par') {
      const uri = `urn:ietf:params:oauth:request_uri:${randomUUID()}`;
      pushed.set(uri, form);
      return { status: 201, body: { request_uri: uri, expires_in: 60 } };
    }
    const scripted = server.next.findIndex((entry) => entry.grant === form.grant_type);
    const [entry] = scripted === -1 ? [] : server.next.splice(scripted, 1);
    return entry?.answer ?? grant(form, caller);
  }

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const path = req.url ?? '';
    const send = (status: number, body: unknown) =>
      res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    if (path.startsWith('/.well-known/')) return void send(200, server.metadata);
    const form = await readForm(req);
    server.seen.push({ path, authorization: req.headers.authorization, form });
    const [caller = ''] = atob(req.headers.authorization?.slice('Basic '.length) ?? '').split(':');
    const result = await answer(path, form, caller);
    if (result === 'cut') res.destroy();
    else send(result.status, result.body);
  }

  return server;
}
