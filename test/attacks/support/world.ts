// The world under attack: one broker process on one database, honest people in it, and a record of
// everything that was said, so that the oracle can judge each case on its own.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createRegistry, type Registry } from '../../../src/broker/admin/registry.js';
import type { Database } from '../../../src/broker/db/database.js';
import { createSecrets, hashSecret } from '../../../src/broker/keys/secrets.js';
import { loadKeys, type SigningKey } from '../../../src/broker/keys/store.js';
import { hashPassword } from '../../../src/broker/users/password.js';
import { ADMIN_TOKEN, basic, freePort, ROOT_SECRET } from '../../support/broker.js';
import { openTestPostgres } from '../../support/databases.js';
import { startWeb, type TestWeb } from '../../support/web.js';
import { AGENT, ANA, BEN, CALLBACK, FILES_CLIENT, HOST, seedWorld } from '../../support/world.js';
import { type Canaries, createCanaries } from './canaries.js';
import { type Casting, castParty } from './cast.js';
import {
  type Answer,
  type Browser,
  createBrowser,
  createHttp,
  type Fields,
  FORM,
  formBody,
  type Http,
  type Sending,
} from './http.js';
import { createJournal, type Journal } from './journal.js';
import { createPages, type Pages } from './pages.js';
import { createParty, type Party, type Query } from './party.js';
import { type BrokerProcess, startBrokerProcess } from './process.js';
import type { Reach } from './reach.js';

/** Sites that a broker under attack can reach. */
export const SITE = 'app.example.com';

export interface AttackWorld extends Pages, Pick<Journal, 'begin' | 'honestly'> {
  readonly issuer: string;
  /** By principal; whoever has none is a public client. */
  readonly secrets: Record<string, string>;
  readonly db: Database;
  readonly registry: Registry;
  readonly canaries: Canaries;
  /** What others serve. */
  readonly web: TestWeb;
  /** A port nobody may be sent to, and how often somebody was. */
  readonly guarded: { readonly port: number; readonly knocks: () => number };
  readonly ana: Party;
  readonly ben: Party;
  /** Ana with the same client and no agent. */
  readonly plain: Party;
  send(path: string, sending?: Sending): Promise<Answer>;
  raw(bytes: string | Buffer, waitMs?: number): Promise<string>;
  encode(query: Query): string;
  /** A form to an endpoint, as a principal with its secret, or as nobody. */
  post(
    path: string,
    fields: Fields,
    as?: string,
    headers?: Record<string, string>,
  ): Promise<Answer>;
  token(as: string | undefined, fields: Fields): Promise<Answer>;
  introspect(token: string, as?: string): Promise<Answer>;
  auth(principal: string): Record<string, string>;
  browser(): Browser;
  actorToken(agent: string): Promise<string>;
  /** Somebody of their own, whom an attack may stop without stopping anybody else. */
  cast(more?: Casting): Promise<Party>;
  /** Has the process see what the registry just changed. */
  settle(): Promise<void>;
  setClock(seconds: number): Promise<void>;
  /** The process dies and comes back. */
  restart(): Promise<void>;
  output(): string;
  signingKey(): Promise<SigningKey>;
  close(): Promise<void>;
}

export async function startAttackWorld(
  more: { readonly trustedProxies?: number } = {},
): Promise<AttackWorld> {
  const opened = await openTestPostgres();
  const { db, url: databaseUrl } = opened;
  const secrets: Record<string, string> = { ...(await seedWorld(db)) };
  const port = await freePort();
  const issuer = `http://127.0.0.1:${port}`;
  const web = await startWeb([SITE, 'rebind.evil.example']);
  const guard = await startGuard();
  const { ca } = web.outbound;
  const reach: Reach = {
    sites: [SITE],
    port: web.port,
    ca,
    guarded: guard.port,
    trustedProxies: more.trustedProxies ?? 0,
  };
  const settings = {
    ...{ issuer, port, databaseUrl, secret: ROOT_SECRET, adminToken: ADMIN_TOKEN },
    web: reach,
  };
  // S2: whatever the environment says of proxies leads to the guarded port.
  const proxy = `http://127.0.0.1:${guard.port}`;
  const broker = await startBrokerProcess(settings, {
    ...{ HTTP_PROXY: proxy, HTTPS_PROXY: proxy, https_proxy: proxy, ALL_PROXY: proxy },
    NODE_USE_ENV_PROXY: '1',
  });
  const canaries = createCanaries();
  for (const [id, secret] of Object.entries(secrets)) canaries.add(`secret of ${id}`, secret);
  for (const { email, password } of [ANA, BEN]) canaries.add(`password of ${email}`, password);
  canaries.add('root secret', ROOT_SECRET);
  canaries.add('admin token', ADMIN_TOKEN);
  const journal = createJournal(db, canaries);
  const http = createHttp(issuer, journal.note);
  const close = async (): Promise<void> => {
    http.close();
    await broker.stop();
    await web.close();
    guard.close();
    await opened.close();
  };
  const w = {
    issuer,
    secrets,
    db,
    registry: createRegistry({ db, issuer, hashSecret, hashPassword }),
    canaries,
    web,
    guarded: { port: guard.port, knocks: guard.knocks },
    begin: journal.begin,
    honestly: journal.honestly,
    close,
    ...createPages(issuer),
    ...ways(() => w, http),
    ...handles(() => w, broker),
  } as AttackWorld;
  const common = { client: HOST, redirectUri: CALLBACK, scope: 'openid files:write' };
  const parties = {
    ana: createParty(w, { ...common, user: ANA, agent: AGENT }),
    ben: createParty(w, { ...common, user: BEN, agent: AGENT }),
    plain: createParty(w, { ...common, user: ANA, agent: '' }),
  };
  Object.assign(w, parties);
  for (const party of Object.values(parties)) await party.consent();
  return w;
}

/** Counts whoever connects, on both loopback addresses. */
async function startGuard() {
  const port = await freePort();
  let knocks = 0;
  const servers = ['127.0.0.1', '::1'].map((host) =>
    createServer((socket) => {
      knocks += 1;
      socket.destroy();
    }).listen(port, host),
  );
  await Promise.all(servers.map((server) => once(server, 'listening')));
  return {
    port,
    knocks: () => knocks,
    close: () => {
      for (const server of servers) server.close();
    },
  };
}

/** Ways to ask. */
function ways(world: () => AttackWorld, http: Http) {
  const auth: AttackWorld['auth'] = (principal) => {
    const secret = world().secrets[principal];
    return secret === undefined ? {} : { authorization: basic(principal, secret) };
  };
  const post: AttackWorld['post'] = (path, fields, as, headers = {}) => {
    const proof = as === undefined ? {} : auth(as);
    const isPublic = as !== undefined && proof.authorization === undefined;
    return http.send(path, {
      method: 'POST',
      body: formBody({ ...fields, ...(isPublic ? { client_id: as } : {}) }),
      headers: { ...FORM, accept: 'application/json', ...proof, ...headers },
    });
  };
  const token: AttackWorld['token'] = (as, fields) => post('/token', fields, as);
  return {
    send: http.send,
    raw: http.raw,
    encode: (query: Query) => formBody(query),
    auth,
    post,
    token,
    introspect: (value: string, as = FILES_CLIENT) => post('/introspect', { token: value }, as),
    browser: () => createBrowser(http, world().issuer),
    actorToken: (agent: string) =>
      world().honestly(async () => {
        const fields = { grant_type: 'client_credentials', resource: world().issuer };
        const { status, body, text } = await token(agent, fields);
        if (status !== 200) throw new Error(`no actor token: ${status} ${text}`);
        return body.access_token as string;
      }),
  };
}

/** What only a test may do. */
function handles(world: () => AttackWorld, broker: BrokerProcess) {
  return {
    cast: (more?: Casting) => world().honestly(() => castParty(world(), more)),
    // The check of a request always asks whether its facts are the newest.
    settle: () =>
      world().honestly(async () => {
        await world().browser().get(world().ana.url());
      }),
    setClock: (seconds: number) => broker.setClock(seconds * 1000),
    restart: broker.restart,
    output: broker.output,
    signingKey: async () => {
      const { published } = await loadKeys(world().db, createSecrets(ROOT_SECRET));
      const key = published.find(({ state }) => state === 'active');
      if (key === undefined) throw new Error('there is no signing key');
      return key;
    },
  };
}
