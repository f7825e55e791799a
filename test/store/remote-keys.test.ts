// Keys that a trusted issuer publishes (J13, J15, V6): fetched through the one way out from a real https
// server, with a clock that is set by hand.
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { createOutbound } from '../../src/broker/outbound/outbound.js';
import { createRemoteKeys, type RemoteKeys } from '../../src/broker/trust/remote-keys.js';
import { createIdp, IDP } from '../support/idp.js';
import { startWeb, type TestWeb } from '../support/web.js';

const URI = `${IDP}/jwks`;
const first = createIdp(IDP, 'k1').publicJwk;
const second = createIdp(IDP, 'k2').publicJwk;
const CACHED = { 'cache-control': 'max-age=120' };

let web: TestWeb;
let remote: RemoteKeys;
let nowMs: number;
beforeAll(async () => {
  web = await startWeb(['idp.example']);
});
afterAll(() => web.close());
beforeEach(() => {
  nowMs = 1_800_000_000_000;
  web.asked.length = 0;
  const now = () => nowMs;
  const { fetchJson } = createOutbound({ allowLoopback: false, now, ...web.outbound });
  remote = createRemoteKeys({ fetchJson, now });
  web.put(URI, { keys: [first] }, CACHED);
});

const ask = async (kid = 'k1'): Promise<(string | undefined)[] | string> =>
  remote
    .get(URI, (keys) => keys.some((one) => one.kid === kid))
    .then(
      (keys) => keys.map((one) => one.kid),
      (error: { code: string }) => error.code,
    );
const pass = (seconds: number) => (nowMs += seconds * 1000);

it('are fetched once for however many ask at once, and kept as long as their server says', async () => {
  expect(await Promise.all([ask(), ask(), ask()])).toEqual([['k1'], ['k1'], ['k1']]);
  pass(119);
  await ask();
  expect(web.asked).toEqual([URI]);
  pass(2);
  await ask();
  expect(web.asked).toEqual([URI, URI]);
});

it('an hour at the most, and a minute at the least', async () => {
  web.put(URI, { keys: [first] }, { 'cache-control': 'max-age=86400' });
  await ask();
  pass(3601);
  web.put(URI, { keys: [first] }, { 'cache-control': 'no-store' });
  await ask();
  pass(59);
  await ask();
  expect(web.asked).toHaveLength(2);
  pass(2);
  await ask();
  expect(web.asked).toHaveLength(3);
});

it('J15: a flood of unknown names asks once in thirty seconds, and known ones go on', async () => {
  await ask();
  pass(31);
  for (let n = 0; n < 50; n += 1) expect(await ask(`forged-${n}`)).toEqual(['k1']);
  expect(await ask()).toEqual(['k1']);
  expect(web.asked).toHaveLength(2);
});

it('a new key is known as soon as somebody uses it, and one that is gone is gone', async () => {
  await ask();
  pass(31);
  web.put(URI, { keys: [second] }, CACHED);
  expect(await ask('k2')).toEqual(['k2']);
  expect(await ask('k1')).toEqual(['k2']);
});

it('V6: out of reach, what was known goes on for an hour, and then it is “not now”', async () => {
  await ask();
  web.remove(URI);
  pass(121);
  expect(await ask()).toEqual(['k1']);
  pass(3400);
  expect(await ask()).toEqual(['k1']);
  pass(80);
  expect(await ask()).toBe('temporarily_unavailable');
  web.put(URI, { keys: [first] }, CACHED);
  pass(31);
  expect(await ask()).toEqual(['k1']);
});

it('never known and out of reach: “not now”, and its server is not knocked at again and again', async () => {
  web.remove(URI);
  for (let n = 0; n < 10; n += 1) expect(await ask()).toBe('temporarily_unavailable');
  expect(web.asked).toEqual([URI]);
});

it.each<[string, object]>([
  ['a secret', { kty: 'oct', k: 'c2VjcmV0', kid: 'k1' }],
  ['a key for encryption', { ...first, use: 'enc' }],
  ['a private key', { ...first, d: 'AAAA' }],
  ['a point off its curve', { ...first, x: 'AAAA' }],
  ['a key of a kind nobody here checks', { ...first, crv: 'P-384' }],
  ['numbers for members', { ...first, x: 7 }],
])('K6: %s in the set is left out, and the rest serves', async (_what, jwk) => {
  web.put(URI, { keys: [jwk, null, 'x', second] }, CACHED);
  expect(await ask('k2')).toEqual(['k2']);
});
