// The one way out (S1–S4): what is fetched, and what is not, told by listeners that nobody may reach.
import { randomBytes } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assembleEngine } from '../../src/broker/assemble-engine.js';
import { createKeyRing } from '../../src/broker/keys/ring.js';
import { createKeyService } from '../../src/broker/keys/service.js';
import { keyDepsOf } from '../../src/broker/keys/settings.js';
import { createAddressCheck } from '../../src/broker/outbound/addresses.js';
import { createDial } from '../../src/broker/outbound/connect.js';
import { isOutboundError } from '../../src/broker/outbound/errors.js';
import { createOutbound, type OutboundDeps } from '../../src/broker/outbound/outbound.js';
import { partsOf } from '../../src/broker/parts.js';
import { freePort, ROOT_SECRET, testConfig } from '../support/broker.js';
import { openTestPostgres } from '../support/databases.js';
import { type Handler, PUBLIC_ADDRESS, startWeb, type TestWeb } from '../support/web.js';

const LIMITS = { maxBytes: 5 * 1024 };
const SITE = 'https://app.example.com';

let web: TestWeb;
let port: number;
let accepted = 0;
const canaries: Server[] = [];

beforeAll(async () => {
  web = await startWeb(['app.example.com', 'other.example.com']);
  port = await freePort();
  for (const host of ['127.0.0.1', '::1']) {
    const canary = createServer((socket) => {
      accepted += 1;
      socket.destroy();
    });
    await new Promise<void>((resolve) => canary.listen(port, host, resolve));
    canaries.push(canary);
  }
});

afterAll(async () => {
  for (const canary of canaries) canary.close();
  await web.close();
});

const inWeb = (more: Partial<OutboundDeps> = {}) =>
  createOutbound({ allowLoopback: false, now: Date.now, ...web.outbound, ...more });

const reasonOf = (fetching: Promise<unknown>): Promise<string> =>
  fetching.then(
    () => 'fetched',
    (error) => (isOutboundError(error) ? error.reason : String(error)),
  );

describe('what is fetched', () => {
  it('is a JSON object, with how long its server lets it be kept (RFC 9111 §5.2.2)', async () => {
    const ages: readonly (readonly [string, number | undefined])[] = [
      ['', undefined],
      ['max-age=600', 600],
      ['public, max-age="86400", must-revalidate', 86400],
      ['max-age=600, no-cache', 0],
      ['no-store', 0],
      ['max-age=never', undefined],
    ];
    for (const [header, maxAgeSeconds] of ages) {
      web.put(`${SITE}/kept`, { a: 1 }, header === '' ? {} : { 'cache-control': header });
      expect(await inWeb().fetchJson(`${SITE}/kept`, LIMITS)).toEqual({
        json: { a: 1 },
        maxAgeSeconds,
      });
    }
  });

  it('is asked for by its own name and path, without compression and without credentials', async () => {
    const seen: unknown[] = [];
    web.put(`${SITE}:8443/a%20b?c=d`, (req, res) => {
      seen.push(req.method, req.headers);
      res.writeHead(200, { 'content-type': 'application/jwk-set+json; charset=utf-8' }).end('{}');
    });
    await inWeb().fetchJson(`${SITE}:8443/a%20b?c=d`, { ...LIMITS, accept: 'application/x+json' });
    expect(seen).toEqual([
      'GET',
      {
        host: 'app.example.com:8443',
        accept: 'application/x+json',
        'accept-encoding': 'identity',
        connection: 'close',
      },
    ]);
  });

  it.each<[string, string, Handler]>([
    ['a redirect', 'status', (_q, r) => r.writeHead(302, { location: `${SITE}/kept` }).end()],
    ['204', 'status', (_q, r) => r.writeHead(204).end()],
    ['404 with an object', 'status', (_q, r) => r.writeHead(404, JSON_TYPE).end('{}')],
    ['HTML', 'type', (_q, r) => r.writeHead(200, { 'content-type': 'text/html' }).end('{}')],
    ['no type', 'type', (_q, r) => r.writeHead(200).end('{}')],
    ['a list', 'json', (_q, r) => r.writeHead(200, JSON_TYPE).end('[]')],
    ['null', 'json', (_q, r) => r.writeHead(200, JSON_TYPE).end('null')],
    ['half an object', 'json', (_q, r) => r.writeHead(200, JSON_TYPE).end('{"a":')],
    ['no UTF-8', 'json', (_q, r) => r.writeHead(200, JSON_TYPE).end(Buffer.from([0x7b, 0xff]))],
    ['too much, announced', 'size', (_q, r) => r.writeHead(200, JSON_TYPE).end(big())],
    ['too much, in pieces', 'size', (_q, r) => r.writeHead(200, JSON_TYPE).write(big())],
    [
      'a bomb (S3)',
      'encoding',
      (_q, r) =>
        r
          .writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip' })
          .end(gzipSync(Buffer.alloc(1e6))),
    ],
    ['a broken answer', 'connection', (_q, r) => r.socket?.end('HTTP/1.1 200 OK\r\nbroken\r\n')],
    [
      'half of what was announced',
      'connection',
      (_q, r) => {
        r.writeHead(200, { ...JSON_TYPE, 'content-length': '9' }).write('{"a":');
        setTimeout(() => r.socket?.destroy(), 20);
      },
    ],
    ['nothing', 'connection', (_q, r) => r.socket?.destroy()],
    ['no answer, ever (S3)', 'timeout', () => {}],
    [
      'an endless trickle (S3)',
      'timeout',
      (_q, r) => {
        r.writeHead(200, JSON_TYPE);
        const drip = setInterval(() => r.write(' '), 50);
        r.on('close', () => clearInterval(drip));
      },
    ],
    [
      'endless headers (S3)',
      'connection',
      (_q, r) => r.socket?.write(`HTTP/1.1 200 OK\r\nx: ${'a'.repeat(20_000)}`),
    ],
  ])('is not %s', async (what, reason, handler) => {
    const url = `${SITE}/${encodeURIComponent(what)}`;
    web.put(url, handler);
    const before = web.asked.length;
    expect(await reasonOf(inWeb().fetchJson(url, LIMITS))).toBe(reason);
    expect(web.asked.slice(before)).toEqual([url]);
  });

  it('has the certificate of its name, whatever the environment says (NODE_TLS_REJECT_UNAUTHORIZED)', async () => {
    const elsewhere = { ...web.outbound, resolve: async () => [PUBLIC_ADDRESS] };
    web.put('https://another.example.net/x', {});
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    try {
      const outbound = createOutbound({ allowLoopback: false, now: Date.now, ...elsewhere });
      const url = 'https://another.example.net/x';
      expect(await reasonOf(outbound.fetchJson(url, LIMITS))).toBe('connection');
      const distrusting = inWeb({ ca: undefined });
      expect(await reasonOf(distrusting.fetchJson(`${SITE}/kept`, LIMITS))).toBe('connection');
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
    }
    expect(web.asked).not.toContain('https://another.example.net/x');
  });
});

const JSON_TYPE = { 'content-type': 'application/json' };
const big = () => JSON.stringify({ a: randomBytes(4096).toString('hex') });

/** Ways to write an address that is not public, and the nearest ones that are. */
const SPECIAL = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '100.64.0.1',
  '100.100.100.200',
  '127.0.0.1',
  '127.255.255.254',
  '168.63.129.16',
  '169.254.169.254',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.8',
  '192.0.2.1',
  '192.31.196.1',
  '192.52.193.1',
  '192.88.99.1',
  '192.168.1.1',
  '192.175.48.1',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.1',
  '203.0.113.1',
  '224.0.0.1',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::7f00:1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '::ffff:93.184.215.14',
  '64:ff9b::7f00:1',
  '64:ff9b::5db8:d70e',
  '64:ff9b:1::1',
  '100::1',
  '2001::1',
  '2001:2::1',
  '2001:10::1',
  '2001:20::1',
  '2001:db8::1',
  '2002:7f00:1::',
  '2002:a9fe:a9fe::1',
  '2620:4f:8000::1',
  '3ffe::1',
  '3fff::1',
  '5f00::1',
  'fc00::1',
  'fd00:ec2::254',
  'fe80::1',
  'fe80::1%eth0',
  'fec0::1',
  'ff02::1',
  'not-an-address',
  '',
];
const PUBLIC = [
  '1.1.1.1',
  '9.255.255.255',
  '11.0.0.1',
  '100.63.255.255',
  '100.128.0.1',
  '172.15.255.255',
  '172.32.0.1',
  '192.0.1.1',
  '198.17.255.255',
  '198.20.0.1',
  '223.255.255.255',
  '2001:200::1',
  '2606:4700::1111',
  '2a00:1450::1',
];

describe('where nothing is fetched from (S1)', () => {
  /** Where the connection would go, and what was said. */
  const tried = async (found: readonly string[]) => {
    const dialled: string[] = [];
    const outbound = inWeb({
      resolve: async () => found,
      dial: async (at) => {
        dialled.push(at);
        throw new Error('dialled');
      },
    });
    return { found, reason: await reasonOf(outbound.fetchJson(`${SITE}/x`, LIMITS)), dialled };
  };

  it('a name that means an address of special use, alone or beside a public one', async () => {
    const named = SPECIAL.flatMap((address) => [
      [address],
      [PUBLIC_ADDRESS, address],
      [address, PUBLIC_ADDRESS],
    ]);
    expect(await Promise.all(named.map(tried))).toEqual(
      named.map((found) => ({ found, reason: 'address', dialled: [] })),
    );
  });

  it('but from every public address, the neighbours of those too', async () => {
    const named = PUBLIC.map((address) => [address]);
    expect(await Promise.all(named.map(tried))).toEqual(
      named.map((found) => ({ found, reason: 'connection', dialled: found })),
    );
  });

  it('loopback in any spelling, by any scheme: nothing reaches the listeners', async () => {
    const hosts = [
      ...['127.0.0.1', '127.1', '2130706433', '0x7f000001', '0x7f.1', '0177.0.0.1', '017700000001'],
      ...['0', '[::1]', '[::]', '[0:0:0:0:0:0:0:1]', '[::ffff:127.0.0.1]', '[::ffff:7f00:1]'],
      ...['[::127.0.0.1]', '[64:ff9b::7f00:1]', '[2002:7f00:1::]', 'localhost', 'LOCALHOST'],
      ...['localhost.', '127.0.0.1.', 'a.localhost.', '①②⑦.0.0.1', '127。0。0。1', 'intranet'],
      ...['user@127.0.0.1', 'user:pw@localhost', '127.0.0.1#@app.example.com', '%31%32%37.0.0.1'],
    ];
    const outbound = createOutbound({ allowLoopback: false, now: Date.now });
    for (const host of hosts) {
      for (const scheme of ['https', 'http']) {
        const [name, fragment = ''] = host.split('#');
        const url = `${scheme}://${name}:${port}/x${fragment && `#${fragment}`}`;
        expect([url, await reasonOf(outbound.fetchJson(url, LIMITS))]).toEqual([
          url,
          expect.stringMatching(/^(?:url|address)$/),
        ]);
        expect(await reasonOf(outbound.engineFetch(url))).toMatch(/^(?:url|address)$/);
      }
    }
    expect(accepted).toBe(0);
  });

  it('other schemes, user names, fragments, and what is no URL', async () => {
    const urls = ['', 'x', '//app.example.com/x', 'ftp://app.example.com/x', 'file:///etc/passwd'];
    urls.push('data:application/json,{}', 'http://app.example.com/x', `${SITE}/x#`);
    urls.push('https://u@app.example.com/x', 'https://app.example.com./x', 'https://app/x');
    for (const url of urls) {
      expect([url, await reasonOf(inWeb().fetchJson(url, LIMITS))]).toEqual([url, 'url']);
    }
  });

  it('a name that is public when asked, and loopback when asked again: it is asked once', async () => {
    let asked = 0;
    const outbound = createOutbound({
      allowLoopback: false,
      now: Date.now,
      resolve: async () => {
        asked += 1;
        return asked === 1 ? ['192.0.9.1'] : ['127.0.0.1'];
      },
      dial: async (address) => {
        throw new Error(`the connection goes to ${address}`);
      },
    });
    const url = `https://rebind.example.com:${port}/x`;
    const error = await outbound.fetchJson(url, LIMITS).catch((one) => one);
    expect([asked, error.cause.message]).toEqual([1, 'the connection goes to 192.0.9.1']);
  });

  it('a name of which one kind of address cannot be learnt, and one with too many', async () => {
    const broken = inWeb({ resolve: () => Promise.reject(new Error('SERVFAIL')) });
    expect(await reasonOf(broken.fetchJson(`${SITE}/x`, LIMITS))).toBe('name');
    for (const found of [[], Array.from({ length: 33 }, (_, n) => `1.1.1.${n}`)]) {
      const outbound = inWeb({ resolve: async () => found });
      expect(await reasonOf(outbound.fetchJson(`${SITE}/x`, LIMITS))).toBe('name');
    }
  });

  it('a name nobody answers for: the time there is ends that too', async () => {
    const hanging = inWeb({ resolve: () => new Promise(() => {}) });
    expect(await reasonOf(hanging.fetchJson(`${SITE}/x`, LIMITS))).toBe('timeout');
  });

  it('a connection that stands, and not at a public address: nothing is sent', async () => {
    const dial = (allowLoopback: boolean) =>
      createDial(createAddressCheck(), allowLoopback)('127.0.0.1', port, AbortSignal.timeout(2500));
    expect(await reasonOf(dial(false))).toBe('address');
    (await dial(true)).destroy();
    await expect.poll(() => accepted).toBe(2);
    accepted = 0;
  });

  it('loopback, unless the issuer is there too: then by its names only', async () => {
    const server = createHttpServer((_req, res) => void res.writeHead(200, JSON_TYPE).end('{}'));
    const own = await freePort();
    await new Promise<void>((resolve) => server.listen(own, '127.0.0.1', resolve));
    const outbound = createOutbound({
      allowLoopback: true,
      now: Date.now,
      resolve: async () => ['127.0.0.1'],
    });
    const at = (host: string) => reasonOf(outbound.fetchJson(`http://${host}:${own}/x`, LIMITS));
    expect(await at('127.0.0.1')).toBe('fetched');
    expect(await at('localhost')).toBe('fetched');
    expect(await at('[::ffff:127.0.0.1]')).toBe('url');
    expect(await at('app.example.com')).toBe('url');
    const named = outbound.fetchJson(`https://app.example.com:${own}/x`, LIMITS);
    expect(await reasonOf(named)).toBe('address');
    server.close();
  });
});

describe('how it fails', () => {
  it('says the same of an open port, a closed one, a missing name and a wrong document (S4)', async () => {
    web.put(`${SITE}/html`, (_q, r) => void r.writeHead(200).end('<html>'));
    const refused = async () => {
      throw Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    };
    const causes = [
      inWeb().fetchJson(`${SITE}/html`, LIMITS),
      inWeb().fetchJson(`${SITE}/missing`, LIMITS),
      inWeb({ dial: refused }).fetchJson(`${SITE}/x`, LIMITS),
      inWeb({ resolve: refused }).fetchJson(`${SITE}/x`, LIMITS),
      inWeb({ resolve: async () => ['10.0.0.1'] }).fetchJson(`${SITE}/x`, LIMITS),
      inWeb().fetchJson('https://localhost/x', LIMITS),
    ];
    const messages = await Promise.all(causes.map((one) => one.catch((error) => error.message)));
    expect(new Set(messages)).toEqual(new Set(['it could not be fetched']));
  });

  it('remembers a failure for half a minute, then asks again (S3)', async () => {
    let nowMs = 1_000_000;
    const outbound = inWeb({ now: () => nowMs });
    const url = `${SITE}/late`;
    const asked = () => web.asked.filter((one) => one === url).length;
    expect(await reasonOf(outbound.fetchJson(url, LIMITS))).toBe('status');
    web.put(url, { here: true });
    nowMs += 29_999;
    expect(await reasonOf(outbound.fetchJson(url, LIMITS))).toBe('status');
    expect(asked()).toBe(1);
    nowMs += 1;
    expect(await reasonOf(outbound.fetchJson(url, LIMITS))).toBe('fetched');
    expect(asked()).toBe(2);
  });

  it('fetches four documents of a host at once, and no fifth; another host is not kept waiting (S3)', async () => {
    const outbound = inWeb();
    const waiting: (() => void)[] = [];
    const slow: Handler = (_q, r) => void waiting.push(() => r.writeHead(200, JSON_TYPE).end('{}'));
    const urls = [1, 2, 3, 4].map((n) => `${SITE}/slow/${n}`);
    for (const url of urls) web.put(url, slow);
    web.put('https://other.example.com/x', {});
    const fetching = urls.map((url) => reasonOf(outbound.fetchJson(url, LIMITS)));
    await expect.poll(() => waiting.length).toBe(4);
    expect(await reasonOf(outbound.fetchJson(`${SITE}/kept`, LIMITS))).toBe('busy');
    const other = outbound.fetchJson('https://other.example.com/x', LIMITS);
    expect(await reasonOf(other)).toBe('fetched');
    for (const answer of waiting) answer();
    expect(await Promise.all(fetching)).toEqual(['fetched', 'fetched', 'fetched', 'fetched']);
    // Being busy is no failure of the document.
    expect(await reasonOf(outbound.fetchJson(`${SITE}/kept`, LIMITS))).toBe('fetched');
  });
});

describe('what the engine gets', () => {
  it('is a 200 answer as it was sent, for a GET without a body', async () => {
    web.put(`${SITE}/jwks`, { keys: [] }, { 'cache-control': 'max-age=60' });
    const response = await inWeb().engineFetch(new URL(`${SITE}/jwks`), { method: 'GET' });
    expect([response.status, response.headers.get('cache-control'), await response.json()]).toEqual(
      [200, 'max-age=60', { keys: [] }],
    );
  });

  it('is nothing for whatever sends something', async () => {
    const before = web.asked.length;
    for (const options of [{ method: 'POST' }, { body: 'logout_token=x' }, { method: 'HEAD' }]) {
      expect(await reasonOf(inWeb().engineFetch(`${SITE}/jwks`, options))).toBe('url');
    }
    expect(web.asked).toHaveLength(before);
  });

  it('is all it fetches by itself: keys and sectors, the public ones and no others', async () => {
    const opened = await openTestPostgres();
    try {
      const parts = await partsOf(testConfig(await freePort()), opened.db, {
        outbound: web.outbound,
      });
      const { db, secrets } = parts;
      const service = createKeyService({
        db,
        ...keyDepsOf({ ...parts.config, secret: ROOT_SECRET }),
      });
      const keys = await createKeyRing({ db, secrets, service });
      const { Client } = assembleEngine(
        parts,
        keys,
        () => {},
      ).current() as unknown as EngineClients;
      const metadata = {
        client_id: 'cli_fetching',
        redirect_uris: [`${SITE}/cb`],
        response_types: ['code'],
        grant_types: ['authorization_code'],
        token_endpoint_auth_method: 'private_key_jwt',
      };
      web.put(`${SITE}/engine-jwks`, { keys: [] });
      const keysAt = (jwks_uri: string) =>
        new Client({ ...metadata, jwks_uri }).asymmetricKeyStore.refresh();
      await keysAt(`${SITE}/engine-jwks`);
      const sector = (sector_identifier_uri: string) =>
        Client.validate({ ...metadata, jwks: { keys: [] }, sector_identifier_uri });
      await expect(sector(`${SITE}/sector`)).rejects.toThrow();
      expect(web.asked.slice(-2)).toEqual([`${SITE}/engine-jwks`, `${SITE}/sector`]);
      for (const host of [
        '10.0.0.1',
        '[64:ff9b::a00:1]',
        'nowhere.example.com',
        'app.example.com.',
      ]) {
        await expect(keysAt(`https://${host}:${port}/jwks`)).rejects.toThrow();
        await expect(sector(`https://${host}:${port}/sector`)).rejects.toThrow();
      }
      expect(web.asked.slice(-1)).toEqual([`${SITE}/sector`]);
    } finally {
      await opened.close();
    }
  });
});

/** What the engine's type does not say of its clients. */
interface EngineClients {
  readonly Client: {
    new (metadata: object): { readonly asymmetricKeyStore: { refresh(): Promise<void> } };
    validate(metadata: object): Promise<void>;
  };
}
