// RFC 7592: a registered client reads, replaces and deletes its registration (DC5, DC6, K10).
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  ADMIN_TOKEN,
  type Answer,
  authorize,
  postForm,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import {
  bearer,
  type Metadata,
  manage,
  refreshWith,
  registered,
  sendJson,
  tokensOf,
} from '../support/registration.js';
import { FILES, FILES_CLIENT } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

let n = 0;
/** Confidential, so that it is nobody else's. */
const app = (more: Metadata = {}): Metadata => {
  n += 1;
  return {
    client_name: `App ${n}`,
    redirect_uris: [`https://app${n}.example/cb`],
    token_endpoint_auth_method: 'client_secret_basic',
    ...more,
  };
};
const TOKEN = expect.stringMatching(/^[\w-]{43}$/);
const seen = ({ status, body }: Answer) => [status, body?.error];
const isActive = async (token: string): Promise<boolean> => {
  const authorization = `Basic ${btoa(`${FILES_CLIENT}:${t.secrets[FILES_CLIENT]}`)}`;
  const { body } = await postForm(`${t.issuer}/introspect`, { token }, { authorization });
  return body.active;
};
const withoutSecret = ({ client_secret: _s, client_secret_expires_at: _e, ...rest }: Metadata) =>
  rest;

describe('GET (RFC 7592 §2.1)', () => {
  it('tells what is registered and never the secret, with the token it was asked with', async () => {
    const made = await registered(t, app({ scope: 'files:read', software_id: 'sw' }));
    const { status, headers, body } = await manage('GET', made);
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store']);
    expect(body).toEqual(withoutSecret(made));
    expect((await manage('GET', made)).status).toBe(200);
  });

  it('tells what an operator changed since', async () => {
    const made = await registered(t, app());
    await t.broker.registry.clients.patch('cli', made.client_id, { name: 'Renamed' });
    expect((await manage('GET', made)).body.client_name).toBe('Renamed');
  });
});

describe('K10: whose token it is', () => {
  it('another client’s, none, a wrong one, the initial one: 401, the same for a client that is not there', async () => {
    const [one, other] = [await registered(t, app()), await registered(t, app())];
    const nobody = { registration_client_uri: `${t.issuer}/register/cli_nobody` };
    const bodies: unknown[] = [];
    for (const method of ['GET', 'PUT', 'DELETE']) {
      for (const [at, token] of [
        [one, other.registration_access_token],
        [one, 'x'.repeat(43)],
        [one, one.client_secret],
        [nobody, one.registration_access_token],
        [
          { registration_client_uri: `${t.issuer}/register/cli_host` },
          one.registration_access_token,
        ],
        [{ registration_client_uri: `${t.issuer}/register/%00` }, one.registration_access_token],
      ] as const) {
        const { status, headers, body } = await manage(method, at, { token, body: app() });
        expect([status, headers.get('www-authenticate')]).toEqual([
          401,
          'Bearer realm="registration", error="invalid_token"',
        ]);
        bodies.push(body);
      }
    }
    expect(new Set(bodies.map((body) => JSON.stringify(body))).size).toBe(1);
    const without = await sendJson(one.registration_client_uri, 'GET');
    expect([without.status, without.headers.get('www-authenticate')]).toEqual([
      401,
      'Bearer realm="registration"',
    ]);
    for (const made of [one, other]) expect((await manage('GET', made)).status).toBe(200);
  });
});

describe('PUT (RFC 7592 §2.2)', () => {
  it('replaces everything that was said, and the token: the old one is dead at once', async () => {
    const made = await registered(
      t,
      app({
        client_uri: 'https://a.example/',
        contacts: ['help@a.example'],
        software_id: 'sw',
        scope: 'files:read',
      }),
    );
    const body = {
      client_id: made.client_id,
      client_name: 'Better',
      redirect_uris: ['https://better.example/cb', 'http://127.0.0.1/cb'],
    };
    const changed = await manage('PUT', made, { body });
    expect([changed.status, changed.body]).toEqual([
      200,
      {
        ...body,
        client_id_issued_at: made.client_id_issued_at,
        token_endpoint_auth_method: 'client_secret_basic',
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        application_type: 'native',
        id_token_signed_response_alg: 'ES256',
        registration_access_token: TOKEN,
        registration_client_uri: made.registration_client_uri,
      },
    ]);
    expect(seen(await manage('GET', made))).toEqual([401, 'invalid_token']);
    expect(seen(await manage('PUT', made, { body }))).toEqual([401, 'invalid_token']);
    expect((await manage('GET', changed.body)).body).toEqual(changed.body);
    // The secret is as it was.
    expect((await tokensOf(t, changed.body)).status).toBe(200);
  });

  it('refuses what may not be said, and leaves token and registration as they were', async () => {
    const made = await registered(t, app());
    const { client_id } = made;
    const good = { client_id, redirect_uris: made.redirect_uris };
    for (const [body, error] of [
      [{ redirect_uris: good.redirect_uris }, 'invalid_client_metadata'],
      [{ ...good, client_id: 'cli_other' }, 'invalid_client_metadata'],
      [{ ...good, client_id: 'https://app.example/id' }, 'invalid_client_metadata'],
      [{ client_id }, 'invalid_redirect_uri'],
      [{ ...good, redirect_uris: ['javascript:alert(1)'] }, 'invalid_redirect_uri'],
      [{ ...good, client_secret: 'x'.repeat(43) }, 'invalid_client_metadata'],
      [{ ...good, client_secret: { length: 1 } }, 'invalid_client_metadata'],
      [{ ...good, token_endpoint_auth_method: 'none' }, 'invalid_client_metadata'],
      [{ ...good, token_endpoint_auth_method: 'private_key_jwt' }, 'invalid_client_metadata'],
      [{ ...good, grant_types: ['client_credentials'] }, 'invalid_client_metadata'],
      [
        { ...good, registration_access_token: made.registration_access_token },
        'invalid_client_metadata',
      ],
      [{ ...good, registration_client_uri: 'https://x.example' }, 'invalid_client_metadata'],
      [{ ...good, client_id_issued_at: 1 }, 'invalid_client_metadata'],
      [{ ...good, client_secret_expires_at: 0 }, 'invalid_client_metadata'],
      [[], 'invalid_client_metadata'],
    ] as const) {
      expect([body, ...seen(await manage('PUT', made, { body }))]).toEqual([body, 400, error]);
    }
    expect((await manage('GET', made)).body).toEqual(withoutSecret(made));
  });

  it('K7: what an operator demands of it since, it does not take back itself', async () => {
    const made = await registered(t, app());
    const demanded = { dpopBound: true, requirePar: true };
    await t.broker.registry.clients.patch('cli', made.client_id, demanded);
    const { client_id, redirect_uris } = made;
    const body = { client_id, redirect_uris, dpop_bound_access_tokens: false };
    const changed = await manage('PUT', made, { body });
    expect([changed.status, changed.body]).toMatchObject([
      200,
      { dpop_bound_access_tokens: true, require_pushed_authorization_requests: true },
    ]);
    expect(await t.broker.registry.clients.get(client_id)).toMatchObject(demanded);
  });

  it('takes the secret it has for what it is, and the other way to send it', async () => {
    const made = await registered(t, app());
    const { client_id, client_secret, redirect_uris } = made;
    const body = {
      client_id,
      client_secret,
      redirect_uris,
      token_endpoint_auth_method: 'client_secret_post',
    };
    const { status, body: changed } = await manage('PUT', made, { body });
    expect([status, changed.token_endpoint_auth_method]).toEqual([200, 'client_secret_post']);
    expect(changed).not.toHaveProperty('client_secret');
  });

  it('another redirect or name asks the person again, and a code from before is worthless', async () => {
    const made = await registered(t, app());
    const { client_id } = made;
    const redirect_uri = made.redirect_uris[0];
    const params = { client_id, redirect_uri, requested_actor: undefined, scope: 'files:read' };
    const before = await authorize(t, { params });
    await manage('PUT', made, {
      body: { client_id, redirect_uris: [redirect_uri, 'https://more.example/cb'] },
    });
    const authorization = `Basic ${btoa(`${client_id}:${made.client_secret}`)}`;
    const redeemed = await postForm(
      `${t.issuer}/token`,
      {
        grant_type: 'authorization_code',
        code: before.code,
        code_verifier: before.verifier,
        redirect_uri,
      },
      { authorization },
    );
    expect(seen(redeemed)).toEqual([400, 'invalid_grant']);
    const { rows } = await consentsOf(client_id);
    await authorize(t, { params, browser: before.browser });
    expect((await consentsOf(client_id)).rows).toBe(rows + 1);
  });

  const consentsOf = async (client: string) => {
    const [row] = await t.opened.db.run<{ rows: number }>(
      `select count(*)::int as rows from audit_events
       where type = 'consent.granted' and client_id = $1`,
      [client],
    );
    return { rows: row?.rows ?? 0 };
  };
});

describe('private_key_jwt with keys in the registration', () => {
  const keyPair = async (kid: string) => {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    return { privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg: 'ES256' }, kid };
  };
  type Key = Awaited<ReturnType<typeof keyPair>>;
  let serial = 0;
  const assertion = ({ privateKey, kid }: Key, client: string) => {
    serial += 1;
    return new SignJWT({ jti: `${client}${serial}` })
      .setProtectedHeader({ alg: 'ES256', kid })
      .setIssuer(client)
      .setSubject(client)
      .setAudience(t.issuer)
      .setIssuedAt()
      .setExpirationTime('2m')
      .sign(privateKey);
  };
  const redeemWith = async (key: Key, made: Metadata) => {
    const { code, verifier } = await authorize(t, {
      params: {
        client_id: made.client_id,
        redirect_uri: made.redirect_uris[0],
        requested_actor: undefined,
      },
    });
    return postForm(`${t.issuer}/token`, {
      grant_type: 'authorization_code',
      code,
      code_verifier: verifier,
      redirect_uri: made.redirect_uris[0],
      resource: FILES,
      client_assertion: await assertion(key, made.client_id),
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    });
  };

  it('proves the client; replaced, the old key proves nothing and its tokens stop', async () => {
    const [old, next] = [await keyPair('a'), await keyPair('b')];
    const keyed = { token_endpoint_auth_method: 'private_key_jwt' };
    const made = await registered(t, app({ ...keyed, jwks: { keys: [old.jwk] } }));
    expect(made).toMatchObject({ ...keyed, jwks: { keys: [old.jwk] } });
    expect(made).not.toHaveProperty('client_secret');
    expect((await redeemWith(old, made)).status).toBe(200);
    const { client_id, redirect_uris } = made;
    const without = await manage('PUT', made, { body: { client_id, redirect_uris, ...keyed } });
    expect(seen(without)).toEqual([400, 'invalid_client_metadata']);
    const changed = await manage('PUT', made, {
      body: { client_id, redirect_uris, ...keyed, jwks: { keys: [next.jwk] } },
    });
    expect([changed.status, changed.body.jwks]).toEqual([200, { keys: [next.jwk] }]);
    expect(seen(await redeemWith(old, made))).toEqual([401, 'invalid_client']);
    expect((await redeemWith(next, made)).status).toBe(200);
  });

  it('shows a key to us without having it: nobody is kept out by that, agents neither', async () => {
    const key = await keyPair('k');
    const keyed = { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key.jwk] } };
    const squatter = await registered(t, app(keyed));
    const agent = await t.broker.registry.agents.create('cli', {
      name: 'Keyed',
      owner: 'Ops',
      jwks: { keys: [key.jwk as never] },
    });
    expect(agent.agent.auth).toBe('private_key_jwt');
    const again = await registered(t, app(keyed));
    expect(again.client_id).not.toBe(squatter.client_id);
    expect((await redeemWith(key, again)).status).toBe(200);
    await expect(
      t.broker.registry.agents.create('cli', {
        name: 'Second',
        owner: 'Ops',
        jwks: { keys: [key.jwk as never] },
      }),
    ).rejects.toThrow('is the key of another principal');
  });
});

describe('DELETE (RFC 7592 §2.3)', () => {
  it('DC5, DC6: 204; tokens, codes, refresh tokens and the secret are dead, and so is the token', async () => {
    const made = await registered(t, app());
    const { client_id } = made;
    const { body: tokens } = await tokensOf(t, made);
    expect(await isActive(tokens.access_token)).toBe(true);
    const gone = await manage('DELETE', made);
    expect([gone.status, gone.body]).toEqual([204, undefined]);
    expect(await isActive(tokens.access_token)).toBe(false);
    // Q22: told so that an SDK registers again.
    expect(seen(await refreshWith(t, client_id, tokens.refresh_token))).toEqual([
      401,
      'invalid_client',
    ]);
    for (const method of ['GET', 'PUT', 'DELETE']) {
      expect([method, ...seen(await manage(method, made, { body: {} }))]).toEqual([
        method,
        401,
        'invalid_token',
      ]);
    }
    const events = await t.opened.db.run<{ by: string; detail: { receipt: Metadata } }>(
      "select by, detail from audit_events where type = 'registry.retired' and client_id = $1",
      [client_id],
    );
    expect(events).toMatchObject([
      {
        by: client_id,
        detail: {
          reason: 'the client deleted itself',
          receipt: { access_tokens: 1, refresh_tokens: 1, grants: 1, consents: 1 },
        },
      },
    ]);
  });

  it('whoever an operator retired manages nothing any more (DC6), and may register again', async () => {
    const body = app({ token_endpoint_auth_method: 'none' });
    const made = await registered(t, body);
    const path = `${t.issuer}/admin/v1/clients/${made.client_id}`;
    const retired = await sendJson(path, 'DELETE', undefined, bearer(ADMIN_TOKEN));
    expect(retired.status).toBe(200);
    expect(seen(await manage('GET', made))).toEqual([401, 'invalid_token']);
    const again = await registered(t, body);
    expect(again.client_id).not.toBe(made.client_id);
  });
});
