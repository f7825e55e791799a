// Attacks on a protected server and on the verifier in it (classes V and J), as data: what is tried
// over HTTP at a real MCP server, and what is answered. Tokens alone are in `maliciousTokens`.
import { request } from 'node:http';
import { expect } from 'vitest';
import { createAgentHost } from '../../../src/agent/index.js';
import { createTestIssuer } from '../../../src/testing/index.js';
import { createVerifier, type VerifierOptions } from '../../../src/verifier/index.js';
import { eventually } from '../../support/eventually.js';
import { call, type McpWorld } from './mcp-world.js';
import { createProver } from './prover.js';
import { createVerifierWorld } from './verifier-world.js';

export interface VerifierAttack {
  /** Of the threat catalogue: `V9`. */
  readonly id: string;
  /** A sentence: what is tried. */
  readonly name: string;
  run(w: McpWorld): Promise<unknown>;
  readonly expected: unknown;
}

const CALL = call('read_file');

/** What an attacker sees, in a few words: status, and the error of the challenge or body. */
async function seen(response: Response): Promise<string> {
  const challenge = response.headers.get('www-authenticate');
  const [, error] = /error="([a-z_]+)"/.exec(challenge ?? '') ?? [];
  await response.body?.cancel();
  return `${response.status} ${error ?? (challenge === null ? '' : 'bare')}`.trim();
}

const sent = async (w: McpWorld, authorization: string, more: Record<string, string> = {}) =>
  seen(await w.post(CALL, undefined, { authorization, ...more }));

/** Headers as they stand, twice if they are there twice. */
function rawPost(url: string, headers: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      method: 'POST',
      headers: ['host', new URL(url).host, 'content-type', 'application/json', ...headers],
    };
    const outgoing = request(url, options as never, (incoming) => {
      incoming.resume();
      const challenge = String(incoming.headers['www-authenticate'] ?? '');
      const [, error] = /error="([a-z_]+)"/.exec(challenge) ?? [];
      resolve(`${incoming.statusCode} ${error ?? 'bare'}`);
    });
    outgoing.once('error', reject).end(JSON.stringify(CALL));
  });
}

const row = (
  id: string,
  name: string,
  expected: unknown,
  run: VerifierAttack['run'],
): VerifierAttack => ({ id, name, expected, run });

const thrownBy = async (work: () => unknown): Promise<string> => {
  try {
    await work();
    return 'nothing';
  } catch (error) {
    const { name, reason } = error as { name: string; reason?: string };
    return reason === undefined ? name : `${name} ${reason}`;
  }
};

/** Where tokens belong, and that they go nowhere else (V1–V4, V14 is the broker's). */
const PLACES: readonly VerifierAttack[] = [
  row('V1', 'a token for another server of the same issuer', '401 invalid_token', async (w) =>
    sent(w, `Bearer ${await w.issuer.token({ aud: 'https://other.example/mcp' })}`),
  ),
  row('V1', 'a token for the origin of this server', '401 invalid_token', async (w) =>
    sent(w, `Bearer ${await w.issuer.token({ aud: new URL(w.url).origin })}`),
  ),
  row('V1', 'a token of another issuer with the same key names', '401 invalid_token', async (w) => {
    const other = await createTestIssuer({ issuer: w.issuer.issuer, resource: w.url });
    return sent(w, `Bearer ${await other.delegatedToken()}`);
  }),
  row('V2', 'a tool that looks for the token of its call in all it is given', [], async (w) => {
    const token = await w.issuer.delegatedToken();
    const context = await w.verifier.verify(token);
    const signature = token.split('.')[2] as string;
    const found: string[] = [];
    const walk = (value: unknown, path: string, depth: number): void => {
      if (typeof value === 'string' && value.includes(signature)) found.push(path);
      if (typeof value !== 'object' || value === null || depth > 6) return;
      for (const name of Reflect.ownKeys(value))
        walk((value as Record<PropertyKey, unknown>)[name], `${path}.${String(name)}`, depth + 1);
    };
    walk(context, 'context', 0);
    return found;
  }),
  row('V3', 'metadata asked for under somebody else’s name', true, async (w) => {
    const { origin, pathname } = new URL(w.url);
    const path = `/.well-known/oauth-protected-resource${pathname}`;
    const headers = { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'https' };
    const document = await (await fetch(`${origin}${path}`, { headers })).json();
    const { resource, authorization_servers: servers } = document as Record<string, unknown>;
    return resource === w.url && JSON.stringify(servers) === JSON.stringify([w.issuer.issuer]);
  }),
  row('V3', 'a challenge asked for under somebody else’s name', false, async (w) => {
    const response = await w.post(CALL, undefined, { 'x-forwarded-host': 'evil.example' });
    return response.headers.get('www-authenticate')?.includes('evil.example');
  }),
  row('V4', 'an issuer that sends its agents’ secrets to another origin', 0, async () => {
    const issuer = 'https://broker.example';
    let leaked = 0;
    const host = createAgentHost({
      issuer,
      agent: { id: 'agt_scout', auth: { secret: 'a-secret-of-the-agent' } },
      fetch: async (input) => {
        const { origin } = new URL(input instanceof Request ? input.url : String(input));
        if (origin !== issuer) leaked += 1;
        const elsewhere = 'https://evil.example/token';
        return Response.json({ issuer, token_endpoint: elsewhere, jwks_uri: `${issuer}/jwks` });
      },
    });
    const asked = await thrownBy(() => host.token({ resource: 'https://files.example/mcp' }));
    return asked === 'nothing' ? Number.NaN : leaked;
  }),
];

const unsafe = (name: string, change: Partial<Record<keyof VerifierOptions, unknown>>) =>
  row('V5', `a verifier ${name}`, 'TypeError', () =>
    thrownBy(() =>
      createVerifier({
        issuer: 'https://broker.example',
        resource: 'https://files.example/mcp',
        ...change,
      } as VerifierOptions),
    ),
  );

/** What cannot be built, and what happens when the issuer is away (V5, V6, V8, J13–J15). */
const BUILDING: readonly VerifierAttack[] = [
  unsafe('without an audience', { resource: undefined }),
  unsafe('without an issuer', { issuer: undefined }),
  unsafe('of an issuer over plain http', { issuer: 'http://broker.example' }),
  unsafe('for a resource that is the issuer', { resource: 'https://broker.example' }),
  unsafe('that accepts nobody', { accept: [] }),
  unsafe('with ten minutes of tolerance', { clockToleranceSeconds: 600 }),
  unsafe('that never takes a feed for lost', { staleLimitSeconds: Number.POSITIVE_INFINITY }),
  unsafe('with an unknown way to follow revocations', { revocation: 'maybe' }),
  row('V6', 'keys that cannot be read', 'AuthError keys_unavailable', async () => {
    const { issuer, verifier } = await createVerifierWorld();
    const token = await issuer.delegatedToken();
    issuer.fail(true);
    return thrownBy(() => verifier.verify(token));
  }),
  row('V6', 'a revocation feed that cannot be read', 'AuthError feed_stale', async () => {
    const { issuer, verifier } = await createVerifierWorld({ revocation: 'feed' });
    const token = await issuer.delegatedToken();
    await verifier.ready();
    issuer.fail(true);
    issuer.dropStreams();
    const late = createVerifier({
      issuer: issuer.issuer,
      resource: issuer.resource,
      jwks: issuer.jwks(),
      fetch: issuer.fetch,
    });
    const outcome = await thrownBy(() => late.verify(token));
    await Promise.all([late.close(), verifier.close()]);
    return outcome;
  }),
  row('V8', 'a token that was stopped', '401 invalid_token', async (w) => {
    const jti = `cns_stopped.gnt_stopped.${crypto.randomUUID()}`;
    const token = await w.issuer.delegatedToken({ claims: { jti } });
    if ((await sent(w, `Bearer ${token}`)) !== '200') return 'not even before';
    await w.issuer.revoke('cns_stopped');
    await eventually(() => expect(w.verifier.verify(token)).rejects.toThrow());
    return sent(w, `Bearer ${token}`);
  }),
  row('J13', 'a token of a key that is no longer published', 'AuthError key_unknown', async () => {
    const { issuer, verifier, advance } = await createVerifierWorld();
    const token = await issuer.delegatedToken({
      claims: { exp: Math.floor(Date.now() / 1000) + 7200 },
    });
    await verifier.verify(token);
    await issuer.rotate({ keepOld: false });
    advance(601);
    return thrownBy(() => verifier.verify(token));
  }),
  row('J13', 'private parts in the published keys', 'AuthError key_unknown', async () => {
    const { issuer } = await createVerifierWorld();
    const { publicJwk } = issuer.signingKey();
    const { issuer: from, resource } = issuer;
    const jwks = { keys: [{ ...publicJwk, d: publicJwk.x as string }] };
    const verifier = createVerifier({ issuer: from, resource, jwks, revocation: 'off' });
    return thrownBy(async () => verifier.verify(await issuer.token()));
  }),
  row('J14', 'a token seen before, with other claims', 'AuthError signature_invalid', async () => {
    const { issuer, verifier } = await createVerifierWorld();
    const [good, other] = await Promise.all([issuer.token(), issuer.token({ scope: 'admin' })]);
    for (let n = 0; n < 3; n += 1) await verifier.verify(good);
    const [header, , signature] = good.split('.');
    return thrownBy(() => verifier.verify(`${header}.${other.split('.')[1]}.${signature}`));
  }),
  row('J14', 'a token seen before, spelled anew', 'AuthError token_malformed', async () => {
    const { issuer, verifier } = await createVerifierWorld();
    const good = await issuer.token();
    for (let n = 0; n < 3; n += 1) await verifier.verify(good);
    return thrownBy(() => verifier.verify(`${good}=`));
  }),
  row('J14', 'a token seen before, after its end', 'AuthError expired', async () => {
    const { issuer, verifier, advance } = await createVerifierWorld();
    const good = await issuer.token();
    for (let n = 0; n < 3; n += 1) await verifier.verify(good);
    advance(306);
    return thrownBy(() => verifier.verify(good));
  }),
  row('J14', 'a token seen before, at another server', 'AuthError audience_mismatch', async () => {
    const { issuer, verifier } = await createVerifierWorld();
    const token = await issuer.token();
    await verifier.verify(token);
    const other = createVerifier({
      issuer: issuer.issuer,
      resource: 'https://other.example/mcp',
      fetch: issuer.fetch,
      revocation: 'off',
    });
    return thrownBy(() => other.verify(token));
  }),
  row('J15', 'two hundred unknown kids at once', [2, 'delegated'], async () => {
    const { issuer, verifier, advance } = await createVerifierWorld();
    await verifier.verify(await issuer.delegatedToken());
    advance(31);
    const kids = Array.from({ length: 200 }, (_, n) => `unknown-${n}`);
    await Promise.all(
      kids.map(async (kid) =>
        thrownBy(async () => verifier.verify(await issuer.token({}, { kid }))),
      ),
    );
    const reads = issuer.requests.filter((one) => one.endsWith('jwks.json')).length;
    return [reads, (await verifier.verify(await issuer.delegatedToken())).kind];
  }),
];

/** Who may do what at the tools (V7). */
const TOOLS: readonly VerifierAttack[] = [
  row('V7', 'a tool the user did not allow', '403 insufficient_scope', async (w) => {
    const token = await w.issuer.delegatedToken({ agentScope: 'files:read files:write' });
    return seen(await w.post(call('write_file'), token));
  }),
  row('V7', 'a tool the agent may not use', '403 actor_unauthorized', async (w) =>
    seen(await w.post(call('write_file'), await w.issuer.delegatedToken())),
  ),
  row(
    'V7',
    'a tool for users alone, by an agent on its own',
    '403 actor_unauthorized',
    async (w) => {
      const token = await w.issuer.agentToken({ scope: 'files:read files:delete' });
      return seen(await w.post(call('delete_file'), token));
    },
  ),
  row('V7', 'a tool nobody listed', '403 access_denied', async (w) =>
    seen(await w.post(call('secret_tool'), await w.issuer.delegatedToken())),
  ),
  row('V7', 'an agent’s right as if it were a grant', '403 insufficient_scope', async (w) => {
    const claims = { scope: 'files:read', permissions: ['files:write'], scp: 'files:write' };
    const agentScope = 'files:read files:write';
    const token = await w.issuer.delegatedToken({ agentScope, claims });
    return seen(await w.post(call('write_file'), token));
  }),
  row('V7', 'a forbidden call between two allowed ones', '403 actor_unauthorized', async (w) => {
    const batch = [call('read_file', 1), call('write_file', 2), call('read_file', 3)];
    return seen(await w.post(batch, await w.issuer.delegatedToken()));
  }),
  row('V7', 'a list of what it may not see', ['read_file'], async (w) => {
    const client = await w.connect(await w.issuer.delegatedToken());
    return (await client.listTools()).tools.map(({ name }) => name);
  }),
  row('V13', 'thirty users at once, each looking for another’s answer', [], async (w) => {
    const users = Array.from({ length: 30 }, (_, n) => `usr_n${n}`);
    const wrong = await Promise.all(
      users.map(async (user) => {
        const response = await w.post(CALL, await w.issuer.delegatedToken({ user }));
        return (await response.text()).includes(`for ${user} by`) ? [] : [user];
      }),
    );
    return wrong.flat();
  }),
];

/** How a token is shown (V9–V12). */
const SHOWING: readonly VerifierAttack[] = [
  row('V9', 'a bound token as a bearer token', '401 invalid_token', async (w) => {
    const { jkt } = await createProver(w.url);
    return sent(w, `Bearer ${await w.issuer.delegatedToken({ claims: { cnf: { jkt } } })}`);
  }),
  ...(
    [
      ['without a proof', async () => undefined],
      [
        'with the proof of another key',
        async (w, token) => (await createProver(w.url)).prove(token),
      ],
      ['with a proof for another method', (_w, token, p) => p.prove(token, { htm: 'GET' })],
      [
        'with a proof for another server',
        (_w, token, p) => p.prove(token, { htu: 'https://other.example/mcp' }),
      ],
      ['with a proof for another token', (_w, _token, p) => p.prove('another token')],
      [
        'with a proof of an hour ago',
        (_w, token, p) => p.prove(token, { iat: Math.floor(Date.now() / 1000) - 3600 }),
      ],
      ['with a proof without an id', (_w, token, p) => p.prove(token, { jti: undefined })],
      ['with an access token for a proof', async (_w, token) => token],
    ] as ReadonlyArray<
      readonly [
        string,
        (
          w: McpWorld,
          token: string,
          prover: Awaited<ReturnType<typeof createProver>>,
        ) => Promise<string | undefined>,
      ]
    >
  ).map(([name, proofOf]) =>
    row('V9', `a bound token ${name}`, 'refused', async (w) => {
      const prover = await createProver(w.url);
      const { jkt } = prover;
      const token = await w.issuer.delegatedToken({ claims: { cnf: { jkt } } });
      const proof = await proofOf(w, token, prover);
      const said = await sent(w, `DPoP ${token}`, proof === undefined ? {} : { dpop: proof });
      const good = await sent(w, `DPoP ${token}`, { dpop: await prover.prove(token) });
      if (good !== '200') return `not even a good proof: ${good}`;
      return /^401 (invalid_token|invalid_dpop_proof|bare)$/.test(said) ? 'refused' : said;
    }),
  ),
  row('V9', 'a proof that was used before', '401 invalid_dpop_proof', async (w) => {
    const prover = await createProver(w.url);
    const claims = { cnf: { jkt: prover.jkt } };
    const token = await w.issuer.delegatedToken({ claims });
    const dpop = await prover.prove(token);
    await sent(w, `DPoP ${token}`, { dpop });
    return sent(w, `DPoP ${token}`, { dpop });
  }),
  row('V10', 'a token in the query', '401 bare', async (w) => {
    const token = await w.issuer.delegatedToken();
    const headers = { 'content-type': 'application/json', accept: 'application/json' };
    const body = JSON.stringify(CALL);
    return seen(await fetch(`${w.url}?access_token=${token}`, { method: 'POST', headers, body }));
  }),
  row('V10', 'a token in the query beside a good one', '401 bare', async (w) => {
    const token = await w.issuer.delegatedToken();
    const { pathname, port } = new URL(w.url);
    const url = `http://127.0.0.1:${port}${pathname}?access_token=${token}`;
    return rawPost(url, ['authorization', `Bearer ${token}`]);
  }),
  row('V10', 'a token in a form', '401 bare', async (w) => {
    const body = new URLSearchParams({ access_token: await w.issuer.delegatedToken() });
    return seen(await fetch(w.url, { method: 'POST', body }));
  }),
  row('V10', 'a token in a cookie', '401 bare', async (w) =>
    seen(await w.post(CALL, undefined, { cookie: `access_token=${await w.issuer.token()}` })),
  ),
  row('V11', 'two Authorization headers, the first one good', '401 bare', async (w) =>
    rawPost(w.url, [
      ...['authorization', `Bearer ${await w.issuer.delegatedToken()}`],
      ...['authorization', 'Bearer another'],
    ]),
  ),
  row('V11', 'two Authorization headers, the last one good', '401 bare', async (w) =>
    rawPost(w.url, [
      ...['authorization', 'Bearer another'],
      ...['Authorization', `Bearer ${await w.issuer.delegatedToken()}`],
    ]),
  ),
  row('V11', 'two credentials in one header', '401 bare', async (w) => {
    const token = await w.issuer.delegatedToken();
    return sent(w, `Bearer ${token}, Bearer ${token}`);
  }),
  row('V11', 'a scheme of another kind', '401 bare', async (w) =>
    sent(w, `Token ${await w.issuer.delegatedToken()}`),
  ),
  row('V11', 'a token as a Basic password', '401 bare', async (w) =>
    sent(w, `Basic ${btoa(`:${await w.issuer.delegatedToken()}`)}`),
  ),
  row('V11', 'no space after the scheme', '401 bare', async (w) =>
    sent(w, `Bearer${await w.issuer.delegatedToken()}`),
  ),
  row(
    'V11',
    'the scheme in any case, with more than one space (RFC 9110 §11.4)',
    '200',
    async (w) => sent(w, `bEaReR   ${await w.issuer.delegatedToken()}`),
  ),
  row('V12', 'a page of another site by a name that leads here', '401 bare', async (w) =>
    seen(await w.post(CALL, undefined, { origin: 'http://evil.example', host: 'evil.example' })),
  ),
  row('V12', 'the same, with credentials of the browser', '401 bare', async (w) => {
    const headers = { origin: 'http://evil.example', cookie: 'session=1' };
    const response = await w.post(CALL, undefined, headers);
    const allowed = response.headers.get('access-control-allow-credentials');
    return allowed === null ? seen(response) : 'credentials allowed';
  }),
];

export const VERIFIER_ATTACKS: readonly VerifierAttack[] = [
  ...PLACES,
  ...BUILDING,
  ...TOOLS,
  ...SHOWING,
];
