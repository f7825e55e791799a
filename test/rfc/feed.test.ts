import type { ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { endGrant } from '../../src/broker/delegation/ends.js';
import { createFeed, feedKey } from '../../src/broker/revocation/feed.js';
import {
  ADMIN_TOKEN,
  authFor,
  authorize,
  basic,
  claimsOf,
  redeem,
  startTestBroker,
  type TestBroker,
} from '../support/broker.js';
import { eventually } from '../support/eventually.js';
import { narrow } from '../support/narrow.js';
import { AGENT, FILES, FILES_CLIENT, HOST, OTHER_AGENT, SERVICE } from '../support/world.js';

let t: TestBroker;
beforeAll(async () => {
  t = await startTestBroker();
});
afterAll(() => t.close());

/** Reads a stream until `enough`, then hangs up. */
async function follow(after: number, enough: (text: string) => boolean): Promise<string> {
  const abort = new AbortController();
  const response = await fetch(`${t.issuer}/revocations/stream?after=${after}`, {
    signal: abort.signal,
  });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  let text = '';
  const decoder = new TextDecoder();
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += decoder.decode(chunk, { stream: true });
    if (enough(text)) break;
  }
  abort.abort();
  return text;
}

const stop = (key: string, always = true) =>
  narrow(t.opened.db, async () => ({
    stops: [{ key, always, reason: 'test', by: 'admin' }],
    result: undefined,
  }));

describe('DESIGN §6 the revocation feed', () => {
  it('publishes a stop as a hash: nobody learns who was stopped', async () => {
    await stop('agt_secretive');
    const { cursor, facts, issuer } = (await (await fetch(`${t.issuer}/revocations`)).json()) as {
      cursor: number;
      issuer: string;
      facts: Record<string, unknown>[];
    };
    expect(issuer).toBe(t.issuer);
    expect(facts.at(-1)).toEqual({
      id: cursor,
      key: feedKey(t.issuer, 'agt_secretive'),
      revoked_at: expect.any(Number),
      always: true,
      until: expect.any(Number),
    });
    expect(feedKey(t.issuer, 'agt_secretive')).toMatch(/^[0-9a-f]{32}$/);
    expect(feedKey('https://other.example', 'agt_secretive')).not.toBe(
      feedKey(t.issuer, 'agt_secretive'),
    );
    expect(JSON.stringify(facts)).not.toContain('secretive');
  });

  it('tells followers of a grant’s end at its notice, not at the next heartbeat', async () => {
    const { body } = await redeem(t, await authorize(t));
    const [consent, grant] = String(claimsOf(body.access_token).jti).split('.');
    const { cursor } = (await (await fetch(`${t.issuer}/revocations`)).json()) as {
      cursor: number;
    };
    // A feed whose heartbeat never comes due, and somebody who follows it.
    vi.useFakeTimers({ toFake: ['setInterval'] });
    const feed = createFeed({ db: t.opened.db, issuer: t.issuer });
    await feed.start();
    vi.useRealTimers();
    const stream = new PassThrough();
    let told = '';
    stream.on('data', (chunk: Buffer) => (told += chunk.toString()));
    feed.follow(stream as unknown as ServerResponse, cursor);
    await eventually(() => expect(told).toContain('event: heartbeat'));
    expect(told).not.toContain('event: revocation');
    await endGrant(t.opened.db, grant as string, 'test', 'admin');
    await eventually(() => expect(told).toContain(feedKey(t.issuer, `${consent}.${grant}`)));
    feed.stop();
  });

  it('resumes from a cursor without skipping or repeating, and beats in between', async () => {
    const { cursor } = (await (await fetch(`${t.issuer}/revocations`)).json()) as {
      cursor: number;
    };
    for (const n of [1, 2, 3]) await stop(`cns_resume${n}`);
    const text = await follow(cursor, (seen) => seen.includes('heartbeat'));
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    expect(ids).toEqual([...ids].sort((a, b) => a - b));
    expect(ids).toHaveLength(3);
    const rest = await follow(ids[1] as number, (seen) => seen.includes('heartbeat'));
    expect([...rest.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id))).toEqual([ids[2]]);
    expect(rest).toContain(`event: heartbeat\ndata: {"cursor":${ids[2]}}`);
  });

  it('refuses a cursor that is none', async () => {
    for (const after of ['x', '-1', '1.5', '']) {
      const response = await fetch(`${t.issuer}/revocations/stream?after=${after}`);
      expect([after, response.status]).toEqual([after, after === '' ? 200 : 400]);
      await response.body?.cancel();
    }
  });

  it('lets the newest fact about a key count: a lifted block leaves what is older dead', async () => {
    await stop('agt_lifted', true);
    await stop('agt_lifted', false);
    const { facts } = (await (await fetch(`${t.issuer}/revocations`)).json()) as {
      facts: { key: string; always: boolean }[];
    };
    expect(
      facts
        .filter(({ key }) => key === feedKey(t.issuer, 'agt_lifted'))
        .map(({ always }) => always),
    ).toEqual([false]);
  });
});

describe('POST /decisions', () => {
  const decision = {
    at: 1,
    allowed: false,
    tool: 'delete_file',
    jti: 'cns_a.gnt_b.t',
    sub: 'usr_ana',
    act: AGENT,
    client_id: 'cli_host',
    resource: FILES,
    required: ['files:delete'],
    missing_user: [],
    missing_agent: ['files:delete'],
    code: 'actor_unauthorized',
    reason: 'agent_scope_missing',
  };
  const report = (decisions: unknown, headers: Record<string, string>) =>
    fetch(`${t.issuer}/decisions`, {
      method: 'POST',
      body: JSON.stringify({ decisions }),
      headers: { 'content-type': 'application/json', ...headers },
    });

  it('records what a resource server decided about its own resource', async () => {
    expect((await report([decision], authFor(t, FILES_CLIENT))).status).toBe(204);
    const [event] = await t.opened.db.run<Record<string, unknown>>(
      `select type, by, sub, agent_id, client_id, resource, detail from audit_events order by id desc limit 1`,
    );
    expect(event).toEqual({
      type: 'tool.refused',
      by: FILES_CLIENT,
      sub: 'usr_ana',
      agent_id: AGENT,
      client_id: 'cli_host',
      resource: FILES,
      detail: {
        at: 1,
        tool: 'delete_file',
        required: ['files:delete'],
        missing_user: [],
        missing_agent: ['files:delete'],
        code: 'actor_unauthorized',
        reason: 'agent_scope_missing',
      },
    });
  });

  it('records who acted before and by which clients, in sentences too (DESIGN §8c)', async () => {
    const history = { earlier_actors: [OTHER_AGENT, 'agt_gone'], via: [HOST, OTHER_AGENT] };
    const reported = { ...decision, client_id: AGENT, ...history };
    expect((await report([reported], authFor(t, FILES_CLIENT))).status).toBe(204);
    const response = await fetch(`${t.issuer}/admin/v1/audit?type=tool.refused&limit=1`, {
      headers: { authorization: `Bearer ${ADMIN_TOKEN}` },
    });
    const { items } = (await response.json()) as { items: Record<string, unknown>[] };
    expect(items[0]).toMatchObject({
      detail: history,
      sentence:
        'Helper, handed on by Other, handed on by agt_gone, for Ana Example, through Agent Host, ' +
        'was refused delete_file (files:delete) at File server: Helper does not hold files:delete',
    });
    const tooLong = { ...decision, earlier_actors: Array(16).fill('agt_x') };
    expect((await report([tooLong], authFor(t, FILES_CLIENT))).status).toBe(400);
  });

  it.each([
    ['nobody', 401, {}],
    ['a wrong secret', 401, { authorization: basic(FILES_CLIENT, 'x'.repeat(43)) }],
  ])('refuses %s', async (_name, status, headers) => {
    expect((await report([decision], headers as Record<string, string>)).status).toBe(status);
  });

  it('refuses another service, another resource, and unknown fields', async () => {
    const own = authFor(t, FILES_CLIENT);
    expect((await report([decision], authFor(t, SERVICE))).status).toBe(403);
    expect(
      (await report([{ ...decision, resource: 'https://notes.example/api' }], own)).status,
    ).toBe(403);
    expect((await report([{ ...decision, token: 'x' }], own)).status).toBe(400);
    expect((await report([], own)).status).toBe(400);
  });
});
