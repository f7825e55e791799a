// A forest of tokens to stop parts of: two users, two authorizations of one of them, chains of up to
// four actors across two resources, and whatever was still in flight. Each forest has people, agents
// and clients of its own, so that a stop in one is felt in no other.
import { createHash, randomBytes } from 'node:crypto';
import { sql } from 'drizzle-orm';
import {
  type Browserless,
  createBrowserless,
  type Form,
  formsOf,
  type Page,
} from '../../../examples/demo/walk-pages.js';
import * as tables from '../../../schema/index.js';
import {
  type Answer,
  authFor,
  authorize,
  authorizeUrl,
  claimsOf,
  pkce,
  postForm,
  postToken,
  redeem,
  type TestBroker,
} from '../../support/broker.js';
import { ANA, CALLBACK, FILE_SCOPES } from '../../support/world.js';

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

/** Who is in a forest: ids by what they are in it. */
export type Cast = Awaited<ReturnType<typeof seedCast>>;

const scope = (title: string) =>
  ({ title, risk: 'read', restricted: false, implies: [], base: true }) as const;

let serial = 0;

async function seedCast(t: TestBroker) {
  serial += 1;
  const n = serial;
  const cast = {
    ana: `usr_ana${n}`,
    ben: `usr_ben${n}`,
    host: `cli_host${n}`,
    planner: `agt_planner${n}`,
    helper: `agt_helper${n}`,
    third: `agt_third${n}`,
    server: `cli_server${n}`,
    checker: `cli_checker${n}`,
    files: `https://files${n}.example/mcp`,
    notes: `https://notes${n}.example/api`,
  };
  const { planner, helper, third, host, server, checker, files, notes } = cast;
  const secrets = t.secrets as Record<string, string>;
  const credentialOf = (principal: string) => {
    const secret = randomBytes(32).toString('base64url');
    secrets[principal] = secret;
    const secretHash = createHash('sha256').update(secret).digest('hex');
    return { id: `crd_${principal.slice(4)}`, principal, kind: 'secret', secretHash };
  };
  const [known] = await t.opened.db.run<{ hash: string }>(
    'select password_hash as hash from users where id = $1',
    [ANA.id],
  );
  const auth = 'client_secret_basic';
  await t.opened.db.transaction(async (tx) => {
    await tx.insert(tables.users).values(
      [cast.ana, cast.ben].map((id) => ({
        id,
        email: `${id}@example.com`,
        emailKey: `${id}@example.com`,
        name: id,
        passwordHash: known?.hash ?? '',
      })),
    );
    await tx.insert(tables.clients).values([
      { id: host, name: 'Host', kind: 'app', redirectUris: [CALLBACK], auth },
      { id: server, name: 'Files', kind: 'service', auth },
      { id: checker, name: 'Notes', kind: 'service', auth },
    ]);
    const owner = 'Example Ops';
    await tx.insert(tables.agents).values([
      { id: planner, name: 'Planner', owner, clients: [host], auth },
      { id: helper, name: 'Helper', owner, takesWorkFrom: [planner], auth },
      { id: third, name: 'Third', owner, takesWorkFrom: [helper], auth },
    ]);
    const downstream = [{ resource: notes, scopes: { 'files:read': ['notes:read'] } }];
    await tx.insert(tables.resources).values([
      { identifier: files, name: 'Files', scopes: FILE_SCOPES, client: server, downstream },
      {
        identifier: notes,
        name: 'Notes',
        scopes: { 'notes:read': scope('Read notes') },
        client: checker,
      },
    ]);
    await tx.insert(tables.permissions).values([
      ...[planner, helper, third].map((principal) => ({
        principal,
        resource: files,
        scopes: ['files:read'],
      })),
      { principal: server, resource: notes, scopes: ['notes:read'] },
    ]);
    await tx
      .insert(tables.credentials)
      .values([host, server, checker, planner, helper, third].map(credentialOf));
    await tx.update(tables.policyEpoch).set({ epoch: sql`epoch + 1` });
  });
  return cast;
}

/** What hangs on what is in the name: `ana1.helper.third` was exchanged from `ana1.helper`. */
export const TOKENS = [
  'ana1',
  'ana1.helper',
  'ana1.helper.third',
  'ana1.helper.third.server',
  'ana1.helper2',
  'ana2',
  'ana2.helper',
  'ben',
  'ben.helper',
  'planner',
  'planner.helper',
  'server',
] as const;
export type TokenName = (typeof TOKENS)[number];

/** What was begun before the stop and is finished after it. */
export const FLIGHTS = [
  'refresh of ana1',
  'code of ana',
  'hand-off of ana1',
  'exchange of ana1.helper',
  'actor token of planner',
  'pushed request of ana',
  'open page of ben',
] as const;
export type Flight = (typeof FLIGHTS)[number];

export interface Forest {
  readonly cast: Cast;
  readonly tokens: Readonly<Record<TokenName, string>>;
  /** Of `ana1`, not used since. */
  readonly refreshToken: string;
  /** Of `ana1`, redeemed. */
  readonly usedCode: { readonly code: string; readonly verifier: string };
  /** Which tokens introspection calls active now. */
  alive(): Promise<TokenName[]>;
  /** Which of what is in flight still lands; using it up. */
  lands(): Promise<Flight[]>;
}

export async function growForest(t: TestBroker): Promise<Forest> {
  const cast = await seedCast(t);
  const { planner, helper, third, host, server } = cast;
  const params = {
    client_id: host,
    requested_actor: planner,
    resource: cast.files,
    scope: 'files:read',
  };
  const visit = (user: string) => ({
    params,
    visitor: { email: `${user}@example.com`, password: ANA.password },
    browser: createBrowserless(t.issuer),
  });
  const own = async (principal: string, resource: string) =>
    take(await postToken(t, principal, { grant_type: 'client_credentials', resource }));
  const actor = () => own(planner, t.issuer);
  const redeemed = async (code: { code: string; verifier: string }) =>
    redeem(t, code, { actor_token: await actor() }, host);
  const exchange = (caller: string, token: string, more: Record<string, string> = {}) =>
    postToken(t, caller, {
      grant_type: GRANT,
      subject_token: token,
      subject_token_type: ACCESS_TOKEN,
      ...more,
    });
  const on = async (caller: string, token: string, more?: Record<string, string>) =>
    take(await exchange(caller, token, more));

  const ana = visit(cast.ana);
  const usedCode = await authorize(t, ana);
  const first = await redeemed(usedCode);
  const ana1 = take(first);
  const [consent = ''] = String(claimsOf(ana1).jti).split('.');
  const code = await authorize(t, ana);
  const ana2 = take(await redeemed(await authorize(t, ana)));
  const ben = take(await redeemed(await authorize(t, visit(cast.ben))));
  await t.opened.db.run('update consents set helpers = 3 where agent_id = $1', [planner]);
  const ofHelper = await on(helper, ana1);
  const ofThird = await on(third, ofHelper);
  const ofPlanner = await own(planner, cast.files);
  const tokens: Record<TokenName, string> = {
    ana1,
    'ana1.helper': ofHelper,
    'ana1.helper.third': ofThird,
    'ana1.helper.third.server': await on(server, ofThird, { resource: cast.notes }),
    'ana1.helper2': await on(helper, ana1),
    ana2,
    'ana2.helper': await on(helper, ana2),
    ben,
    'ben.helper': await on(helper, ben),
    planner: ofPlanner,
    'planner.helper': await on(helper, ofPlanner),
    server: await own(server, cast.notes),
  };
  if (!consent.startsWith('cns_')) throw new Error('no consent');
  const handOff = await on(planner, ana1, { requested_actor: helper });
  const actorToken = await actor();
  const benCode = await authorize(t, visit(cast.ben));
  const pushed = await pushRequest(t, host, params);
  const decide = await openPage(t, visit(cast.ben));
  const refreshToken = String(first.body.refresh_token);

  const landings: Record<Flight, () => Promise<boolean>> = {
    'refresh of ana1': async () => {
      const fields = { grant_type: 'refresh_token', refresh_token: refreshToken };
      return ok(await postToken(t, host, fields));
    },
    'code of ana': async () => ok(await redeemed(code).catch(failed)),
    'hand-off of ana1': async () => ok(await exchange(helper, handOff)),
    'exchange of ana1.helper': async () => ok(await exchange(helper, ofHelper)),
    'actor token of planner': async () =>
      ok(await redeem(t, benCode, { actor_token: actorToken }, host)),
    'pushed request of ana': () => isSilent(ana.browser, `${t.issuer}/authorize?${pushed}`),
    'open page of ben': async () => hasCode((await decide()).url),
  };
  return {
    cast,
    tokens,
    refreshToken,
    usedCode,
    alive: () => filter(TOKENS, (name) => isActive(t, cast, tokens[name])),
    lands: () => filter(FLIGHTS, (flight) => landings[flight]()),
  };
}

async function filter<T>(all: readonly T[], keep: (one: T) => Promise<boolean>): Promise<T[]> {
  const kept: T[] = [];
  for (const one of all) if (await keep(one)) kept.push(one);
  return kept;
}

const failed = (error: unknown): Answer => ({ status: 0, headers: new Headers(), body: error });

function ok({ status, body }: Answer): boolean {
  if (status >= 500) throw new Error(`${status} ${JSON.stringify(body)}`);
  return status === 200;
}

function take({ status, body }: Answer): string {
  if (status !== 200) throw new Error(`${status} ${JSON.stringify(body)}`);
  return body.access_token;
}

/** The resource's own server asks, and the token's client: neither may be told that it is active. */
async function isActive(t: TestBroker, cast: Cast, token: string): Promise<boolean> {
  const { aud, client_id: client } = claimsOf(token);
  const resourceServer = aud === cast.notes ? cast.checker : cast.server;
  const answers = await Promise.all(
    [resourceServer, String(client)].map((caller) =>
      postForm(`${t.issuer}/introspect`, { token }, authFor(t, caller)),
    ),
  );
  for (const { status, body } of answers) {
    // One who is stopped may not even ask.
    if (status === 401) continue;
    if (status !== 200) throw new Error(`introspection answered ${status}`);
    if (body.active === false && JSON.stringify(body) !== '{"active":false}') {
      throw new Error('an inactive token was described');
    }
  }
  return answers.some(({ body }) => body.active === true);
}

async function pushRequest(
  t: TestBroker,
  host: string,
  params: Record<string, string>,
): Promise<string> {
  const fields = {
    response_type: 'code',
    redirect_uri: CALLBACK,
    code_challenge: createHash('sha256').update('the-verifier').digest('base64url'),
    code_challenge_method: 'S256',
    ...params,
  };
  const { status, body } = await postForm(`${t.issuer}/par`, fields, authFor(t, host));
  if (status !== 201) throw new Error(`${status} ${JSON.stringify(body)}`);
  return new URLSearchParams({ client_id: host, request_uri: body.request_uri }).toString();
}

/** Whether it ends in a code without a page: the consent still stands. */
async function isSilent(browser: Browserless, url: string): Promise<boolean> {
  return hasCode((await browser.open(url)).url);
}

const hasCode = (url: string): boolean =>
  url.startsWith(CALLBACK) && new URL(url).searchParams.has('code');

/** Signed in, and looking at the consent page. @returns what presses the button */
async function openPage(
  t: TestBroker,
  {
    browser,
    visitor,
    params,
  }: {
    readonly browser: Browserless;
    readonly visitor: { readonly email: string; readonly password: string };
    readonly params: Record<string, string>;
  },
) {
  const url = authorizeUrl(t, pkce().challenge, { ...params, prompt: 'consent' });
  const signIn = formTo(await browser.open(url), '/sign-in');
  const decision = formTo(await browser.submit(signIn, visitor), '/decision');
  return () => browser.submit(decision, { decision: 'allow' });
}

function formTo(page: Page, ending: string): Form {
  const form = formsOf(page).find(({ action }) => action.endsWith(ending));
  if (form === undefined) throw new Error(`no form to ${ending}: ${page.status} ${page.url}`);
  return form;
}
