// `openid-client`, unmodified, drives every flow of the broker: what it checks of an answer (RFC 9207's
// iss, state, token types, ID tokens, DPoP nonces) is what the broker is held to.
import { exportJWK } from 'jose';
import * as oidc from 'openid-client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBrowserless, walkPages } from '../../examples/demo/walk-pages.js';
import { actorToken, claimsOf, startTestBroker, type TestBroker } from '../support/broker.js';
import { admin } from '../support/keys.js';
import { AGENT, ANA, CALLBACK, FILES, FILES_CLIENT, HOST } from '../support/world.js';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const DELEGATED = { sub: ANA.id, aud: FILES, client_id: HOST, act: { sub: AGENT } };

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

const KEYED = 'agt_keyed';
/** A key of its own that the operator registered. */
async function newKey() {
  const { publicKey, privateKey } = await oidc.randomDPoPKeyPair('ES256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'own', alg: 'ES256' };
  return { jwk, signsWith: { key: privateKey, kid: 'own' } };
}

const configure = (
  id: string,
  auth: oidc.ClientAuth = oidc.ClientSecretBasic(t.secrets[id]),
): Promise<oidc.Configuration> =>
  oidc.discovery(new URL(t.issuer), id, undefined, auth, {
    execute: [oidc.allowInsecureRequests],
    algorithm: 'oauth2',
  });

type Start = (config: oidc.Configuration, parameters: Record<string, string>) => URL | Promise<URL>;

/** From the request to the tokens, Ana deciding in between. */
async function delegate(
  config: oidc.Configuration,
  options: {
    readonly start?: Start;
    readonly dpop?: oidc.DPoPHandle;
    readonly scope?: string;
  } = {},
) {
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const start = options.start ?? oidc.buildAuthorizationUrl;
  const url = await start(config, {
    redirect_uri: CALLBACK,
    scope: options.scope ?? 'files:write',
    resource: FILES,
    requested_actor: AGENT,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    state,
  });
  const callback = await walkPages(createBrowserless(t.issuer), url.href, ANA);
  return oidc.authorizationCodeGrant(
    config,
    callback,
    { pkceCodeVerifier: verifier, expectedState: state, idTokenExpected: false },
    { actor_token: await actorToken(t), resource: FILES },
    options.dpop === undefined ? {} : { DPoP: options.dpop },
  );
}

describe('on behalf of a user (RFC 6749 §4.1, RFC 7636, RFC 8707, RFC 9207)', () => {
  it('gets a delegated token, refreshes, introspects and revokes it', async () => {
    const config = await configure(HOST);
    const tokens = await delegate(config);
    expect(claimsOf(tokens.access_token)).toMatchObject(DELEGATED);
    expect(tokens.scope).toBe('files:list files:read files:write');

    const again = await oidc.refreshTokenGrant(config, String(tokens.refresh_token));
    expect(claimsOf(again.access_token)).toMatchObject(DELEGATED);
    const server = await configure(FILES_CLIENT);
    expect(await oidc.tokenIntrospection(server, again.access_token)).toMatchObject({
      active: true,
      ...DELEGATED,
    });
    await oidc.tokenRevocation(config, again.access_token);
    expect(await oidc.tokenIntrospection(server, again.access_token)).toEqual({ active: false });
  });

  it('pushes the request first (RFC 9126)', async () => {
    const config = await configure(HOST);
    const tokens = await delegate(config, { start: oidc.buildAuthorizationUrlWithPAR });
    expect(claimsOf(tokens.access_token)).toMatchObject(DELEGATED);
  });

  it('signs the request (RFC 9101)', async () => {
    const { jwk, signsWith } = await newKey();
    const added = await admin(t, 'POST', `/clients/${HOST}/credentials`, { kind: 'jwk', jwk });
    expect(added.status).toBe(201);
    const config = await configure(HOST);
    const start: Start = (of, parameters) =>
      oidc.buildAuthorizationUrlWithJAR(of, parameters, signsWith);
    const tokens = await delegate(config, { start });
    expect(claimsOf(tokens.access_token)).toMatchObject(DELEGATED);
  });

  it('binds what it gets to its key, also by exchange (RFC 9449, DPoP in, DPoP out)', async () => {
    const config = await configure(HOST);
    const DPoP = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256'));
    const tokens = await delegate(config, { dpop: DPoP });
    expect(tokens.token_type).toBe('dpop');
    const jkt = await DPoP.calculateThumbprint();
    expect(claimsOf(tokens.access_token)).toMatchObject({ ...DELEGATED, cnf: { jkt } });
  });

  it('is told by RFC 6749 §5.2 what it did wrong', async () => {
    const config = await configure(HOST);
    const error = await oidc.refreshTokenGrant(config, 'nothing').catch((e: unknown) => e);
    expect(error).toBeInstanceOf(oidc.ResponseBodyError);
    expect(error).toMatchObject({ error: 'invalid_grant', status: 400 });
  });

  it('checks the ID token and userinfo of a user who signs in (OpenID Connect Core §3.1)', async () => {
    const config = await configure(HOST);
    const verifier = oidc.randomPKCECodeVerifier();
    const nonce = oidc.randomNonce();
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: 'openid email',
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      nonce,
    });
    const callback = await walkPages(createBrowserless(t.issuer), url.href, ANA);
    const tokens = await oidc.authorizationCodeGrant(config, callback, {
      pkceCodeVerifier: verifier,
      expectedNonce: nonce,
      idTokenExpected: true,
    });
    expect(tokens.claims()).toMatchObject({ sub: ANA.id, aud: HOST, nonce });
    expect(await oidc.fetchUserInfo(config, tokens.access_token, ANA.id)).toMatchObject({
      sub: ANA.id,
      email: ANA.email,
    });
  });
});

describe('by itself (RFC 6749 §4.4) and onward (RFC 8693)', () => {
  const own = { resource: FILES, scope: 'files:read' };
  const alone = { sub: AGENT, client_id: AGENT, aud: FILES, scope: 'files:list files:read' };

  it('authenticates with a secret, and with a key and nothing but the issuer as audience', async () => {
    const bySecret = await oidc.clientCredentialsGrant(await configure(AGENT), own);
    expect(claimsOf(bySecret.access_token)).toMatchObject(alone);
    const { jwk, signsWith } = await newKey();
    const keyed = { id: KEYED, name: 'Keyed', owner: 'Ops', auth: 'private_key_jwt' };
    const made = await admin(t, 'POST', '/agents', { ...keyed, jwks: { keys: [jwk] } });
    expect(made.status).toBe(201);
    const byKey = await configure(KEYED, oidc.PrivateKeyJwt(signsWith));
    const tokens = await oidc.clientCredentialsGrant(byKey, { resource: t.issuer });
    expect(claimsOf(tokens.access_token)).toMatchObject({ sub: KEYED, aud: t.issuer });
  });

  it('exchanges the token it acts with for less (§8c: continue)', async () => {
    const { access_token: subject } = await delegate(await configure(HOST));
    const tokens = await oidc.genericGrantRequest(await configure(AGENT), EXCHANGE, {
      subject_token: subject,
      subject_token_type: ACCESS_TOKEN,
      scope: 'files:list',
    });
    expect(tokens).toMatchObject({ issued_token_type: ACCESS_TOKEN, scope: 'files:list' });
    expect(claimsOf(tokens.access_token)).toMatchObject({ sub: ANA.id, act: { sub: AGENT } });
  });
});

describe('registering itself (RFC 7591)', () => {
  const register = (metadata: Partial<oidc.ClientMetadata>, initialAccessToken?: string) =>
    oidc.dynamicClientRegistration(
      new URL(t.issuer),
      { redirect_uris: [CALLBACK], client_name: 'Guest', ...metadata },
      undefined,
      {
        execute: [oidc.allowInsecureRequests],
        algorithm: 'oauth2',
        ...(initialAccessToken === undefined ? {} : { initialAccessToken }),
      },
    );

  /** From the request to the tokens, Ana deciding in between; nobody acts for her. */
  async function signIn(config: oidc.Configuration) {
    const verifier = oidc.randomPKCECodeVerifier();
    const state = oidc.randomState();
    const url = oidc.buildAuthorizationUrl(config, {
      redirect_uri: CALLBACK,
      scope: 'files:read',
      resource: FILES,
      code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
      state,
    });
    const callback = await walkPages(createBrowserless(t.issuer), url.href, ANA);
    return oidc.authorizationCodeGrant(config, callback, {
      pkceCodeVerifier: verifier,
      expectedState: state,
      idTokenExpected: false,
    });
  }

  it.each([
    'none',
    'client_secret_basic',
    'client_secret_post',
  ])('by %s, and uses what it registered from the request to the refresh', async (method) => {
    const config = await register({ token_endpoint_auth_method: method });
    const {
      client_id: id,
      client_secret: secret,
      token_endpoint_auth_method,
    } = {
      ...config.clientMetadata(),
    };
    expect([token_endpoint_auth_method, typeof secret]).toEqual([
      method,
      method === 'none' ? 'undefined' : 'string',
    ]);
    const tokens = await signIn(config);
    const expected = { sub: ANA.id, aud: FILES, client_id: id, scope: 'files:list files:read' };
    expect(claimsOf(tokens.access_token)).toMatchObject(expected);
    expect(claimsOf(tokens.access_token)).not.toHaveProperty('act');
    const again = await oidc.refreshTokenGrant(config, String(tokens.refresh_token));
    expect(claimsOf(again.access_token)).toMatchObject(expected);
  });

  it('with the token an operator gave it, once', async () => {
    const { token } = await t.broker.registry.initialTokens.create('cli', {});
    const config = await register({ client_name: 'Invited' }, token);
    expect(config.clientMetadata()).toMatchObject({ client_name: 'Invited' });
    const error = await register({ client_name: 'Invited too' }, token).catch((e: unknown) => e);
    expect(error).toMatchObject({ status: 401 });
  });

  it('is told by RFC 7591 §3.2.2 what it did wrong', async () => {
    const error = await register({ redirect_uris: ['javascript:alert(1)'] }).catch(
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(oidc.ResponseBodyError);
    expect(error).toMatchObject({ error: 'invalid_redirect_uri', status: 400 });
  });
});
