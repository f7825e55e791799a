// A process that is told to stop, and what asks whether it should be sent requests: a real process,
// real PostgreSQL (issue: SIGTERM drains, no admitted request is lost).
import { type ChildProcess, spawn } from 'node:child_process';
import { Agent, get, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createBroker } from '../../src/broker/app.js';
import { ADMIN_TOKEN, basic, freePort, ROOT_SECRET, testConfig } from '../support/broker.js';
import { DATABASES, type OpenedDatabase, openTestPostgres } from '../support/databases.js';
import { eventually } from '../support/eventually.js';
import { ROOT, scratchFolder } from '../support/repository.js';
import { AGENT, FILES, type Secrets, seedWorld } from '../support/world.js';

interface Heard {
  readonly status: number;
  readonly connection: string | undefined;
  readonly body: string;
}

/** On a connection of its own unless told otherwise. */
function fetchFrom(port: number, path: string, agent = new Agent()): Promise<Heard> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, agent }, (incoming) => {
      let body = '';
      incoming.on('data', (chunk) => (body += chunk));
      incoming.on('end', () =>
        resolve({
          status: incoming.statusCode ?? 0,
          connection: incoming.headers.connection,
          body,
        }),
      );
    }).once('error', reject);
  });
}

describe('a broker in a process of its own', () => {
  let opened: OpenedDatabase;
  let secrets: Secrets;
  let port: number;
  let child: ChildProcess;
  let ended: Promise<number | NodeJS.Signals | null>;

  beforeEach(async () => {
    opened = await openTestPostgres();
    secrets = await seedWorld(opened.db);
    port = await freePort();
    const program = [
      join(ROOT, 'node_modules/tsx/dist/loader.mjs'),
      join(ROOT, 'src/broker/main.ts'),
    ];
    child = spawn(process.execPath, ['--import', ...program, 'serve'], {
      cwd: scratchFolder('shutdown'),
      env: {
        PATH: process.env.PATH,
        DATABASE_URL: opened.url,
        BEHALF_SECRET: ROOT_SECRET,
        BEHALF_ADMIN_TOKEN: ADMIN_TOKEN,
        BEHALF_PORT: String(port),
        BEHALF_ISSUER: `http://127.0.0.1:${port}`,
        BEHALF_LOG_LEVEL: 'silent',
        BEHALF_SHUTDOWN_DELAY_SECONDS: '1',
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    ended = new Promise((resolve) =>
      child.once('close', (code, signal) => resolve(code ?? signal)),
    );
    await new Promise<void>((resolve, reject) => {
      let said = '';
      child.stderr?.on('data', (chunk) => {
        said += chunk;
        if (said.includes('listening on')) resolve();
      });
      void ended.then(() => reject(new Error(said)));
    });
  });
  afterEach(async () => {
    child.kill('SIGKILL');
    await ended;
    await opened.close();
  });

  const tokenRequest = (agent: Agent): Promise<string> =>
    new Promise((resolve) => {
      const body = new URLSearchParams({ grant_type: 'client_credentials', resource: FILES });
      const outgoing = request(
        {
          host: '127.0.0.1',
          port,
          path: '/token',
          method: 'POST',
          agent,
          headers: {
            authorization: basic(AGENT, secrets[AGENT] as string),
            'content-type': 'application/x-www-form-urlencoded',
          },
        },
        (incoming) => {
          incoming.resume();
          incoming.once('end', () => resolve(`${incoming.statusCode}`));
          incoming.once('error', () => resolve('cut off'));
        },
      );
      outgoing.once('error', (error) => resolve((error as { code?: string }).code ?? 'error'));
      outgoing.end(body.toString());
    });

  it('finishes every admitted request after SIGTERM, fails /readyz first, ends streams, and exits with 0', {
    timeout: 60_000,
  }, async () => {
    const stream = new Promise<string>((resolve) => {
      get({ host: '127.0.0.1', port, path: '/revocations/stream?after=0' }, (incoming) => {
        let events = '';
        incoming.on('data', (chunk) => (events += chunk));
        incoming.once('end', () => resolve(events));
      });
    });
    expect((await fetchFrom(port, '/readyz')).status).toBe(200);
    const agent = new Agent({ keepAlive: true, maxSockets: 16 });
    const outcomes = new Map<string, number>();
    let running = true;
    const worker = async () => {
      while (running) {
        const outcome = await tokenRequest(agent);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
        if (outcome === 'ECONNREFUSED') return;
      }
    };
    const workers = Array.from({ length: 16 }, worker);
    await eventually(() => expect(outcomes.get('200')).toBeGreaterThan(200));
    child.kill('SIGTERM');
    // Still served, each answer ending its connection, while whoever asks is told to go elsewhere.
    const draining = await eventually(async () => {
      const answer = await fetchFrom(port, '/readyz');
      expect(answer.status).toBe(503);
      return answer;
    });
    expect(draining).toEqual({ status: 503, connection: 'close', body: '{"status":"draining"}' });
    expect((await fetchFrom(port, '/livez')).status).toBe(200);
    expect(await ended).toBe(0);
    running = false;
    await Promise.all(workers);
    agent.destroy();
    expect(await stream).toContain('event: heartbeat');
    // Whoever was not let in was told so by the connection; nobody got half an answer or an error.
    const { '200': answered, ...others } = Object.fromEntries(outcomes);
    expect(
      Object.keys(others).filter((outcome) => !/^ECONN(REFUSED|RESET)$/.test(outcome)),
    ).toEqual([]);
    const [{ issued } = { issued: 0 }] = await opened.db.run<{ issued: number }>(
      `select count(*)::int as issued from audit_events where type = 'token.issued'`,
    );
    expect(answered).toBe(issued);
  });

  it('waits for nobody who connected and never said a word', { timeout: 60_000 }, async () => {
    const silent: Socket = connect(port, '127.0.0.1');
    silent.on('error', () => {}).resume();
    await new Promise<void>((resolve) => silent.once('connect', () => resolve()));
    // One whose request has not arrived whole is inside, and is waited for.
    const inside: Socket = connect(port, '127.0.0.1');
    let answer = '';
    inside.on('error', () => {}).on('data', (chunk) => (answer += chunk));
    const head = `POST /token HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nContent-Length: 16\r\n`;
    const type = 'Content-Type: application/x-www-form-urlencoded\r\n\r\n';
    inside.write(`${head}${type}grant_ty`);
    const closed = (socket: Socket) =>
      new Promise<void>((resolve) => socket.once('close', () => resolve()));
    await fetchFrom(port, '/livez');
    const [silentClosed, insideClosed] = [closed(silent), closed(inside)];
    child.kill('SIGTERM');
    await silentClosed;
    expect([answer, inside.destroyed]).toEqual(['', false]);
    inside.write('pe=nobod');
    await insideClosed;
    expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*connection: close/i);
    expect(await ended).toBe(0);
  });

  it('exits at once at the second signal, whatever is under way', { timeout: 60_000 }, async () => {
    // A request that never arrives whole: it would be waited for.
    const socket: Socket = connect(port, '127.0.0.1');
    socket.on('error', () => {}).resume();
    socket.write('POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc');
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    await fetchFrom(port, '/livez');
    child.kill('SIGTERM');
    await eventually(async () => expect((await fetchFrom(port, '/readyz')).status).toBe(503));
    child.kill('SIGTERM');
    expect(await ended).toBe(1);
    await closed;
  });
});

describe('/livez and /readyz', () => {
  let opened: OpenedDatabase;
  beforeEach(async () => {
    opened = await openTestPostgres();
  });
  afterEach(() => opened.close());

  const start = async (db = opened.db, now?: () => number) => {
    const logged: string[] = [];
    const config = testConfig(await freePort());
    const broker = await createBroker(config, {
      db,
      logTo: { write: (line) => void logged.push(line) },
      ...(now === undefined ? {} : { now }),
    });
    await broker.listen();
    return { broker, logged, ask: (path: string) => fetchFrom(config.port, path) };
  };

  it('are yes while all is well, cost one statement a second however often they are asked, and leave no trace', async () => {
    let asked = 0;
    const run: typeof opened.db.run = (text, params) => {
      if (text.includes('behalf_migrations')) asked += 1;
      return opened.db.run(text, params);
    };
    const { broker, logged, ask } = await start({ ...opened.db, run }, () => 1_000_000);
    for (let n = 0; n < 5; n += 1) {
      expect(await ask('/livez')).toMatchObject({ status: 200, body: '{"status":"alive"}' });
      expect(await ask('/readyz')).toMatchObject({ status: 200, body: '{"status":"ready"}' });
    }
    expect(asked).toBe(1);
    expect(logged.join('')).not.toContain('readyz');
    expect(await opened.db.run(`select 1 from audit_events where type not like 'key.%'`)).toEqual(
      [],
    );
    await broker.close();
  });

  it('tell a database that does not answer from a process that does not', async () => {
    let down = false;
    const run: typeof opened.db.run = (text, params) =>
      down
        ? Promise.reject(Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }))
        : opened.db.run(text, params);
    let now = 1_000_000;
    const { broker, ask } = await start({ ...opened.db, run }, () => now);
    expect((await ask('/readyz')).status).toBe(200);
    down = true;
    now += 1000;
    expect(await ask('/readyz')).toMatchObject({ status: 503, body: '{"status":"no database"}' });
    expect((await ask('/livez')).status).toBe(200);
    down = false;
    now += 1000;
    expect((await ask('/readyz')).status).toBe(200);
    await broker.close();
  });

  it.each(
    DATABASES,
  )('say so when the tables are older than the version that runs, on %s', async (_name, open) => {
    const older = await open();
    const { broker, ask } = await start(older.db);
    expect((await ask('/readyz')).status).toBe(200);
    await older.db.run(
      'delete from behalf_migrations where created_at = (select max(created_at) from behalf_migrations)',
    );
    await broker.close();
    const again = await start(older.db);
    expect(await again.ask('/readyz')).toMatchObject({
      status: 503,
      body: '{"status":"not migrated"}',
    });
    await again.broker.close();
    await older.close();
  });
});
