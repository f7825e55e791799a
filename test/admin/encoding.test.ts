// The admin API reads UTF-8 and nothing else (P5, P9): what is stored is what was sent.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN_TOKEN, startTestBroker, type TestBroker } from '../support/broker.js';
import { openTestPglite } from '../support/databases.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker({ opened: await openTestPglite() });
});
afterAll(() => t.close());

async function create(body: Uint8Array<ArrayBuffer>, type: string): Promise<[number, unknown]> {
  const response = await fetch(`${t.issuer}/admin/v1/roles`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': type },
    body,
  });
  return [response.status, await response.json()];
}
const bytes = (name: string, description: string) =>
  new Uint8Array(Buffer.from(JSON.stringify({ name, description })));

describe('RFC 8259 §8.1: the body of a change is UTF-8', () => {
  it.each([
    ['a', 'application/json'],
    ['b', 'application/json;charset=utf-8'],
    ['c', 'Application/JSON ; charset="UTF-8"'],
  ])('accepts it as %s: %s', async (name, type) => {
    expect(await create(bytes(name, 'Köche 料理人'), type)).toEqual([
      201,
      { name, description: 'Köche 料理人', created_at: expect.any(String) },
    ]);
  });

  it.each([
    'application/json; charset=utf-16',
    'application/json; charset=utf-7',
    'application/json; charset=utf-8; charset=utf-16',
    'application/json; version=1',
  ])('answers 415 for %s', async (type) => {
    expect(await create(bytes('z', 'x'), type)).toEqual([
      415,
      { type: 'about:blank', status: 415, title: 'Send application/json' },
    ]);
  });

  it.each([
    ['a lone continuation octet', [0xff]],
    ['an overlong slash', [0xc0, 0xaf]],
    ['a surrogate', [0xed, 0xa0, 0x80]],
  ])('replaces nothing in silence: %s', async (_what, octets) => {
    const [before, after] = ['{"name":"z","description":"x', '"}'].map((part) => Buffer.from(part));
    const body = Buffer.concat([before as Buffer, Buffer.from(octets), after as Buffer]);
    expect(await create(new Uint8Array(body), 'application/json')).toEqual([
      400,
      {
        type: 'about:blank',
        status: 400,
        title: 'The request is not valid',
        detail: 'the body is not UTF-8',
      },
    ]);
  });
});
