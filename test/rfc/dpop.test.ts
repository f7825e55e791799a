// RFC 9449: a token is bound to the key whose proof came with the request, in every flow, and stays
// bound through token exchange. Threats X15, J7; rows TX17 and DP of the checklist.

import { createHash } from 'node:crypto';
import { eq } from 'drizzle-orm';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as tables from '../../schema/index.js';
import { createVerifier } from '../../src/verifier/index.js';
import {
  authFor,
  authorize,
  basic,
  claimsOf,
  postForm,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { letTakeWork } from '../support/takes-work.js';
import { AGENT, CALLBACK, FILES, FILES_CLIENT, HOST, OTHER_AGENT } from '../support/world.js';

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
  await letTakeWork(t.opened.db);
});
afterAll(() => t.close());

interface Holder {
  readonly thumbprint: string;
  prove(more?: Record<string, unknown>): Promise<string>;
}

async function holder(): Promise<Holder> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(publicKey);
  const { calculateJwkThumbprint } = await import('jose');
  return {
    thumbprint: await calculateJwkThumbprint(jwk),
    prove: (more = {}) =>
      new SignJWT({
        htm: 'POST',
        htu: `${t.issuer}/token`,
        iat: Math.floor(Date.now() / 1000),
        jti: crypto.randomUUID(),
        ...more,
      })
        .setProtectedHeader({ alg: 'ES256', typ: 'dpop+jwt', jwk })
        .sign(privateKey),
  };
}

const token = async (
  principal: string,
  fields: Record<string, string>,
  proof?: string,
): ReturnType<typeof postForm> =>
  postForm(`${t.issuer}/token`, fields, {
    ...authFor(t, principal),
    ...(proof === undefined ? {} : { dpop: proof }),
  });

const agentToken = (proof?: string) =>
  token(AGENT, { grant_type: 'client_credentials', resource: FILES, scope: 'files:write' }, proof);

/** Ana's token for her agent, bound to the host's key. */
async function userToken(by: Holder): Promise<string> {
  const actor = await token(AGENT, { grant_type: 'client_credentials', resource: t.issuer });
  const { code, verifier } = await authorize(t);
  const answer = await token(
    HOST,
    {
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      redirect_uri: CALLBACK,
      actor_token: actor.body.access_token,
    },
    await by.prove(),
  );
  expect(answer.body).toMatchObject({ token_type: 'DPoP' });
  return answer.body.access_token;
}

const exchange = (caller: string, fields: Record<string, string>, proof?: string) =>
  token(caller, { grant_type: GRANT, subject_token_type: ACCESS_TOKEN, ...fields }, proof);

describe('RFC 9449 §5 a token is bound to the key that was proved', () => {
  it('client_credentials: cnf in the token and in introspection, token_type DPoP', async () => {
    const key = await holder();
    const answer = await agentToken(await key.prove());
    expect(answer.body.token_type).toBe('DPoP');
    expect(claimsOf(answer.body.access_token).cnf).toEqual({ jkt: key.thumbprint });
    const introspected = await postForm(
      `${t.issuer}/introspect`,
      { token: answer.body.access_token },
      { authorization: basic(FILES_CLIENT, t.secrets[FILES_CLIENT] ?? '') },
    );
    expect(introspected.body).toMatchObject({
      active: true,
      token_type: 'DPoP',
      cnf: { jkt: key.thumbprint },
    });
  });

  it('no proof, no binding', async () => {
    const answer = await agentToken();
    expect([answer.body.token_type, claimsOf(answer.body.access_token).cnf]).toEqual([
      'Bearer',
      undefined,
    ]);
  });

  it.each([
    ['for another method', { htm: 'GET' }],
    ['for another place', { htu: 'https://other.example/token' }],
    ['of an hour ago', { iat: Math.floor(Date.now() / 1000) - 3600 }],
  ])('a proof %s is refused (§4.3)', async (_what, claims) => {
    const key = await holder();
    const answer = await agentToken(await key.prove(claims));
    expect(answer.status).toBe(400);
    expect(['invalid_dpop_proof', 'use_dpop_nonce']).toContain(answer.body.error);
  });

  it('a proof used twice is refused (§11.1)', async () => {
    const key = await holder();
    const proof = await key.prove();
    expect((await agentToken(proof)).status).toBe(200);
    expect((await agentToken(proof)).status).toBe(400);
  });
});

describe('TX17 bound in, bound out', () => {
  it('the holder continues with its key, and only with it', async () => {
    const key = await holder();
    const own = await agentToken(await key.prove());
    const fields = { subject_token: own.body.access_token, scope: 'files:list' };
    const stranger = await holder();
    const bare = await exchange(AGENT, fields);
    const other = await exchange(AGENT, fields, await stranger.prove());
    for (const refused of [bare, other]) {
      expect([refused.status, refused.body]).toEqual([
        400,
        {
          error: 'invalid_request',
          error_description: 'subject_token is bound to a key: send a DPoP proof',
        },
      ]);
    }
    const answer = await exchange(AGENT, fields, await key.prove());
    expect(answer.body.token_type).toBe('DPoP');
    expect(claimsOf(answer.body.access_token).cnf).toEqual({ jkt: key.thumbprint });
  });

  it('a helper binds what it takes over to a key of its own; never to nothing', async () => {
    const key = await holder();
    const helper = await holder();
    const subject = await userToken(key);
    const [consent = ''] = String(claimsOf(subject).jti).split('.');
    await t.opened.db.orm
      .update(tables.consents)
      .set({ helpers: 1 })
      .where(eq(tables.consents.id, consent));
    const bare = await exchange(OTHER_AGENT, { subject_token: subject });
    expect([bare.status, bare.body.error]).toEqual([400, 'invalid_request']);
    const taken = await exchange(OTHER_AGENT, { subject_token: subject }, await helper.prove());
    expect(claimsOf(taken.body.access_token)).toMatchObject({
      cnf: { jkt: helper.thumbprint },
      act: { sub: OTHER_AGENT, act: { sub: AGENT } },
    });
  });

  it('a proof that was used before costs the helper no hand-off', async () => {
    const key = await holder();
    const helper = await holder();
    const subject = await userToken(key);
    const [consent = ''] = String(claimsOf(subject).jti).split('.');
    await t.opened.db.orm
      .update(tables.consents)
      .set({ helpers: 1 })
      .where(eq(tables.consents.id, consent));
    const asked = { subject_token: subject, requested_actor: OTHER_AGENT };
    const made = await exchange(AGENT, asked, await key.prove());
    const fields = { subject_token: made.body.access_token };
    const used = await helper.prove();
    const ask = { grant_type: 'client_credentials', resource: FILES };
    expect((await token(OTHER_AGENT, ask, used)).status).toBe(200);
    const refused = await exchange(OTHER_AGENT, fields, used);
    expect([refused.status, refused.body.error]).toEqual([400, 'invalid_dpop_proof']);
    expect((await exchange(OTHER_AGENT, fields, await helper.prove())).status).toBe(200);
  });

  it('a proof that served one exchange serves no other', async () => {
    const key = await holder();
    const own = await agentToken(await key.prove());
    const proof = await key.prove();
    const fields = { subject_token: own.body.access_token };
    expect((await exchange(AGENT, fields, proof)).status).toBe(200);
    const again = await exchange(AGENT, fields, proof);
    expect([again.status, again.body.error]).toEqual([400, 'invalid_dpop_proof']);
  });

  it('a bound actor token counts only beside its key (J7)', async () => {
    const key = await holder();
    const actor = await token(
      AGENT,
      { grant_type: 'client_credentials', resource: t.issuer },
      await key.prove(),
    );
    const attempt = async (proof?: string) => {
      const { code, verifier } = await authorize(t);
      const fields = {
        grant_type: 'authorization_code',
        code,
        code_verifier: verifier,
        redirect_uri: CALLBACK,
        actor_token: actor.body.access_token,
      };
      return token(HOST, fields, proof);
    };
    const bare = await attempt();
    expect([bare.status, bare.body.error]).toEqual([400, 'invalid_grant']);
    expect((await attempt(await key.prove())).status).toBe(200);
  });
});

describe('what the broker bound, a verifier wants proved (§7)', () => {
  it('takes the token with its key, and not as Bearer; asked, the broker says when it has ended', async () => {
    const key = await holder();
    const bound = await userToken(key);
    const clientSecret = t.secrets[FILES_CLIENT] ?? '';
    const verifier = createVerifier({
      issuer: t.issuer,
      resource: FILES,
      client: { clientId: FILES_CLIENT, clientSecret },
      introspection: { mode: 'always' },
      revocation: 'off',
    });
    const ath = createHash('sha256').update(bound).digest('base64url');
    const at = { method: 'POST', url: FILES };
    const verify = async (claims = {}) => {
      const proof = await key.prove({ htu: FILES, ath, ...claims });
      return verifier.verify(bound, { dpop: { ...at, proof } });
    };
    expect(await verify()).toMatchObject({
      kind: 'delegated',
      agent: { id: AGENT },
      binding: { jkt: key.thumbprint },
      source: 'introspection',
    });
    await expect(verifier.verify(bound)).rejects.toMatchObject({ reason: 'binding_unproved' });
    await expect(verify({ ath: undefined })).rejects.toMatchObject({
      reason: 'dpop_token_mismatch',
    });
    const authorization = basic(HOST, t.secrets[HOST] ?? '');
    await postForm(`${t.issuer}/revoke`, { token: bound }, { authorization });
    await expect(verify()).rejects.toMatchObject({ reason: 'inactive', status: 401 });
    await verifier.close();
  });
});
