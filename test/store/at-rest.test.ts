// What somebody who has the whole database has (DESIGN §9.7, K1, G20): nothing that can be presented.
import nodeCrypto, { randomBytes } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { createRemoteJWKSet, exportJWK, generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createBrowserless,
  type Form,
  formsOf,
  type Page,
} from '../../examples/demo/walk-pages.js';
import { createBroker } from '../../src/broker/app.js';
import { makeCheckpoint } from '../../src/broker/audit/checkpoints.js';
import { createSecrets, hashSecret, secretMatches } from '../../src/broker/keys/secrets.js';
import { createKeyService } from '../../src/broker/keys/service.js';
import { loadKeys } from '../../src/broker/keys/store.js';
import {
  ADMIN_TOKEN,
  actorToken,
  authFor,
  authorize,
  authorizeUrl,
  basic,
  freePort,
  pkce,
  postForm,
  postToken,
  ROOT_SECRET,
  redeem,
  startTestBroker,
  type TestBroker,
  testConfig,
} from '../support/broker.js';
import { DATABASES, type OpenedDatabase, openTestPostgres } from '../support/databases.js';
import { createIdp, IDP, nowSeconds } from '../support/idp.js';
import { admin, publishedKids } from '../support/keys.js';
import { bearer, register, registered, sendJson } from '../support/registration.js';
import { startWeb, type TestWeb } from '../support/web.js';
import {
  AGENT,
  ANA,
  BEN,
  CALLBACK,
  FILES,
  FILES_CLIENT,
  HOST,
  OTHER_AGENT,
} from '../support/world.js';

/** Every row of every table, as text. */
async function dumpOf(opened: OpenedDatabase): Promise<string> {
  const tables = await opened.db.run<{ name: string }>(
    `select format('%I.%I', table_schema, table_name) as name from information_schema.tables
     where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
  );
  const rows = await Promise.all(
    tables.map(({ name }) =>
      opened.db.run<{ row: string }>(`select to_jsonb(t)::text as row from ${name} t`),
    ),
  );
  return rows
    .flat()
    .map(({ row }) => row)
    .join('\n');
}

const formTo = (page: Page, ending: string): Form => {
  const form = formsOf(page).find(({ action }) => action.endsWith(ending));
  if (form === undefined) throw new Error(`no form to ${ending} on ${page.url}`);
  return form;
};

/** As it is, and as it would be read back. */
const spellingsOf = (secret: string): string[] => {
  const bytes = Buffer.from(secret);
  return [
    secret,
    bytes.toString('hex'),
    bytes.toString('base64'),
    bytes.toString('base64url'),
    encodeURIComponent(secret),
  ];
};

/** What operators enter and are given, a failed sign-in, a signed client assertion, keys that are gone. */
async function administer(t: TestBroker): Promise<Record<string, string>> {
  const made = async (path: string, body: object) => {
    const answer = await admin(t, 'POST', path, body);
    expect([path, answer.status]).toEqual([path, 201]);
    return answer.body;
  };
  const password = 'a password an operator chose';
  await made('/users', { email: 'cleo@example.com', name: 'Cleo', password });
  const client = await made('/clients', {
    name: 'Registered',
    kind: 'service',
    auth: 'client_secret_basic',
  });
  const added = await made(`/agents/${OTHER_AGENT}/credentials`, { kind: 'secret' });
  const { publicKey, privateKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), alg: 'ES256', use: 'sig', kid: 'signer' };
  const signer = await made('/agents', {
    name: 'Signer',
    owner: 'Example Ops',
    status: 'active',
    auth: 'private_key_jwt',
    jwks: { keys: [jwk] },
  });
  await admin(t, 'PUT', `/permissions/${signer.id}/${encodeURIComponent(FILES)}`, {
    scopes: ['files:read'],
  });
  await made('/roles', { name: 'auditor' });
  const jti = randomBytes(24).toString('base64url');
  const assertion = await new SignJWT({ iss: signer.id, sub: signer.id, aud: t.issuer, jti })
    .setProtectedHeader({ alg: 'ES256', kid: 'signer' })
    .setExpirationTime('60s')
    .sign(privateKey);
  const proved = await postForm(`${t.issuer}/token`, {
    grant_type: 'client_credentials',
    resource: FILES,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  });
  expect(proved.status).toBe(200);
  const wrong = 'what ben has as a password elsewhere';
  const stranger = createBrowserless(t.issuer);
  const page = await stranger.open(authorizeUrl(t, pkce().challenge));
  await stranger.submit(formTo(page, '/sign-in'), { email: BEN.email, password: wrong });
  const secrets = createSecrets(ROOT_SECRET);
  const before = (await loadKeys(t.opened.db, secrets)).published;
  const [key] = before;
  const reason = 'for the test';
  if (key === undefined) throw new Error('no signing key');
  await makeCheckpoint(t.opened.db, { issuer: t.issuer, key, nowMs: Date.now() });
  await admin(t, 'POST', `/keys/${key.kid}/retire`, { compromised: true, reason });
  return {
    'password an operator chose': password,
    'password that was wrong': wrong,
    'secret of a registered client': client.credential.secret,
    'secret that was added': added.secret,
    'client assertion': assertion,
    'id of a client assertion': jti,
    'token got with it': proved.body.access_token,
    'private key of an agent': (await exportJWK(privateKey)).d as string,
    'private key that was retired': key.privateKey.export({ format: 'jwk' }).d as string,
  };
}

/** A client that registers itself, with a token for it. */
async function registerItself(t: TestBroker): Promise<Record<string, string>> {
  const { token } = await t.broker.registry.initialTokens.create('cli', {});
  const made = await registered(
    t,
    { redirect_uris: ['https://guest.example/cb'], client_name: 'Guest' },
    bearer(token),
  );
  return {
    'initial access token': token,
    'registration access token': made.registration_access_token,
    'secret of a client that registered itself': made.client_secret,
  };
}

const DOCUMENT = 'https://app.example.com/client.json';

/** A client that is known by its document, with a token for it. */
async function introduceItself(t: TestBroker, web: TestWeb): Promise<Record<string, string>> {
  const redirectUri = 'https://app.example.com/callback';
  web.put(DOCUMENT, { client_id: DOCUMENT, client_name: 'App', redirect_uris: [redirectUri] });
  const params = { client_id: DOCUMENT, redirect_uri: redirectUri, requested_actor: undefined };
  const { code, verifier } = await authorize(t, { params: { ...params, scope: 'files:read' } });
  const { status, body } = await postForm(`${t.issuer}/token`, {
    grant_type: 'authorization_code',
    client_id: DOCUMENT,
    redirect_uri: redirectUri,
    code,
    code_verifier: verifier,
    resource: FILES,
  });
  expect(status).toBe(200);
  return {
    'code of a document’s client': code,
    'access token of a document’s client': body.access_token,
    'refresh token of a document’s client': body.refresh_token,
  };
}

/** What an enterprise's issuer said of Ana, used. */
async function useAssertion(t: TestBroker): Promise<string> {
  const idp = createIdp(IDP);
  const rules = { id_jag: { resources: [{ resource: FILES }], clients: [HOST] } };
  const issuer = { issuer: IDP, name: 'Corp', purposes: ['id_jag'], jwks: idp.jwks, rules };
  await admin(t, 'POST', '/trusted-issuers', issuer);
  await admin(t, 'POST', `/users/${ANA.id}/identities`, { issuer: IDP, subject: 'ana' });
  const [iat, exp] = [nowSeconds(), nowSeconds() + 60];
  const claims = { sub: 'ana', aud: t.issuer, client_id: HOST, jti: 'assertion-1', iat, exp };
  const assertion = idp.sign({ ...claims, resource: FILES }, { typ: 'oauth-id-jag+jwt' });
  const grantType = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
  const { status } = await postToken(t, HOST, { grant_type: grantType, assertion });
  expect(status).toBe(200);
  return assertion;
}

/** Everything a flow hands out or takes in that would be worth stealing, by what it is. */
async function useEverything(t: TestBroker, web: TestWeb): Promise<Record<string, string>> {
  const proof = await actorToken(t);
  const authorized = await authorize(t);
  const { body } = await redeem(t, authorized, { actor_token: proof });
  const refreshed = await postToken(t, HOST, {
    grant_type: 'refresh_token',
    refresh_token: body.refresh_token,
  });
  const waiting = await authorize(t, { browser: authorized.browser });
  const identity = await authorize(t, {
    params: { resource: undefined, requested_actor: undefined, scope: 'openid' },
  });
  const userinfo = await redeem(t, identity, { actor_token: undefined });
  const { challenge } = pkce();
  const push = {
    response_type: 'code',
    client_id: HOST,
    redirect_uri: CALLBACK,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    resource: FILES,
    requested_actor: AGENT,
  };
  const pushed = await postForm(`${t.issuer}/par`, push, authFor(t, HOST));
  // Left in the middle: Ben has signed in and looks at the consent page.
  const open = createBrowserless(t.issuer);
  const signIn = await open.open(authorizeUrl(t, challenge));
  const consent = await open.submit(formTo(signIn, '/sign-in'), {
    email: BEN.email,
    password: BEN.password,
  });
  const administered = await administer(t);
  const cookies = [...authorized.browser.cookies.values(), ...open.cookies.values()];
  const { published: keys } = await loadKeys(t.opened.db, createSecrets(ROOT_SECRET));
  const follower = await fetch(`${t.issuer}/revocations/ack`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authFor(t, FILES_CLIENT) },
    body: JSON.stringify({ resource: FILES, instance: 'one', position: 0 }),
  });
  expect(follower.status).toBeLessThan(300);
  const inventory = await fetch(`${t.issuer}/tools`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...authFor(t, FILES_CLIENT) },
    body: JSON.stringify({ resource: FILES, tools: { read_file: 'h'.repeat(43) } }),
  });
  expect(inventory.status).toBe(200);
  return {
    'redeemed code': authorized.code,
    'code not yet redeemed': waiting.code,
    'PKCE verifier': authorized.verifier,
    'used refresh token': body.refresh_token,
    'refresh token': refreshed.body.refresh_token,
    'access token': body.access_token,
    'actor token': proof,
    assertion: await useAssertion(t),
    'opaque access token': userinfo.body.access_token,
    'ID token': userinfo.body.id_token,
    request_uri: pushed.body.request_uri,
    'request_uri without its prefix': pushed.body.request_uri.split(':').at(-1),
    'interaction uid': new URL(consent.url).pathname.split('/').at(-1) as string,
    'consent form': formTo(consent, '/decision').fields.get('shown') as string,
    password: ANA.password,
    ...administered,
    ...(await registerItself(t)),
    ...(await introduceItself(t, web)),
    'root secret': ROOT_SECRET,
    'admin token': ADMIN_TOKEN,
    ...Object.fromEntries(cookies.map(({ name, value }, n) => [`cookie ${n} ${name}`, value])),
    ...Object.fromEntries(
      Object.entries(t.secrets).map(([id, secret]) => [`secret of ${id}`, secret]),
    ),
    ...Object.fromEntries(
      keys.map(({ kid, privateKey }) => [
        `private key ${kid}`,
        privateKey.export({ format: 'jwk' }).d as string,
      ]),
    ),
  };
}

describe.each(DATABASES)('a stolen database, %s', (_name, open) => {
  let t: TestBroker;
  let web: TestWeb;
  let canaries: Record<string, string>;
  let dump: string;
  beforeAll(async () => {
    web = await startWeb(['app.example.com']);
    t = await startTestBroker({
      opened: await open(),
      deps: { outbound: web.outbound },
      config: { assertionGrant: true },
    });
    canaries = await useEverything(t, web);
    dump = await dumpOf(t.opened);
  });
  afterAll(async () => {
    await t.close();
    await web.close();
  });

  it('was in use: every table has something in it', async () => {
    const tables = await t.opened.db.run<{ name: string }>(
      `select table_name as name from information_schema.tables
       where table_type = 'BASE TABLE' and table_schema = current_schema() order by 1`,
    );
    const empty: string[] = [];
    for (const { name } of tables) {
      if ((await t.opened.db.run(`select 1 from "${name}" limit 1`)).length === 0) empty.push(name);
    }
    expect(tables.length).toBeGreaterThan(10);
    expect(empty).toEqual([]);
  });

  it('was in use: every kind of thing is in it', async () => {
    const rows = await t.opened.db.run<{ model: string }>(
      'select distinct model from artifacts order by 1',
    );
    expect(rows.map(({ model }) => model)).toEqual(
      expect.arrayContaining([
        'AccessToken',
        'ActorToken',
        'AuthorizationCode',
        'Interaction',
        'PushedAuthorizationRequest',
        'RefreshToken',
        'ReplayDetection',
        'Session',
      ]),
    );
    for (const [what, canary] of Object.entries(canaries))
      expect([what, typeof canary, canary.length > 15]).toEqual([what, 'string', true]);
  });

  it('holds none of the values handed out, in any spelling (K1)', () => {
    const found = Object.entries(canaries).flatMap(([what, canary]) =>
      spellingsOf(canary).some((spelling) => dump.includes(spelling)) ? [what] : [],
    );
    expect(found).toEqual([]);
    expect(dump).not.toMatch(/PRIVATE KEY|"d": ?"/);
    // The search itself finds what is there: who Ana is, and which grants there are.
    expect(spellingsOf(ANA.email).some((spelling) => dump.includes(spelling))).toBe(true);
  });

  it('holds nothing that is accepted in place of what it stands for (G20)', async () => {
    const rows = await t.opened.db.run<{ id: string }>('select id from artifacts');
    const hashes = await t.opened.db.run<{ principal: string; secret_hash: string }>(
      'select principal, secret_hash from credentials',
    );
    expect(rows.length).toBeGreaterThan(10);
    for (const { id } of rows) {
      const refresh = await postToken(t, HOST, { grant_type: 'refresh_token', refresh_token: id });
      expect([refresh.status, refresh.body.error]).toEqual([400, 'invalid_grant']);
      const userinfo = await fetch(`${t.issuer}/userinfo`, {
        headers: { authorization: `Bearer ${id}` },
      });
      expect(userinfo.status).toBe(401);
      const cookie = `behalf_session=${id}; behalf_session.sig=${id}`;
      const page = await fetch(authorizeUrl(t, pkce().challenge, { prompt: 'none' }), {
        headers: { cookie },
        redirect: 'manual',
      });
      expect(page.headers.get('location')).toContain('error=login_required');
    }
    for (const { principal, secret_hash } of hashes) {
      const answer = await postForm(
        `${t.issuer}/token`,
        { grant_type: 'client_credentials', resource: FILES },
        { authorization: basic(principal, secret_hash) },
      );
      expect([answer.status, answer.body.error]).toEqual([401, 'invalid_client']);
    }
    const registrations = await t.opened.db.run<{ client_id: string; token_hash: string }>(
      'select client_id, token_hash from client_registrations',
    );
    expect(registrations.length).toBeGreaterThan(0);
    for (const { client_id, token_hash } of registrations) {
      const uri = `${t.issuer}/register/${client_id}`;
      expect((await sendJson(uri, 'GET', undefined, bearer(token_hash))).status).toBe(401);
    }
    const initial = await t.opened.db.run<{ token_hash: string }>(
      'select token_hash from initial_access_tokens',
    );
    expect(initial.length).toBeGreaterThan(0);
    for (const { token_hash } of initial) {
      expect((await register(t, {}, bearer(token_hash))).status).toBe(401);
    }
    // What it stands for is accepted.
    const answer = await postToken(t, HOST, {
      grant_type: 'refresh_token',
      refresh_token: canaries['refresh token'] as string,
    });
    expect(answer.status).toBe(200);
  });

  it('has nothing of it in the log either (A12, G20)', () => {
    const lines = t.logged.join('');
    expect(lines.length).toBeGreaterThan(1000);
    const found = Object.entries(canaries).flatMap(([what, canary]) =>
      spellingsOf(canary).some((spelling) => lines.includes(spelling)) ? [what] : [],
    );
    expect(found).toEqual([]);
  });
});

/** Up to the consent page. */
async function signInAs(
  browser: ReturnType<typeof createBrowserless>,
  t: TestBroker,
  person: { readonly email: string; readonly password: string },
): Promise<Page> {
  const page = await browser.open(authorizeUrl(t, pkce().challenge));
  const { email, password } = person;
  return browser.submit(formTo(page, '/sign-in'), { email, password });
}

describe('BEHALF_SECRET (DESIGN §9.7)', () => {
  const NEW_SECRET = 'another-root-for-tests-0123456789abcdef';
  let opened: OpenedDatabase;
  let t: TestBroker;
  beforeAll(async () => {
    opened = await openTestPostgres();
    t = await startTestBroker({ opened });
  });
  afterAll(() => t.close());

  const keyServiceUnder = (secret: string, previous?: string) =>
    createKeyService({
      db: opened.db,
      secrets: async () => createSecrets(secret, previous),
      rules: { rotationDays: 0, leadSeconds: 0 },
    });
  const resealUnder = (secret: string, previous: string) =>
    keyServiceUnder(secret, previous).reseal('cli');

  const start = async (secret: string, previousSecret?: string) => {
    const port = await freePort();
    const config = testConfig(port, { secret, previousSecret });
    const broker = await createBroker(config, { db: opened.db, logTo: { write: () => {} } });
    await broker.listen();
    return { broker, issuer: config.issuer };
  };

  it('opens the private keys, and no other root does: the start is refused with a sentence', async () => {
    await expect(start(NEW_SECRET)).rejects.toThrow(
      'the signing keys in the database were sealed under another BEHALF_SECRET: start with that one, or name it in BEHALF_SECRET_PREVIOUS',
    );
    const again = await start(ROOT_SECRET);
    await again.broker.close();
  });

  it('can be changed: the start seals the keys anew, tokens go on being verifiable, and the previous one is needed no more', async () => {
    const before = await postToken(t, AGENT, { grant_type: 'client_credentials', resource: FILES });
    const kids = await publishedKids(t);
    const change = await start(NEW_SECRET, ROOT_SECRET);
    await change.broker.close();
    await expect(start(ROOT_SECRET)).rejects.toThrow('sealed under another BEHALF_SECRET');
    const { broker, issuer } = await start(NEW_SECRET);
    try {
      expect(await publishedKids({ issuer })).toEqual(kids);
      const keys = createRemoteJWKSet(new URL(`${issuer}/.well-known/jwks.json`));
      await jwtVerify(before.body.access_token, keys, { issuer: t.issuer });
      const after = await postForm(
        `${issuer}/token`,
        { grant_type: 'client_credentials', resource: FILES },
        authFor(t, AGENT),
      );
      await jwtVerify(after.body.access_token, keys, { issuer });
    } finally {
      await broker.close();
      await resealUnder(ROOT_SECRET, NEW_SECRET);
    }
  });

  it('can be changed by `keys reseal` too, beside a process that runs, which seals each key once', async () => {
    const service = keyServiceUnder(NEW_SECRET, ROOT_SECRET);
    const sealed = (await t.opened.db.run('select kid from signing_keys')).length;
    expect([await service.reseal('cli'), await service.reseal('cli')]).toEqual([sealed, 0]);
    await expect(
      keyServiceUnder('a-third-root-for-tests-0123456789abcdef').reseal('cli'),
    ).rejects.toThrow('sealed under another BEHALF_SECRET');
    expect(await resealUnder(ROOT_SECRET, NEW_SECRET)).toBe(sealed);
  });

  it('leaves a sign-in that began under the previous root able to finish under the new one', async () => {
    const port = await freePort();
    const config = testConfig(port);
    const world = { ...t, issuer: config.issuer };
    const browser = createBrowserless(config.issuer);
    const [first, second] = [
      { secret: ROOT_SECRET },
      { secret: NEW_SECRET, previousSecret: ROOT_SECRET },
    ];
    const begin = await createBroker(
      { ...config, ...first },
      { db: opened.db, logTo: { write: () => {} } },
    );
    await begin.listen();
    const page = await browser.open(authorizeUrl(world, pkce().challenge));
    expect(page.status).toBe(200);
    const ben = createBrowserless(config.issuer);
    const asking = await signInAs(ben, world, BEN);
    await begin.close();
    const finish = await createBroker(
      { ...config, ...second },
      { db: opened.db, logTo: { write: () => {} } },
    );
    await finish.listen();
    const again = await browser.open(page.url);
    const consent = await browser.submit(formTo(again, '/sign-in'), {
      email: ANA.email,
      password: ANA.password,
    });
    expect(consent.html).toContain('files:write');
    // A page that was open during the change can be sent, and its session goes on.
    const decided = await ben.submit(formTo(asking, '/decision'), { decision: 'allow' });
    expect(new URL(decided.url).searchParams.get('code')).toEqual(expect.any(String));
    const silent = await ben.open(authorizeUrl(world, pkce().challenge, { prompt: 'none' }));
    expect(new URL(silent.url).searchParams.get('code')).toEqual(expect.any(String));
    await finish.close();
    await resealUnder(ROOT_SECRET, NEW_SECRET);
  });

  it('seals each value for one purpose, differently each time, and notices every changed bit', () => {
    const secrets = createSecrets(ROOT_SECRET);
    const sealed = secrets.seal('artifacts', 'the same');
    expect(secrets.open('artifacts', sealed)).toBe('the same');
    expect(secrets.seal('artifacts', 'the same')).not.toBe(sealed);
    expect(() => secrets.open('signing-keys', sealed)).toThrow('does not open');
    const bytes = Buffer.from(sealed, 'base64url');
    for (let at = 0; at < bytes.length; at += 1) {
      const flipped = Buffer.from(bytes);
      flipped[at] = (flipped[at] as number) ^ 1;
      expect(() => secrets.open('artifacts', flipped.toString('base64url'))).toThrow(
        'does not open',
      );
    }
    expect(
      new Set(
        ['cookies', 'forms', 'signing-keys', 'artifacts'].map((label) =>
          secrets.derive(label as 'forms')[0]?.toString('hex'),
        ),
      ).size,
    ).toBe(4);
  });
});

describe('K2 secrets are compared in constant time', () => {
  const original = nodeCrypto.timingSafeEqual;
  let compared: Array<readonly [number, number]> = [];
  beforeAll(() => {
    nodeCrypto.timingSafeEqual = ((a: Uint8Array, b: Uint8Array) => {
      compared.push([a.length, b.length]);
      return original(a, b);
    }) as typeof original;
    syncBuiltinESMExports();
  });
  afterAll(() => {
    nodeCrypto.timingSafeEqual = original;
    syncBuiltinESMExports();
  });

  it('as hashes of one length, by timingSafeEqual, whether they match or not', () => {
    const secret = randomBytes(32).toString('base64url');
    for (const presented of [secret, `${secret.slice(0, -1)}~`, '', 'x'.repeat(10_000)]) {
      compared = [];
      expect(secretMatches(presented, hashSecret(secret))).toBe(presented === secret);
      expect(compared).toEqual([[32, 32]]);
    }
  });

  it('and nothing but the SHA-256 of the secret is stored', () => {
    expect(hashSecret('abc')).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    );
    expect(secretMatches('abc', '')).toBe(false);
  });
});
