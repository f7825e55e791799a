// Everybody who might call the admin API, each made by the flow that makes them: what they send, and
// what the admin API must take it for.
import { createHmac, type KeyObject, sign } from 'node:crypto';
import type { AdminScope } from '../../../src/broker/admin/scopes.js';
import { type RecordedEvent, record } from '../../../src/broker/audit/store.js';
import { endGrant } from '../../../src/broker/delegation/ends.js';
import { adminOf, ownToken, type Person, permit, userTokens } from '../../support/admin.js';
import {
  ADMIN_TOKEN,
  actorToken,
  authFor,
  authorize,
  basic,
  claimsOf,
  headerOf,
  postForm,
  postToken,
  redeem,
  type TestBroker,
} from '../../support/broker.js';
import { signingKeyOf } from '../../support/keys.js';
import { AGENT, ANA, FILES, HOST, NOTES, SERVICE } from '../../support/world.js';

export interface Bearer {
  readonly authorization?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly query?: string;
  /** What it holds now, or that it proves nothing. */
  readonly scopes: readonly AdminScope[] | 'none';
}

export type Bearers = Readonly<Record<string, Bearer>>;

const ALL: readonly AdminScope[] = ['admin:read', 'admin:write', 'admin:security'];
const EVERYTHING = 'admin:write admin:security';
const holds = (token: string, ...scopes: readonly AdminScope[]): Bearer => ({
  authorization: `Bearer ${token}`,
  scopes,
});
const proves = (authorization: string): Bearer => ({ authorization, scopes: 'none' });
const nothing = (token: string): Bearer => proves(`Bearer ${token}`);

/** From the first of these on there is an administrator. */
export async function castBearers(t: TestBroker): Promise<Bearers> {
  const admins = await administrators(t);
  const good = admins['a user of everything']?.authorization?.slice('Bearer '.length) as string;
  return {
    ...admins,
    ...nobodies(good),
    ...(await tokensOfOtherKinds(t)),
    ...(await stopped(t)),
    ...(await forged(t, good)),
  };
}

async function administrators(t: TestBroker): Promise<Bearers> {
  await permit(t, ANA.id, 'admin:write', 'admin:security');
  await permit(t, AGENT, 'admin:write', 'admin:security');
  await permit(t, SERVICE, 'admin:read');
  const user = async (scope: string, agent?: string) =>
    (await userTokens(t, scope, agent === undefined ? {} : { agent })).access_token;
  const narrowed = await newUser(t, 'narrowed', 'admin:write');
  const before = (await userTokens(t, 'admin:write', { user: narrowed })).access_token;
  await permit(t, narrowed.id, 'admin:read');
  const reader = await newAgent(t, 'reader', 'admin:read');
  const tamed = await newAgent(t, 'tamed', 'admin:write');
  const through = await user('admin:write', tamed);
  await permit(t, tamed, 'admin:read');
  return {
    'a user who reads': holds(await user('admin:read'), 'admin:read'),
    'a user who writes': holds(await user('admin:write'), 'admin:read', 'admin:write'),
    'a user of security': holds(await user('admin:security'), 'admin:read', 'admin:security'),
    'a user of everything': holds(await user(EVERYTHING), ...ALL),
    'a user whose permission to write was taken away': holds(before, 'admin:read'),
    'a user through an agent that may no longer write': holds(through, 'admin:read'),
    'an agent alone that writes': holds(
      await ownToken(t, AGENT, 'admin:write'),
      'admin:read',
      'admin:write',
    ),
    'a service that reads': holds(await ownToken(t, SERVICE, 'admin:read'), 'admin:read'),
    'an agent with everything, for a user with everything': holds(
      await user(EVERYTHING, AGENT),
      ...ALL,
    ),
    'an agent that may only read, for a user with everything': holds(
      await user('admin:read admin:write', reader),
      'admin:read',
    ),
  };
}

const nobodies = (good: string): Bearers => ({
  nobody: { scopes: 'none' },
  'a wrong token': nothing('wrong'),
  'an empty token': proves('Bearer '),
  'the bootstrap token after the first administrator': nothing(ADMIN_TOKEN),
  'the bootstrap token as a password': proves(basic('admin', ADMIN_TOKEN)),
  'two tokens in one header': nothing(`${good}, ${good}`),
  'a good token with a space in it': nothing(`${good.slice(0, 40)} ${good.slice(40)}`),
  'a good token of another scheme': proves(`DPoP ${good}`),
  'a good token without a scheme': proves(good),
  'a good token in the query': { query: `?access_token=${good}`, scopes: 'none' },
  'a good token in a cookie': { headers: { cookie: `access_token=${good}` }, scopes: 'none' },
});

async function tokensOfOtherKinds(t: TestBroker): Promise<Bearers> {
  const tokens = await userTokens(t, 'admin:read', { identity: 'openid' });
  const userinfo = await authorize(t, {
    params: { scope: 'openid', resource: undefined, requested_actor: undefined },
  });
  const files = await redeem(t, await authorize(t));
  const notes = await postToken(t, SERVICE, {
    grant_type: 'client_credentials',
    resource: NOTES,
    scope: 'notes:read',
  });
  const aside = await authorize(t, {
    params: { scope: 'admin:read', resource: adminOf(t), requested_actor: undefined },
    visitor: { scopes: ['admin:read'] },
  });
  const opaque = await redeem(t, userinfo, { actor_token: undefined });
  return {
    'an ID token': nothing(tokens.id_token as string),
    'a refresh token': nothing(tokens.refresh_token),
    'a code': nothing(aside.code),
    'a token for userinfo': nothing(opaque.body.access_token),
    'an actor token': nothing(await actorToken(t, AGENT)),
    'a token for the user at a tool server': nothing(files.body.access_token),
    'a token of a service at a tool server': nothing(notes.body.access_token),
    'a client secret': nothing(t.secrets[SERVICE] as string),
  };
}

async function stopped(t: TestBroker): Promise<Bearers> {
  const { registry, db } = t.broker;
  const token = async (more: { agent?: string; user?: Person } = {}) =>
    (await userTokens(t, 'admin:read', more)).access_token;
  const revoked = await token();
  await postForm(`${t.issuer}/revoke`, { token: revoked }, authFor(t, HOST));
  const ended = await token();
  await endGrant(db, String(claimsOf(ended).jti).split('.')[1] as string, 'a test', 'cli');
  const agent = await newAgent(t, 'blocked', 'admin:read');
  const [alone, acting] = [await ownToken(t, agent, 'admin:read'), await token({ agent })];
  await registry.agents.setStatus('cli', agent, { status: 'blocked', reason: 'a test' });
  const revived = await newAgent(t, 'revived', 'admin:read');
  const older = await ownToken(t, revived, 'admin:read');
  await registry.agents.setStatus('cli', revived, { status: 'blocked', reason: 'a test' });
  await registry.agents.setStatus('cli', revived, { status: 'active' });
  const user = await newUser(t, 'disabled', 'admin:read');
  const disabled = await token({ user });
  await registry.users.setStatus('cli', user.id, { status: 'disabled', reason: 'a test' });
  const locked = await newAgent(t, 'keyless', 'admin:read');
  const keyless = await ownToken(t, locked, 'admin:read');
  const crd = String(claimsOf(keyless).jti).split('.')[0] as string;
  await registry.agents.removeCredential('cli', locked, crd);
  return {
    'a revoked token': nothing(revoked),
    'a token of an authorization that was ended': nothing(ended),
    'a token of a blocked agent': nothing(alone),
    'a token for a user through a blocked agent': nothing(acting),
    'a token of an agent blocked since and active again': nothing(older),
    'a token of a disabled user': nothing(disabled),
    'a token of a removed credential': nothing(keyless),
  };
}

/** Made with the broker's very key: refused for what they say, not for who signed. */
async function forged(t: TestBroker, good: string): Promise<Bearers> {
  const { privateKey, publicKey } = await signingKeyOf(t.broker.db);
  const [header, claims] = [headerOf(good), claimsOf(good)];
  const again = (more: { header?: object; claims?: object }) =>
    signed({ ...header, ...more.header }, { ...claims, ...more.claims }, privateKey);
  const past = {
    jti: `${claims.jti}x`,
    iat: Number(claims.iat) - 900,
    exp: Number(claims.iat) - 600,
  };
  const [recorded] = await t.broker.db.run<RecordedEvent>(
    `select type, by, sub, agent_id as "agentId", client_id as "clientId", resource,
       grant_id as "grantId", detail
     from audit_events where type = 'token.issued' and jti = $1`,
    [claims.jti],
  );
  const detail = { ...recorded?.detail, iat: past.iat, exp: past.exp };
  await record(t.broker.db.orm, { ...(recorded as RecordedEvent), jti: past.jti, detail });
  const none = `${encode({ ...header, alg: 'none' })}.${encode(claims)}.`;
  const pem = publicKey.export({ format: 'pem', type: 'spki' });
  const hs = `${encode({ ...header, alg: 'HS256' })}.${encode(claims)}`;
  const mac = createHmac('sha256', pem).update(hs).digest('base64url');
  return {
    'an expired token': nothing(again({ claims: past })),
    'a good token without its signature (alg none)': nothing(none),
    'a good token with the public key as secret (HS256)': nothing(`${hs}.${mac}`),
    'a token nobody recorded': nothing(again({ claims: { jti: `${claims.jti}y` } })),
    'a token with more scope than was recorded': nothing(
      again({ claims: { scope: `${claims.scope} admin:all` } }),
    ),
    'a token for somebody else than was recorded': nothing(
      again({ claims: { sub: 'usr_ben', client_id: claims.client_id } }),
    ),
    'a good token with another typ': nothing(again({ header: { typ: 'JWT' } })),
    'a good token with another kid': nothing(again({ header: { kid: 'other' } })),
    'a good token with two audiences': nothing(again({ claims: { aud: [adminOf(t), FILES] } })),
    'a good token of another issuer': nothing(again({ claims: { iss: 'https://other.example' } })),
    'a token bound to a key': nothing(again({ claims: { cnf: { jkt: 'x'.repeat(43) } } })),
  };
}

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function signed(header: object, payload: object, key: KeyObject): string {
  const input = `${encode(header)}.${encode(payload)}`;
  const made = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
  return `${input}.${made.toString('base64url')}`;
}

async function newUser(t: TestBroker, name: string, ...scopes: string[]) {
  const person = { email: `${name}@example.com`, password: 'correct horse battery' };
  const { id } = await t.broker.registry.users.create('cli', { ...person, name });
  await permit(t, id, ...scopes);
  return { ...person, id };
}

async function newAgent(t: TestBroker, name: string, ...scopes: string[]): Promise<string> {
  const id = `agt_${name}`;
  const made = await t.broker.registry.agents.create('cli', {
    id,
    name,
    owner: 'Ops',
    clients: [HOST],
  });
  (t.secrets as Record<string, string>)[id] = made.credential?.secret as string;
  await permit(t, id, ...scopes);
  return id;
}
