// A scenario over HTTP against a broker: sign-in and consent through the pages, the token endpoint,
// introspection by the resources' own servers, and the registry's own operations. What was refused
// is read from the audit, where the broker says why.
import { createBrowserless, formsOf, type Page } from '../../../examples/demo/walk-pages.js';
import { formatScope } from '../../../src/protocol/index.js';
import {
  type Answer,
  basic,
  claimsOf,
  pkce,
  postForm,
  type TestBroker,
} from '../../support/broker.js';
import { reasonOfEvent } from './reasons.js';
import { downstreamRows, type Names, PASSWORD } from './rows.js';
import type { Event, Outcome, Request, Stage, Use, WorldWords } from './words.js';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

export interface HeldTokens {
  readonly access: string;
  readonly refresh: string | undefined;
}

export interface HttpStage extends Stage {
  /** The token a step gave a name. */
  token(name: string): HeldTokens;
  rename(name: string, as: string): void;
  /** Every token there is, by name. */
  readonly tokens: ReadonlyMap<string, HeldTokens>;
  /** What the resource's own server is told of a token (RFC 7662), as `answers` of the verifier. */
  introspects(token: string, at: string): Promise<object>;
}

interface Scene {
  readonly t: TestBroker;
  readonly world: WorldWords;
  readonly names: Names;
  readonly secrets: Readonly<Record<string, string>>;
  readonly tokens: Map<string, HeldTokens>;
  readonly browsers: Map<string, ReturnType<typeof createBrowserless>>;
}

export function createHttpStage(
  t: TestBroker,
  world: WorldWords,
  names: Names,
  secrets: Readonly<Record<string, string>>,
): HttpStage {
  const scene: Scene = { t, world, names, secrets, tokens: new Map(), browsers: new Map() };
  return {
    token: (name) => held(scene, name),
    rename: (name, as) => void scene.tokens.set(as, held(scene, name)),
    happens: (event) => happen(scene, event),
    asks: async (request, as) => {
      const answer = await ask(scene, request);
      if (answer?.status !== 200) return { denied: [await lastReason(scene)] };
      const { access_token: access, refresh_token: refresh } = answer.body;
      if (as !== undefined) scene.tokens.set(as, { access, refresh });
      return told(scene, claimsOf(access));
    },
    uses: (use) => introspected(scene, use),
    tokens: scene.tokens,
    introspects: async (token, at) => {
      const body = await asked(scene, token, at);
      // A server whose own client went on is told of what it got for elsewhere; it is nothing here.
      return toldOf(body.aud === names.resource(at) ? body : {});
    },
  };
}

function held({ tokens }: Scene, name: string): HeldTokens {
  const token = tokens.get(name);
  if (token === undefined) throw new Error(`there is no token called ${name}`);
  return token;
}

interface Act {
  readonly sub: string;
  readonly act?: Act;
}

/** What a token says, in the words of the scenario. */
function told({ names }: Scene, claims: Record<string, unknown>): Outcome {
  const acting: string[] = [];
  for (let act = claims.act as Act | undefined; act !== undefined; act = act.act) {
    acting.push(names.word(act.sub));
  }
  return { gets: String(claims.scope).split(' '), acting };
}

const post = ({ t, names, secrets }: Scene, as: string, path: string, fields: object) => {
  const id = names.of(as);
  const present = Object.entries(fields).filter(([, value]) => value !== undefined);
  return postForm(`${t.issuer}${path}`, Object.fromEntries(present), {
    authorization: basic(id, secrets[id] ?? 'none'),
  });
};

async function ask(scene: Scene, request: Request): Promise<Answer | undefined> {
  if ('consent' in request) return askConsent(scene, request.consent);
  const { names } = scene;
  if ('alone' in request) {
    const { who, at, scopes } = request.alone;
    return post(scene, who, '/token', {
      grant_type: 'client_credentials',
      resource: names.resource(at),
      scope: formatScope(scopes),
    });
  }
  if ('refresh' in request) {
    const { token, scopes } = request.refresh;
    const { access, refresh } = held(scene, token);
    return post(scene, names.word(String(claimsOf(access).client_id)), '/token', {
      grant_type: 'refresh_token',
      refresh_token: refresh,
      scope: scopes && formatScope(scopes),
    });
  }
  const { token, by, through, at, scopes, handTo } = request.exchange;
  const actor = through === undefined ? undefined : await actorToken(scene, by);
  if (actor === null) return undefined;
  return post(scene, through ?? by, '/token', {
    grant_type: EXCHANGE,
    subject_token: held(scene, token).access,
    subject_token_type: ACCESS_TOKEN,
    actor_token: actor,
    actor_token_type: actor && ACCESS_TOKEN,
    resource: at && names.resource(at),
    scope: scopes && formatScope(scopes),
    requested_actor: handTo && names.of(handTo),
  });
}

/** Null: it may not even have one. */
async function actorToken(scene: Scene, agent: string): Promise<string | null> {
  const { status, body } = await post(scene, agent, '/token', {
    grant_type: 'client_credentials',
    resource: scene.t.issuer,
  });
  return status === 200 ? body.access_token : null;
}

async function askConsent(
  scene: Scene,
  words: Extract<Request, { consent: unknown }>['consent'],
): Promise<Answer | undefined> {
  const { names, t } = scene;
  const { verifier, challenge } = pkce();
  const query = new URLSearchParams({
    response_type: 'code',
    client_id: names.of(words.through),
    redirect_uri: names.callback(words.through),
    code_challenge: challenge,
    code_challenge_method: 'S256',
    state: 'a-state',
    scope: formatScope(words.scopes),
    resource: names.resource(words.at),
    ...(words.to === undefined ? {} : { requested_actor: names.of(words.to) }),
  });
  const callback = await decide(scene, `${t.issuer}/authorize?${query}`, words);
  const code = callback.searchParams.get('code');
  if (code === null) return undefined;
  const actor = words.to === undefined ? undefined : await actorToken(scene, words.to);
  return post(scene, words.through, '/token', {
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    redirect_uri: names.callback(words.through),
    actor_token: actor ?? undefined,
  });
}

/** Signs in if asked to, ticks and allows; where the answer goes. */
async function decide(
  { browsers, names, t }: Scene,
  url: string,
  { by, ticked, helpers = 0 }: Extract<Request, { consent: unknown }>['consent'],
): Promise<URL> {
  const browser = browsers.get(by) ?? createBrowserless(t.issuer);
  browsers.set(by, browser);
  const formTo = (page: Page, ending: string) =>
    formsOf(page).find(({ action }) => action.endsWith(ending));
  let page = await browser.open(url);
  const signIn = formTo(page, '/sign-in');
  if (signIn !== undefined) {
    page = await browser.submit(signIn, { email: names.email(by), password: PASSWORD });
  }
  const decision = formTo(page, '/decision');
  if (decision !== undefined) {
    // Unless somebody ticks for themselves, whatever the page offers.
    const boxes = /<input\b[^>]*\bname="scope"[^>]*>/g;
    const offered = [...page.html.matchAll(boxes)].map(
      ([tag]) => /\bvalue="([^"]*)"/.exec(tag)?.[1] ?? '',
    );
    page = await browser.submit(decision, {
      decision: 'allow',
      scope: ticked ?? offered,
      ...(decision.fields.has('helpers') ? { helpers: String(helpers) } : {}),
    });
  }
  return new URL(page.url);
}

/** Why the last refusal was one, as the operator is told. */
async function lastReason({ t }: Scene) {
  const [row] = await t.opened.db.run<{ code: string; reason: string }>(
    `select detail ->> 'code' as code, detail ->> 'reason' as reason from audit_events
     where type in ('token.refused', 'request.refused', 'consent.denied') order by id desc limit 1`,
  );
  return reasonOfEvent(row?.code ?? '', row?.reason ?? '');
}

/** The resource's own server asks (RFC 7662). */
async function asked(scene: Scene, token: string, at: string): Promise<Record<string, unknown>> {
  const server = scene.world.resources[at]?.server ?? '';
  const answer = await post(scene, server, '/introspect', { token });
  if (answer.status !== 200) throw new Error(`not introspected: ${answer.status}`);
  return answer.body;
}

/** The members that a verifier reads in the token itself. */
function toldOf(body: Record<string, unknown>): object {
  if (body.active !== true) return { active: false };
  const { iss, aud, sub, sub_profile, client_id, scope = '', agent_scope, actor_proof } = body;
  const { via = [], jti, exp, acr, auth_time } = body;
  const act: object[] = [];
  for (let one = body.act as (Act & { iss: string; sub_profile?: string }) | undefined; one; ) {
    act.push({ sub: one.sub, iss: one.iss, profile: one.sub_profile });
    one = one.act as typeof one;
  }
  const facts = { active: true, iss, aud, sub, sub_profile, client_id, scope, agent_scope, act };
  return { ...facts, actor_proof, via, jti, exp, acr, auth_time };
}

/** As the resource's own server learns it (RFC 7662). */
async function introspected(scene: Scene, { tool, at, with: name }: Use): Promise<Outcome> {
  const resource = scene.world.resources[at];
  const { active, aud, scope = '' } = await asked(scene, held(scene, name).access, at);
  // Inactive, or somebody else's: the same answer.
  if (active !== true) {
    return { denied: ['somebody in the story was stopped', 'the token is for another resource'] };
  }
  if (aud !== scene.names.resource(at)) return { denied: ['the token is for another resource'] };
  const needs = resource?.tools?.[tool] ?? [];
  const has = String(scope).split(' ');
  return needs.every((one) => has.includes(one))
    ? 'may'
    : { denied: ['the token lacks the scope'] };
}

/** By the registry's own operations, as the admin API calls them. */
async function happen(scene: Scene, event: Event): Promise<void> {
  const { registry } = scene.t.broker;
  const { names } = scene;
  const status = (name: string, to: 'active' | 'paused' | 'blocked') =>
    registry.agents.setStatus('cli', names.of(name), { status: to, reason: 'a scenario' });
  if ('block' in event) await status(event.block, 'blocked');
  else if ('unblock' in event) await status(event.unblock, 'active');
  else if ('pause' in event) await status(event.pause, 'paused');
  else if ('resume' in event) await status(event.resume, 'active');
  else if ('retire' in event) await registry.agents.retire('cli', names.of(event.retire));
  else if ('disable' in event) await registry.users.disable('cli', names.of(event.disable), 'left');
  else if ('enable' in event) await registry.users.enable('cli', names.of(event.enable));
  else if ('remove' in event) await registry.clients.retire('cli', names.of(event.remove));
  else if ('withdraw' in event) await withdraw(scene, event.withdraw);
  else if ('revoke' in event) await revoke(scene, event.revoke);
  else if ('permit' in event) {
    await registry.permissions.set('cli', {
      principal: names.of(event.permit),
      resource: names.resource(event.at),
      scopes: [...event.scopes],
    });
  } else if ('edges' in event) {
    const takesWorkFrom = event.takesWorkFrom.map(names.of);
    await registry.agents.patch('cli', names.of(event.edges), { takesWorkFrom });
  } else if ('exchangesNoMore' in event) {
    const id = names.of(event.exchangesNoMore);
    await registry.agents.patch('cli', id, { mayExchange: false });
  } else {
    const downstream = downstreamRows(event.downstream, names).map(({ resource, scopes }) => ({
      resource,
      scopes: Object.fromEntries(Object.entries(scopes).map(([from, to]) => [from, [...to]])),
    }));
    await registry.resources.patch('cli', names.resource(event.route), { downstream });
  }
  // Whoever comes back is believed from the next second on: times are compared in whole seconds.
  if ('resume' in event || 'unblock' in event || 'enable' in event) {
    await scene.t.opened.db.run('select pg_sleep(1.05)');
  }
}

/** Ana says no at the page of what acts for her. */
async function withdraw(scene: Scene, name: string): Promise<void> {
  const [consent = ''] = String(claimsOf(held(scene, name).access).jti).split('.');
  const { status } = await fetch(`${scene.t.issuer}/admin/v1/consents/${consent}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${scene.t.broker.adminToken}` },
  });
  if (status >= 300) throw new Error(`not withdrawn: ${status}`);
}

async function revoke(scene: Scene, name: string): Promise<void> {
  const { access } = held(scene, name);
  const client = scene.names.word(String(claimsOf(access).client_id));
  const { status } = await post(scene, client, '/revoke', { token: access });
  if (status !== 200) throw new Error(`not revoked: ${status}`);
}
