// Passing work on and taking it up (RFC 8693, DESIGN §8c), as the agent host and the service host
// ask for it: what they send, what they make of the answer, and when it is over.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  type AgentHostOptions,
  createAgentHost,
  createServiceHost,
  isAgentError,
} from '../../src/agent/index.js';
import { type FakeServer, startFakeServer } from './support/fake-server.js';

const resource = 'https://files.example/mcp';
const next = 'https://search.example/mcp';
const redirectUri = 'http://127.0.0.1:8123/callback';
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
let server: FakeServer;
let aheadMs = 0;
const now = () => Date.now() + aheadMs;
beforeEach(async () => {
  server = await startFakeServer();
  aheadMs = 0;
});
afterEach(() => server.close());

const hostOf = (id: string, options: Partial<AgentHostOptions> = {}) =>
  createAgentHost({
    issuer: server.issuer,
    agent: { id, auth: { secret: `secret-of-${id}` } },
    client: { id: 'cli_host', redirectUri },
    now,
    ...options,
  });
const service = () =>
  createServiceHost({
    issuer: server.issuer,
    service: { id: 'cli_files', auth: { secret: 'files-secret' } },
    now,
  });

/** The code of an AgentError; anything else fails the test. */
async function codeOf(work: Promise<unknown>): Promise<string> {
  const outcome = await work.then(
    () => 'succeeded',
    (error: unknown) => error,
  );
  if (isAgentError(outcome)) return outcome.code;
  throw new Error('an AgentError was expected', { cause: outcome });
}

async function delegate(scope = 'files:read files:write') {
  const host = hostOf('agt_scout');
  const { url, transaction } = await host.beginDelegation({ resource, scope });
  return host.completeDelegation(server.approve(url), transaction);
}
const asked = () =>
  server.posts(EXCHANGE).map(({ authorization, form }) => ({ authorization, form }));
const refuseNext = (error: string) =>
  server.next.push({ grant: EXCHANGE, answer: { status: 400, body: { error } } });

describe('RFC 8693 §2.1 an agent continues with less', () => {
  it('asks as itself with its newest token, and keeps user, agent and resource', async () => {
    const delegation = await delegate();
    const less = await delegation.narrow({ scope: 'files:read' });
    expect(asked()).toEqual([
      {
        authorization: `Basic ${btoa('agt_scout:secret-of-agt_scout')}`,
        form: {
          grant_type: EXCHANGE,
          subject_token: (await delegation.token()).accessToken,
          subject_token_type: ACCESS_TOKEN,
          scope: 'files:read',
        },
      },
    ]);
    expect([less.user, less.agent, less.resource, [...less.scopes]]).toEqual([
      { sub: 'usr_alice' },
      'agt_scout',
      resource,
      ['files:read'],
    ]);
    const token = await less.token();
    expect([token.resource, token.scopes]).toEqual([resource, ['files:read']]);
    expect(token).not.toHaveProperty('refreshToken');
  });

  it('renews it once for many callers, from the delegation it came from, while that lives', async () => {
    const delegation = await delegate();
    const less = await delegation.narrow({ scope: 'files:read' });
    const first = await less.token();
    expect(await less.token()).toEqual(first);
    aheadMs = 275_000;
    const [second, same] = await Promise.all([less.token(), less.token()]);
    expect(same).toEqual(second);
    expect(second.accessToken).not.toBe(first.accessToken);
    expect(asked()).toHaveLength(2);
    expect(asked()[1]?.form).toMatchObject({
      subject_token: (await delegation.token()).accessToken,
      scope: 'files:read',
    });
  });

  it('ends when the server will not renew it, and serves what is left while it is away', async () => {
    const less = await (await delegate()).narrow({ scope: 'files:read' });
    const first = await less.token();
    aheadMs = 275_000;
    server.next.push({ grant: EXCHANGE, answer: 'cut' });
    expect(await less.token()).toEqual(first);
    refuseNext('invalid_request');
    expect(await codeOf(less.token())).toBe('delegation_ended');
  });

  it('passes the server’s refusal on, and asks nothing without a scope', async () => {
    const delegation = await delegate();
    refuseNext('invalid_scope');
    expect(await codeOf(delegation.narrow({ scope: 'files:delete' }))).toBe('invalid_scope');
    await expect(delegation.narrow({ scope: '' })).rejects.toThrow(TypeError);
    await delegation.revoke();
    expect(await codeOf(delegation.narrow({ scope: 'files:read' }))).toBe('delegation_ended');
    expect(asked()).toHaveLength(1);
  });
});

describe('RFC 8693 §4.4 a hand-off, and taking it up', () => {
  it('names the helper; the helper sends it as subject token and becomes the actor', async () => {
    const delegation = await delegate();
    const handOff = await delegation.handOff({ to: 'agt_aide', scope: 'files:read' });
    expect(handOff).toEqual({
      handOffToken: expect.stringMatching(/^eyJ/),
      to: 'agt_aide',
      resource,
      scopes: ['files:read'],
      expiresAt: expect.any(Date),
    });
    const taken = await hostOf('agt_aide', { client: undefined }).takeUp(handOff.handOffToken);
    expect(asked().map(({ form }) => form)).toEqual([
      {
        grant_type: EXCHANGE,
        subject_token: (await delegation.token()).accessToken,
        subject_token_type: ACCESS_TOKEN,
        scope: 'files:read',
        requested_actor: 'agt_aide',
      },
      {
        grant_type: EXCHANGE,
        subject_token: handOff.handOffToken,
        subject_token_type: ACCESS_TOKEN,
      },
    ]);
    expect([taken.user, taken.agent, taken.resource, [...taken.scopes]]).toEqual([
      { sub: 'usr_alice' },
      'agt_aide',
      resource,
      ['files:read'],
    ]);
  });

  it('what was taken up is not asked for twice, and ends with its token', async () => {
    const { handOffToken } = await (await delegate()).handOff({ to: 'agt_aide' });
    const taken = await hostOf('agt_aide').takeUp(handOffToken);
    const first = await taken.token();
    aheadMs = 290_000;
    expect(await taken.token()).toEqual(first);
    aheadMs = 301_000;
    expect(await codeOf(taken.token())).toBe('delegation_ended');
    expect(await codeOf(taken.handOff({ to: 'agt_third' }))).toBe('delegation_ended');
    expect(asked()).toHaveLength(2);
  });

  it('can be passed on again by whoever took it up', async () => {
    const { handOffToken } = await (await delegate()).handOff({ to: 'agt_aide' });
    const taken = await hostOf('agt_aide').takeUp(handOffToken);
    const again = await taken.handOff({ to: 'agt_third', scope: 'files:read' });
    const third = await hostOf('agt_third').takeUp(again.handOffToken);
    expect([third.agent, third.user, [...third.scopes]]).toEqual([
      'agt_third',
      { sub: 'usr_alice' },
      ['files:read'],
    ]);
  });

  it('is not asked for without a helper, or taken up without a token', async () => {
    await expect((await delegate()).handOff({ to: '' })).rejects.toThrow(TypeError);
    await expect(hostOf('agt_aide').takeUp('')).rejects.toThrow(TypeError);
    expect(asked()).toEqual([]);
  });

  it('names no user where an agent worked for itself', async () => {
    const scout = hostOf('agt_scout');
    const { accessToken: own } = await scout.token({ resource });
    expect((await hostOf('agt_aide').takeUp(own)).user).toBeUndefined();
  });
});

describe('RFC 8693 §2.1 an exchange by hand', () => {
  it('sends what it was given, and says where the token is good', async () => {
    const subjectToken = (await (await delegate()).token()).accessToken;
    const token = await hostOf('agt_aide').exchange({ subjectToken, scope: 'files:read' });
    expect([token.resource, token.scopes, token.tokenType]).toEqual([
      resource,
      ['files:read'],
      'Bearer',
    ]);
    expect(asked()[0]?.form).toEqual({
      grant_type: EXCHANGE,
      subject_token: subjectToken,
      subject_token_type: ACCESS_TOKEN,
      scope: 'files:read',
    });
  });

  it('refuses an answer that makes somebody else the actor (RFC 8693 §4.1)', async () => {
    const subjectToken = (await (await delegate()).token()).accessToken;
    server.actor = 'agt_mallory';
    expect(await codeOf(hostOf('agt_aide').exchange({ subjectToken }))).toBe('actor_mismatch');
  });

  it('refuses an answer of another type, for another resource, or that is no token (§2.2.1)', async () => {
    const subjectToken = (await (await delegate()).token()).accessToken;
    const answered = async (change: Record<string, unknown>) => {
      const body = {
        access_token: subjectToken,
        issued_token_type: ACCESS_TOKEN,
        token_type: 'Bearer',
        expires_in: 300,
        ...change,
      };
      server.next.push({ grant: EXCHANGE, answer: { status: 200, body } });
      return codeOf(hostOf('agt_scout').exchange({ subjectToken, resource: next }));
    };
    expect(await answered({})).toBe('response_invalid');
    const refresh = 'urn:ietf:params:oauth:token-type:refresh_token';
    expect(await answered({ issued_token_type: refresh })).toBe('response_invalid');
    expect(await answered({ issued_token_type: undefined })).toBe('response_invalid');
    expect(await answered({ token_type: 'N_A' })).toBe('response_invalid');
    expect(await answered({ access_token: 'opaque' })).toBe('response_invalid');
  });
});

describe('DESIGN §8c a service goes on', () => {
  it('exchanges the caller’s token for the next resource, as its own client', async () => {
    const subjectToken = (await (await delegate()).token()).accessToken;
    const token = await service().exchangeFor({ subjectToken, resource: next });
    expect(token.resource).toBe(next);
    expect(asked()).toEqual([
      {
        authorization: `Basic ${btoa('cli_files:files-secret')}`,
        form: {
          grant_type: EXCHANGE,
          subject_token: subjectToken,
          subject_token_type: ACCESS_TOKEN,
          resource: next,
        },
      },
    ]);
  });

  it('has a token of its own too, and passes refusals on', async () => {
    const subjectToken = (await (await delegate()).token()).accessToken;
    const host = service();
    refuseNext('invalid_target');
    expect(await codeOf(host.exchangeFor({ subjectToken, resource: next }))).toBe('invalid_target');
    const own = await host.token({ resource: next });
    expect(await host.token({ resource: next })).toEqual(own);
  });

  it('is not created without an issuer, an id or a credential', () => {
    const auth = { secret: 's' };
    for (const options of [
      { issuer: 'http://broker.example', service: { id: 'cli_files', auth } },
      { issuer: server.issuer, service: { id: '', auth } },
      { issuer: server.issuer, service: { id: 'cli_files', auth: { secret: '' } } },
    ])
      expect(() => createServiceHost(options)).toThrow(TypeError);
  });
});
