// Several processes of one server: whose session and whose task it is, each knows from a store they share.
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { createTestIssuer, type TestIssuer } from '../../src/testing/index.js';
import { type AuthEvent, createVerifier } from '../../src/verifier/index.js';
import {
  createOwnerStore,
  defineToolPolicy,
  type OwnerStore,
  protectMcpServer,
  type TransportLike,
} from '../../src/verifier/mcp/index.js';

const RESOURCE = 'https://files.example/mcp';

/** As one over a network would be: nothing is there at once. */
function remote(inner: OwnerStore = createOwnerStore()) {
  const ttls: number[] = [];
  const store: OwnerStore = {
    get: async (key) => {
      await sleep(2);
      return inner.get(key);
    },
    add: async (key, owner, ttlSeconds) => {
      ttls.push(ttlSeconds);
      await sleep(2);
      await inner.add(key, owner, ttlSeconds);
    },
    delete: async (key) => {
      await sleep(2);
      await inner.delete(key);
    },
  };
  return { store, ttls };
}
const broken: OwnerStore = {
  get: () => Promise.reject(new Error('connection refused')),
  add: () => {
    throw new Error('connection refused');
  },
  delete: () => Promise.reject(new Error('connection refused')),
};

/** One process. Its server opens session `s1` when it is initialized, and task `t1` when it is called. */
function start(issuer: TestIssuer, owners?: OwnerStore, resource = RESOURCE) {
  const events: AuthEvent[] = [];
  const served: string[] = [];
  const verifier = createVerifier({
    issuer: issuer.issuer,
    resource,
    fetch: issuer.fetch,
    revocation: 'off',
    onEvent: (event) => events.push(event),
  });
  const methods = { 'tasks/get': 'files:read', 'tasks/list': 'files:read' };
  const policy = defineToolPolicy({ tools: { read: 'files:read' }, methods });
  const guard = protectMcpServer(verifier, policy, { owners });
  const serve = guard.fetch(async (request) => {
    served.push(request.method);
    return Response.json({ done: true }, { headers: { 'mcp-session-id': 's1' } });
  });
  const ask = async (token: string, session?: string, method = 'POST') => {
    const headers = {
      authorization: `Bearer ${token}`,
      ...(session === undefined ? {} : { 'mcp-session-id': session }),
    };
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'ping' });
    const more = method === 'POST' ? { body } : {};
    return (await serve(new Request(resource, { method, headers, ...more }))).status;
  };
  /** What comes out of the guarded transport when this is sent in, and the server answers so. */
  const speak = async (token: string, method: string, params: object, result: object) => {
    const sent: object[] = [];
    const inner: TransportLike = {
      start: async () => {},
      close: async () => {},
      send: async (message) => void sent.push(message),
    };
    guard.checkTools(['read']);
    const outer = guard.transport(inner, { context: await verifier.verify(token) });
    outer.onmessage = (message) => {
      const { id } = message as { id: number };
      void outer.send({ jsonrpc: '2.0', id, result });
    };
    await outer.start();
    (inner.onmessage as (message: object) => void)({ jsonrpc: '2.0', id: 1, method, params });
    await expect.poll(() => sent).toHaveLength(1);
    return sent[0];
  };
  return { ask, speak, events, served };
}

const createPair = async () => {
  const issuer = await createTestIssuer({ resource: RESOURCE });
  const [alice, mallory] = await Promise.all([
    issuer.delegatedToken(),
    issuer.delegatedToken({ user: 'usr_mallory' }),
  ]);
  return { issuer, alice, mallory };
};

describe('sessions of two processes with one store', () => {
  it('are served by both to their owner, to nobody else, and end at both', async () => {
    const { issuer, alice, mallory } = await createPair();
    const { store, ttls } = remote();
    const [one, other] = [start(issuer, store), start(issuer, store)];
    expect(await one.ask(alice)).toBe(200);
    expect(ttls).toEqual([86_400]);
    expect(await other.ask(alice, 's1')).toBe(200);
    expect(await other.ask(mallory, 's1')).toBe(404);
    expect(other.served).toEqual(['POST']);
    expect(await other.ask(alice, 's1', 'DELETE')).toBe(200);
    await expect.poll(() => one.ask(mallory, 's1')).toBe(404);
  });

  it('are unknown to a process that does not share it, and to another server that does', async () => {
    const { issuer, alice } = await createPair();
    const { store } = remote();
    await start(issuer, store).ask(alice);
    expect(await start(issuer).ask(alice, 's1')).toBe(404);
    const resource = 'https://notes.example/mcp';
    const token = await issuer.delegatedToken({ claims: { aud: resource } });
    expect(await start(issuer, store, resource).ask(token, 's1')).toBe(404);
  });

  it('stay with their first owner, whoever is given the same id', async () => {
    const { issuer, alice, mallory } = await createPair();
    const { store } = remote();
    const [one, other] = [start(issuer, store), start(issuer, store)];
    await one.ask(alice);
    await other.ask(mallory);
    expect([await other.ask(mallory, 's1'), await other.ask(alice, 's1')]).toEqual([404, 200]);
  });

  it('are 503 while the store cannot be asked, and nothing runs; what opens none goes on', async () => {
    const { issuer, alice } = await createPair();
    const { ask, served, events } = start(issuer, broken);
    expect(await ask(alice)).toBe(200);
    expect(await ask(alice, 's1')).toBe(503);
    expect(served).toEqual(['POST']);
    expect(events).toContainEqual(
      expect.objectContaining({ type: 'authentication', allowed: true }),
    );
    expect(events.filter(({ type }) => type === 'handler_error')).toHaveLength(1);
  });
});

describe('tasks of two processes with one store', () => {
  const created = { task: { taskId: 't1' } };
  const foreign = { error: { data: { error: 'access_denied' } } };

  it('are told of by both to whoever created them, and to nobody else', async () => {
    const { issuer, alice, mallory } = await createPair();
    const { store } = remote();
    const [one, other] = [start(issuer, store), start(issuer, store)];
    await one.speak(alice, 'tools/call', { name: 'read' }, created);
    const get = (token: string) => other.speak(token, 'tasks/get', { taskId: 't1' }, { ok: true });
    expect(await get(alice)).toMatchObject({ result: { ok: true } });
    expect(await get(mallory)).toMatchObject(foreign);
    const tasks = [{ taskId: 't1' }, { taskId: 't2' }, null];
    const list = (token: string) => other.speak(token, 'tasks/list', {}, { tasks });
    expect(await list(alice)).toMatchObject({ result: { tasks: [{ taskId: 't1' }] } });
    expect(await list(mallory)).toMatchObject({ result: { tasks: [] } });
  });

  it('are not told of while the store cannot be asked, and whoever asks is told so', async () => {
    const { issuer, alice } = await createPair();
    const { speak } = start(issuer, broken);
    await speak(alice, 'tools/call', { name: 'read' }, created);
    expect(await speak(alice, 'tasks/get', { taskId: 't1' }, { ok: true })).toMatchObject({
      error: { data: { error: 'temporarily_unavailable' } },
    });
  });

  it('are known before their creation is answered', async () => {
    const { issuer, alice } = await createPair();
    const { store } = remote();
    const one = start(issuer, store);
    expect(await one.speak(alice, 'tools/call', { name: 'read' }, created)).toMatchObject({
      result: created,
    });
    expect(await store.get(`task\n${RESOURCE}\nt1`)).toContain('usr_alice');
  });
});

describe('the store in memory', () => {
  it('keeps the first owner, for its time, and no more than it may', () => {
    let nowMs = 0;
    const store = createOwnerStore({ max: 2, now: () => nowMs });
    store.add('a', 'alice', 10);
    store.add('a', 'mallory', 10);
    expect(store.get('a')).toBe('alice');
    nowMs = 10_000;
    expect(store.get('a')).toBeUndefined();
    store.add('a', 'bob', 10);
    store.add('b', 'bob', 10);
    store.add('c', 'bob', 10);
    expect(['a', 'b', 'c'].map((key) => store.get(key))).toEqual([undefined, 'bob', 'bob']);
    store.delete('b');
    expect(store.get('b')).toBeUndefined();
    expect(() => createOwnerStore({ max: 0 })).toThrow(TypeError);
  });
});
