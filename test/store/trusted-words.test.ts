// Signed words of other issuers (D3, J1–J12, incident 29): each row is one that is taken, made wrong in
// one place.
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { policyEpoch, trustedIssuers } from '../../schema/index.js';
import { createFactsCache } from '../../src/broker/facts/store.js';
import { createTrustVerifier, type TrustVerifier } from '../../src/broker/trust/verify.js';
import { type OpenedDatabase, openTestPostgres } from '../support/databases.js';
import { createIdp, IDP } from '../support/idp.js';

const US = 'https://broker.example';
const NOW = 1_800_000_000;
const idp = createIdp(IDP);
const second = createIdp(IDP, 'k2', 'RS256');
const third = createIdp(IDP, 'k3');
const stranger = createIdp(IDP);
const retired = createIdp('https://retired.example');
const other = createIdp('https://statements.example');

let opened: OpenedDatabase;
let trust: TrustVerifier;
beforeAll(async () => {
  opened = await openTestPostgres();
  const row = {
    name: 'Somebody',
    purposes: ['id_jag'],
    notBefore: new Date((NOW - 200) * 1000),
  };
  await opened.db.orm.insert(trustedIssuers).values([
    { ...row, issuer: IDP, jwks: { keys: [idp.publicJwk, second.publicJwk, third.publicJwk] } },
    { ...row, issuer: retired.issuer, jwks: retired.jwks, status: 'retired' },
    { ...row, issuer: other.issuer, jwks: other.jwks, purposes: ['software_statement'] },
  ]);
  await opened.db.orm.update(policyEpoch).set({ epoch: 2 });
  trust = createTrustVerifier({
    facts: createFactsCache(opened.db),
    outbound: { fetchJson: () => Promise.reject(new Error('these keys are known')) },
    now: () => NOW * 1000,
  });
});
afterAll(() => opened.close());

const CLAIMS = { sub: 'ana', aud: US, iat: NOW - 10, exp: NOW + 290 };
const TYP = { typ: 'oauth-id-jag+jwt' };
const good = (claims: object = {}, header: object = {}): string =>
  idp.sign({ ...CLAIMS, ...claims }, { ...TYP, ...header });
const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const hs256 = (secret: string | Buffer): string => {
  const input = `${encode({ alg: 'HS256', kid: 'k1', ...TYP })}.${encode({ iss: IDP, ...CLAIMS })}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
};
const withHeader = (header: object): string =>
  idp.signParts(encode(header), encode({ iss: IDP, ...CLAIMS }));

async function told(jwt: string): Promise<string> {
  const outcome = await trust.verify(jwt, {
    purpose: 'id_jag',
    types: ['oauth-id-jag+jwt'],
    audiences: [US],
    lifeMaxSeconds: 300,
  });
  return 'problem' in outcome ? outcome.problem : 'taken';
}

describe('a word that is taken', () => {
  it.each([
    ['as it should be', good()],
    ['by the issuer’s second key, of another kind', second.sign(CLAIMS, TYP)],
    [
      'without a kid where only one key could be meant',
      second.sign(CLAIMS, { ...TYP, kid: undefined }),
    ],
    ['with a list of one audience (ID-JAG §4.4)', good({ aud: [US] })],
    ['of the very second our trust began', good({ iat: NOW - 200, exp: NOW + 100 })],
    [
      'with a type spelled as a media type (RFC 7515 §4.1.9)',
      good({}, { typ: 'application/OAuth-ID-JAG+jwt' }),
    ],
    [
      'whose `jku` and `jwk` point elsewhere: they are never looked at (J5)',
      good({}, { jku: 'https://evil.example', jwk: stranger.publicJwk }),
    ],
    ['whose issuer’s clock is a little ahead (L10)', good({ iat: NOW + 50, exp: NOW + 300 })],
  ])('%s', async (_name, jwt) => {
    expect(await told(jwt)).toBe('taken');
  });

  it('says whose it is, and what it says', async () => {
    const outcome = await trust.verify(good(), { purpose: 'id_jag', types: [TYP.typ] });
    expect(outcome).toMatchObject({ issuer: { issuer: IDP }, claims: CLAIMS, header: TYP });
  });
});

describe('a word that is not', () => {
  const rows: readonly (readonly [name: string, problem: string, jwt: () => string])[] = [
    [
      'J1: nobody’s signature',
      'wrong_algorithm',
      () => `${encode({ alg: 'none', ...TYP })}.${good().split('.')[1]}.AA`,
    ],
    ['J1: an empty signature', 'malformed', () => good().replace(/[^.]+$/, '')],
    [
      'J2: HS256 keyed by the public key',
      'wrong_algorithm',
      () => hs256(idp.publicKey.export({ format: 'pem', type: 'spki' })),
    ],
    [
      'J2: HS256 keyed by the public JWK',
      'wrong_algorithm',
      () => hs256(JSON.stringify(idp.publicJwk)),
    ],
    [
      'J3: an algorithm of another key',
      'unknown_key',
      () => withHeader({ alg: 'RS256', kid: 'k1', ...TYP }),
    ],
    ['J4: no kid where two keys could be meant', 'unknown_key', () => good({}, { kid: undefined })],
    ['J4: a kid that is a path', 'unknown_key', () => good({}, { kid: '../../k1' })],
    ['J4: a kid that is a list', 'unknown_key', () => good({}, { kid: ['k1'] })],
    ['J4: a kid of 64 kB', 'malformed', () => good({}, { kid: 'k'.repeat(65_536) })],
    ['J4: a kid that is a name of JavaScript', 'unknown_key', () => good({}, { kid: '__proto__' })],
    [
      'J5: a key it brought along',
      'bad_signature',
      () => stranger.sign(CLAIMS, { ...TYP, jwk: stranger.publicJwk }),
    ],
    ['J6: a critical extension', 'malformed', () => good({}, { crit: ['exp'] })],
    ['J6: an unencoded payload', 'malformed', () => good({}, { b64: true })],
    ['J7: an access token’s type', 'wrong_type', () => good({}, { typ: 'at+jwt' })],
    [
      'J7: a client assertion’s',
      'wrong_type',
      () => good({}, { typ: 'client-authentication+jwt' }),
    ],
    ['J7: none', 'wrong_type', () => good({}, { typ: undefined })],
    ['J8: padding', 'malformed', () => `${good()}=`],
    ['J8: white space', 'malformed', () => ` ${good()}`],
    [
      'J8: UTF-8 that is none',
      'malformed',
      () =>
        idp.signParts(
          encode({ alg: 'ES256', kid: 'k1', ...TYP }),
          Buffer.from([0x7b, 0xff, 0x7d]).toString('base64url'),
        ),
    ],
    [
      'J8: a list for claims',
      'malformed',
      () => idp.signParts(encode({ alg: 'ES256', kid: 'k1', ...TYP }), encode([{ iss: IDP }])),
    ],
    [
      'J10: r = s = 0',
      'bad_signature',
      () => good().replace(/[^.]+$/, Buffer.alloc(64).toString('base64url')),
    ],
    [
      'another payload under the same signature',
      'bad_signature',
      () => {
        const [h, , s] = good().split('.');
        return `${h}.${good({ sub: 'ben' }).split('.')[1]}.${s}`;
      },
    ],
    ['J11: exp as text', 'no_expiry', () => good({ exp: String(NOW + 100) })],
    [
      'J11: exp of 1e400',
      'no_expiry',
      () =>
        idp.signParts(
          encode({ alg: 'ES256', kid: 'k1', ...TYP }),
          encode(JSON.stringify({ iss: IDP, ...CLAIMS }).replace(/"exp":\d+/, '"exp":1e400')),
        ),
    ],
    ['incident 29: no exp', 'no_expiry', () => good({ exp: undefined })],
    ['incident 29: no iat', 'no_expiry', () => good({ iat: undefined })],
    ['incident 29: no aud', 'wrong_audience', () => good({ aud: undefined })],
    [
      'J12: somebody else’s audience',
      'wrong_audience',
      () => good({ aud: 'https://other.example' }),
    ],
    ['J12: ours with a slash', 'wrong_audience', () => good({ aud: `${US}/` })],
    ['J12: ours as a prefix', 'wrong_audience', () => good({ aud: `${US}.evil.example` })],
    ['J12: two audiences', 'wrong_audience', () => good({ aud: [US, 'https://other.example'] })],
    ['J12: ours twice', 'wrong_audience', () => good({ aud: [US, US] })],
    ['J12: no audience in a list', 'wrong_audience', () => good({ aud: [] })],
    ['a subject that is no text', 'no_subject', () => good({ sub: ['ana'] })],
    ['expired', 'expired', () => good({ iat: NOW - 360, exp: NOW - 60 })],
    [
      'L10: from two minutes ahead',
      'not_yet_valid',
      () => good({ iat: NOW + 120, exp: NOW + 300 }),
    ],
    ['not good yet', 'not_yet_valid', () => good({ nbf: NOW + 61 })],
    ['longer than its issuer may speak', 'lives_too_long', () => good({ exp: NOW + 291 })],
    ['from before our trust', 'older_than_trust', () => good({ iat: NOW - 201, exp: NOW + 99 })],
    ['an issuer nobody trusts', 'untrusted_issuer', () => good({ iss: 'https://evil.example' })],
    ['an issuer spelled otherwise', 'untrusted_issuer', () => good({ iss: `${IDP}/` })],
    ['an issuer that is no text', 'untrusted_issuer', () => good({ iss: [IDP] })],
    ['an issuer that is retired', 'untrusted_issuer', () => retired.sign(CLAIMS, TYP)],
    ['an issuer trusted for something else', 'not_its_purpose', () => other.sign(CLAIMS, TYP)],
    ['another issuer’s key', 'unknown_key', () => createIdp(IDP, 'k9').sign(CLAIMS, TYP)],
    [
      'another issuer’s key under the name of one of its own',
      'bad_signature',
      () => stranger.sign(CLAIMS, TYP),
    ],
  ];

  it.each(rows)('%s: %s', async (_name, problem, jwt) => {
    expect(await told(jwt())).toBe(problem);
  });
});
