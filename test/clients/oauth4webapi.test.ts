// `oauth4webapi`, unmodified: the strictest reading of the specifications there is in a library, one
// request and one answer at a time. Where it would refuse an answer, the broker is wrong.
import { createServer } from 'node:http';
import { exportJWK } from 'jose';
import * as oauth from 'oauth4webapi';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless, walkPages } from '../../examples/demo/walk-pages.js';
import { createVerifier } from '../../src/verifier/index.js';
import {
  actorToken,
  claimsOf,
  freePort,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { AGENT, ANA, CALLBACK, FILES, FILES_CLIENT, HOST } from '../support/world.js';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const http = { [oauth.allowInsecureRequests]: true };
const client = (id: string): oauth.Client => ({ client_id: id });

let t: TestBroker;
let as: oauth.AuthorizationServer;
beforeAll(async () => {
  t = await startTestBroker();
  const issuer = new URL(t.issuer);
  const found = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...http });
  as = await oauth.processDiscoveryResponse(issuer, found);
});
afterAll(() => t.close());

const secretOf = (id: string): oauth.ClientAuth => oauth.ClientSecretBasic(t.secrets[id] ?? '');

interface Asked {
  readonly pushed?: boolean;
  readonly dpop?: oauth.DPoPHandle;
}

/** Ana lets the agent act; what the token endpoint answers, as the library accepts it. */
async function delegate({ pushed = false, dpop }: Asked = {}) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const asked = {
    response_type: 'code',
    client_id: HOST,
    redirect_uri: CALLBACK,
    scope: 'files:write',
    resource: FILES,
    requested_actor: AGENT,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
  };
  const proof = dpop === undefined ? {} : { DPoP: dpop };
  let query: Record<string, string> = asked;
  if (pushed) {
    const answer = await oauth.pushedAuthorizationRequest(
      as,
      client(HOST),
      secretOf(HOST),
      new URLSearchParams(asked),
      { ...http, ...proof },
    );
    const { request_uri } = await oauth.processPushedAuthorizationResponse(
      as,
      client(HOST),
      answer,
    );
    query = { client_id: HOST, request_uri };
  }
  const url = `${as.authorization_endpoint}?${new URLSearchParams(query)}`;
  const callback = await walkPages(createBrowserless(t.issuer), url, ANA);
  const params = oauth.validateAuthResponse(as, client(HOST), callback, state);
  const answer = await oauth.authorizationCodeGrantRequest(
    as,
    client(HOST),
    secretOf(HOST),
    params,
    CALLBACK,
    verifier,
    { ...http, ...proof, additionalParameters: { actor_token: await actorToken(t) } },
  );
  return oauth.processAuthorizationCodeResponse(as, client(HOST), answer);
}

describe('on behalf of a user', () => {
  it.each([
    false,
    true,
  ])('takes the answers of the code flow, pushed: %s (RFC 6749 §4.1, 9126, 9207)', async (pushed) => {
    const tokens = await delegate({ pushed });
    expect(tokens.token_type).toBe('bearer');
    expect(claimsOf(tokens.access_token)).toMatchObject({ sub: ANA.id, act: { sub: AGENT } });
  });

  it('takes the answer of a refresh, whose token is as the first one was (RFC 6749 §6)', async () => {
    const { refresh_token: refresh = '' } = await delegate();
    const answer = await oauth.refreshTokenGrantRequest(
      as,
      client(HOST),
      secretOf(HOST),
      refresh,
      http,
    );
    const tokens = await oauth.processRefreshTokenResponse(as, client(HOST), answer);
    expect(claimsOf(tokens.access_token)).toMatchObject({ sub: ANA.id, act: { sub: AGENT } });
  });

  it('proves its key in the whole flow and at the resource (RFC 9449)', async () => {
    const keys = await oauth.generateKeyPair('ES256');
    const dpop = oauth.DPoP(client(HOST), keys);
    const tokens = await delegate({ pushed: true, dpop });
    expect(tokens.token_type).toBe('dpop');
    const port = await freePort();
    const resource = `http://127.0.0.1:${port}`;
    const verifier = createVerifier({
      issuer: t.issuer,
      resource: FILES,
      dpop: { publicUrl: resource },
    });
    const server = createServer(async (req, res) => {
      const caller = await verifier.authenticate(req as never).catch((error: unknown) => error);
      res.writeHead(caller instanceof Error ? 401 : 200).end(String(caller));
    }).listen(port, '127.0.0.1');
    const ask = (DPoP?: oauth.DPoPHandle) =>
      oauth.protectedResourceRequest(
        tokens.access_token,
        'GET',
        new URL(`${resource}/files`),
        undefined,
        undefined,
        { ...http, ...(DPoP === undefined ? {} : { DPoP }) },
      );
    expect((await ask(dpop)).status).toBe(200);
    const other = oauth.DPoP(client(HOST), await oauth.generateKeyPair('ES256'));
    for (const wrong of [other, undefined]) {
      const answer = await ask(wrong).catch((error: { status: number }) => error);
      expect(answer.status).toBe(401);
    }
    server.closeAllConnections();
    server.close();
    await verifier.close();
  });
});

describe('by itself, onward, and back', () => {
  const own = new URLSearchParams({ resource: FILES, scope: 'files:read' });

  it('takes the answers of client credentials and of an exchange (RFC 6749 §4.4, RFC 8693 §2.2)', async () => {
    const alone = await oauth.clientCredentialsGrantRequest(
      as,
      client(AGENT),
      secretOf(AGENT),
      own,
      http,
    );
    const { access_token: mine } = await oauth.processClientCredentialsResponse(
      as,
      client(AGENT),
      alone,
    );
    expect(claimsOf(mine)).toMatchObject({ sub: AGENT, scope: 'files:list files:read' });
    const answer = await oauth.genericTokenEndpointRequest(
      as,
      client(AGENT),
      secretOf(AGENT),
      EXCHANGE,
      new URLSearchParams({
        subject_token: mine,
        subject_token_type: ACCESS_TOKEN,
        scope: 'files:list',
      }),
      http,
    );
    const less = await oauth.processGenericTokenEndpointResponse(as, client(AGENT), answer);
    expect(less).toMatchObject({ issued_token_type: ACCESS_TOKEN, scope: 'files:list' });
  });

  it('introspects, signed and plain, and revokes (RFC 7662, RFC 9701, RFC 7009)', async () => {
    const { access_token: token } = await delegate();
    const ask = async (requestJwtResponse: boolean) => {
      const answer = await oauth.introspectionRequest(
        as,
        client(FILES_CLIENT),
        secretOf(FILES_CLIENT),
        token,
        { ...http, requestJwtResponse },
      );
      return oauth.processIntrospectionResponse(as, client(FILES_CLIENT), answer);
    };
    for (const signed of [false, true]) {
      expect(await ask(signed)).toMatchObject({ active: true, sub: ANA.id, act: { sub: AGENT } });
    }
    const revoked = await oauth.revocationRequest(as, client(HOST), secretOf(HOST), token, http);
    expect(await oauth.processRevocationResponse(revoked)).toBeUndefined();
    for (const signed of [false, true]) expect(await ask(signed)).toEqual({ active: false });
  });

  it('finds a server of ours by RFC 9728, and its tokens are RFC 9068', async () => {
    const { access_token: token } = await delegate();
    const verifier = createVerifier({ issuer: t.issuer, resource: FILES });
    const found = new Response(JSON.stringify(verifier.protectedResourceMetadata()), {
      headers: { 'content-type': 'application/json' },
    });
    const server = await oauth.processResourceDiscoveryResponse(new URL(FILES), found);
    expect(server.authorization_servers).toEqual([t.issuer]);
    const request = new Request(FILES, { headers: { authorization: `Bearer ${token}` } });
    const claims = await oauth.validateJwtAccessToken(as, request, FILES, http);
    expect(claims).toMatchObject({
      sub: ANA.id,
      client_id: HOST,
      scope: 'files:list files:read files:write',
    });
    const elsewhere = oauth.validateJwtAccessToken(as, request, 'https://notes.example/api', http);
    await expect(elsewhere).rejects.toThrow();
    await verifier.close();
  });
});

describe('registering itself (RFC 7591)', () => {
  const register = async (metadata: Partial<oauth.Client>, more: object = {}) =>
    oauth.processDynamicClientRegistrationResponse(
      await oauth.dynamicClientRegistrationRequest(
        as,
        { redirect_uris: [CALLBACK], client_name: 'Guest', ...metadata },
        { ...http, ...more },
      ),
    );

  /** Ana lets a client read; what the token endpoint answers, as the library accepts it. */
  async function tokensFor(made: oauth.Client, auth: oauth.ClientAuth) {
    const verifier = oauth.generateRandomCodeVerifier();
    const state = oauth.generateRandomState();
    const query = new URLSearchParams({
      response_type: 'code',
      client_id: made.client_id,
      redirect_uri: CALLBACK,
      scope: 'files:read',
      resource: FILES,
      code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
    });
    const url = `${as.authorization_endpoint}?${query}`;
    const callback = await walkPages(createBrowserless(t.issuer), url, ANA);
    const params = oauth.validateAuthResponse(as, made, callback, state);
    const answer = await oauth.authorizationCodeGrantRequest(
      ...([as, made, auth, params, CALLBACK, verifier, http] as const),
    );
    return oauth.processAuthorizationCodeResponse(as, made, answer);
  }

  it('publicly, with a secret, and with a key: each answer is as it was asked for, and gets a token', async () => {
    const { publicKey, privateKey } = await oauth.generateKeyPair('ES256');
    const { kty = '', crv = '', x = '', y = '' } = await exportJWK(publicKey);
    const keyed = {
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [{ kty, crv, x, y, kid: 'own', alg: 'ES256' }] },
    };
    const ways: Array<[Partial<oauth.Client>, (made: oauth.Client) => oauth.ClientAuth]> = [
      [{ token_endpoint_auth_method: 'none' }, () => oauth.None()],
      [
        { token_endpoint_auth_method: 'client_secret_basic' },
        ({ client_secret: secret }) => oauth.ClientSecretBasic(String(secret)),
      ],
      [keyed, () => oauth.PrivateKeyJwt({ key: privateKey, kid: 'own' })],
    ];
    for (const [metadata, auth] of ways) {
      const made = await register(metadata);
      expect(made).toMatchObject({ ...metadata, redirect_uris: [CALLBACK], client_name: 'Guest' });
      const { access_token: token } = await tokensFor(made, auth(made));
      expect(claimsOf(token)).toMatchObject({ sub: ANA.id, client_id: made.client_id, aud: FILES });
    }
    // By another key: nobody.
    const other = await oauth.generateKeyPair('ES256');
    const made = await register({ ...keyed, client_name: 'Keyed' });
    const foreign = oauth.PrivateKeyJwt({ key: other.privateKey, kid: 'own' });
    await expect(tokensFor(made, foreign)).rejects.toMatchObject({ error: 'invalid_client' });
  });

  it('is told by RFC 7591 §3.2.2 and RFC 6750 §3 what it did wrong', async () => {
    await expect(register({ redirect_uris: ['javascript:alert(1)'] })).rejects.toMatchObject({
      error: 'invalid_redirect_uri',
      status: 400,
    });
    const wrong = register({}, { initialAccessToken: 'nothing-an-operator-gave' });
    await expect(wrong).rejects.toBeInstanceOf(oauth.WWWAuthenticateChallengeError);
  });
});
