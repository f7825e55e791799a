// RFC 7662 and RFC 9701: who may look at a token, what they see of a chain, and that everything else
// looks the same. Rows IN1–IN5 of the checklist; threats V14, L1, X12, P13.

import { eq } from 'drizzle-orm';
import { compactVerify, createRemoteJWKSet } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as tables from '../../schema/index.js';
import { createBroker } from '../../src/broker/app.js';
import {
  actorToken,
  authFor,
  authorize,
  basic,
  claimsOf,
  freePort,
  postForm,
  postToken,
  redeem,
  startTestBroker,
  type TestBroker,
  testConfig,
} from '../support/broker.js';
import { letTakeWork } from '../support/takes-work.js';
import { AGENT, FILES, FILES_CLIENT, HOST, OTHER_AGENT, SERVICE } from '../support/world.js';

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const SIGNED = 'application/token-introspection+jwt';

let t: TestBroker;
let chain: string;
let subject: string;

beforeAll(async () => {
  t = await startTestBroker();
  const { orm } = t.opened.db;
  await letTakeWork(t.opened.db);
  const redeemed = await redeem(t, await authorize(t));
  subject = redeemed.body.access_token;
  const [consent = ''] = String(claimsOf(subject).jti).split('.');
  await orm.update(tables.consents).set({ helpers: 1 }).where(eq(tables.consents.id, consent));
  const taken = await postToken(t, OTHER_AGENT, {
    grant_type: GRANT,
    subject_token: subject,
    subject_token_type: ACCESS_TOKEN,
  });
  chain = taken.body.access_token;
});
afterAll(() => t.close());

const introspect = (caller: string, token: string, accept = 'application/json') =>
  postForm(`${t.issuer}/introspect`, { token }, { ...authFor(t, caller), accept });

/** Another process on the same database: no notice comes to it, and no time passes for it. */
async function deafProcess() {
  const port = await freePort();
  const config = { ...testConfig(port), issuer: t.issuer };
  const db = { ...t.opened.db, listen: async () => {} };
  const nowMs = Date.now();
  const broker = await createBroker(config, { db, now: () => nowMs, logTo: { write: () => {} } });
  await broker.listen();
  const ask = (authorization: string) =>
    postForm(`http://127.0.0.1:${port}/introspect`, { token: chain }, { authorization });
  return { ask, close: broker.close };
}

describe('DESIGN §6: at a process that has not heard of a change', () => {
  it('a resource server is told nothing once its secret is removed, or the resource another’s', async () => {
    const { ask, close } = await deafProcess();
    const { clients, resources } = t.broker.registry;
    const own = basic(FILES_CLIENT, t.secrets[FILES_CLIENT] as string);
    const { id, secret = '' } = await clients.addCredential('cli', FILES_CLIENT, {
      kind: 'secret',
    });
    const added = basic(FILES_CLIENT, secret);
    expect((await ask(added)).body.active).toBe(true);
    await clients.removeCredential('cli', FILES_CLIENT, id);
    expect((await ask(added)).body).toEqual({ active: false });
    expect((await ask(own)).body.active).toBe(true);
    await resources.patch('cli', FILES, { client: SERVICE });
    expect((await ask(own)).body).toEqual({ active: false });
    await resources.patch('cli', FILES, { client: FILES_CLIENT });
    await close();
  });
});

describe('RFC 7662 §2.2 what a resource server sees', () => {
  it('the whole chain, as the token carries it (keycloak#53029)', async () => {
    const answer = await introspect(FILES_CLIENT, chain);
    expect(answer.body).toEqual({ active: true, token_type: 'Bearer', ...claimsOf(chain) });
    expect(answer.body.act).toMatchObject({ sub: OTHER_AGENT, act: { sub: AGENT } });
  });

  it('only of its own audience; a client of its own tokens; nobody of anything else (IN1, V14)', async () => {
    const seen = await Promise.all(
      [FILES_CLIENT, OTHER_AGENT, SERVICE, HOST, AGENT].map((who) => introspect(who, chain)),
    );
    expect(seen.map(({ body }) => body.active)).toEqual([true, true, false, false, false]);
  });

  it('inactive is one answer, whatever the reason (IN3, P13)', async () => {
    const unknown = `${chain.slice(0, -4)}AAAA`;
    const refused = [
      await introspect(SERVICE, chain),
      await introspect(FILES_CLIENT, unknown),
      await introspect(FILES_CLIENT, 'not-a-token'),
      await introspect(FILES_CLIENT, await actorToken(t)),
    ];
    for (const { status, body } of refused) {
      expect([status, body]).toEqual([200, { active: false }]);
    }
  });
});

describe('RFC 9701 a signed answer', () => {
  const verify = async (jws: string) => {
    const keys = createRemoteJWKSet(new URL(`${t.issuer}/.well-known/jwks.json`));
    const { payload, protectedHeader } = await compactVerify(jws, keys);
    return { header: protectedHeader, payload: JSON.parse(new TextDecoder().decode(payload)) };
  };

  it('says the same, to the one who asked, and says when (§5)', async () => {
    const answer = await introspect(FILES_CLIENT, chain, SIGNED);
    expect(answer.headers.get('content-type')).toContain(SIGNED);
    expect(answer.headers.get('vary')).toMatch(/accept/i);
    const { header, payload } = await verify(String(answer.body));
    expect(header).toMatchObject({ typ: 'token-introspection+jwt', alg: 'ES256' });
    expect(payload).toEqual({
      iss: t.issuer,
      aud: FILES_CLIENT,
      iat: expect.any(Number),
      token_introspection: (await introspect(FILES_CLIENT, chain)).body,
    });
  });

  it('an inactive token looks inactive, signed (§5)', async () => {
    const answer = await introspect(SERVICE, chain, SIGNED);
    expect((await verify(String(answer.body))).payload.token_introspection).toEqual({
      active: false,
    });
  });

  it('is no access token for anybody (§8.1, J7)', async () => {
    const answer = await introspect(FILES_CLIENT, chain, SIGNED);
    const confused = await introspect(FILES_CLIENT, String(answer.body));
    expect(confused.body).toEqual({ active: false });
    const exchanged = await postToken(t, OTHER_AGENT, {
      grant_type: GRANT,
      subject_token: String(answer.body),
      subject_token_type: ACCESS_TOKEN,
    });
    expect([exchanged.status, exchanged.body.error]).toEqual([400, 'invalid_request']);
  });

  it('an unauthenticated caller gets no answer, signed or not', async () => {
    const answer = await postForm(`${t.issuer}/introspect`, { token: chain }, { accept: SIGNED });
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request']);
  });
});

describe('DESIGN §6 a parent that is stopped', () => {
  it('takes its child along by the next request (TX21, X17, L1)', async () => {
    const [consent = '', grant = ''] = String(claimsOf(chain).jti).split('.');
    expect(claimsOf(chain).aud).toBe(FILES);
    expect((await introspect(FILES_CLIENT, chain)).body.active).toBe(true);
    const revoked = await postForm(`${t.issuer}/revoke`, { token: subject }, authFor(t, HOST));
    expect(revoked.status).toBe(200);
    expect((await introspect(FILES_CLIENT, chain)).body).toEqual({ active: false });
    const again = await postToken(t, OTHER_AGENT, {
      grant_type: GRANT,
      subject_token: subject,
      subject_token_type: ACCESS_TOKEN,
    });
    expect(again.body.error).toBe('invalid_request');
    const rows = await t.opened.db.run(
      `select 1 from audit_events where type = 'token.issued' and jti like $1`,
      [`${consent}.${grant}.%`],
    );
    expect(rows).toHaveLength(2);
  });
});
