import { describe, expect, it, vi } from 'vitest';
import { createReporter, type ReportedDecision } from '../../src/verifier/report.js';
import { eventually } from '../support/eventually.js';
import { createVerifierWorld } from './support/verifier-world.js';

const report = { clientId: 'cli_files', clientSecret: 'a secret/with+signs' };

async function createWorld(answer?: () => Response) {
  const sent: Array<{ authorization: string | null; count: number }> = [];
  const world = await createVerifierWorld();
  const fetch: typeof globalThis.fetch = async (input, init) => {
    if (!String(input).endsWith('/decisions')) return world.issuer.fetch(input, init);
    const request = new Request(input, init);
    const { decisions } = (await request.json()) as { decisions: unknown[] };
    sent.push({ authorization: request.headers.get('authorization'), count: decisions.length });
    return answer?.() ?? new Response(null, { status: 204 });
  };
  const { verifier, events } = await createVerifierWorld({
    fetch,
    report,
    jwks: world.issuer.jwks(),
  });
  const context = await verifier.verify(await world.issuer.delegatedToken());
  const decide = (times: number) =>
    Promise.all(
      Array.from({ length: times }, () => verifier.authorize(context, 'files:read', { tool: 't' })),
    );
  return { verifier, events, sent, decide };
}

describe('the decision reporter', () => {
  it('sends a hundred at once without waiting, the rest within 250 ms, as Basic (RFC 6749 §2.3.1)', async () => {
    const { verifier, sent, decide } = await createWorld();
    await decide(130);
    await eventually(() => expect(sent.map(({ count }) => count)).toEqual([100, 30]));
    expect(sent[0]?.authorization).toBe(
      `Basic ${btoa(`cli_files:${encodeURIComponent(report.clientSecret)}`)}`,
    );
    await verifier.close();
  });

  it('says who acted before, and by which clients (DESIGN §8c); nothing where there was nobody', async () => {
    const { issuer, verifier } = await createVerifierWorld({ report });
    const token = await issuer.delegatedToken({
      agent: 'cli_files',
      client: 'cli_files',
      chain: ['agt_checker', 'agt_scout'],
      claims: { via: ['cli_host', 'agt_scout'] },
    });
    for (const one of [token, await issuer.delegatedToken()])
      await verifier.authorize(await verifier.verify(one), 'files:read', { tool: 't' });
    await verifier.close();
    const told = issuer.decisions.map(({ act, earlier_actors, client_id, via }) => ({
      act,
      earlier_actors,
      client_id,
      via,
    }));
    expect(told).toEqual([
      {
        act: 'cli_files',
        earlier_actors: ['agt_checker', 'agt_scout'],
        client_id: 'cli_files',
        via: ['cli_host', 'agt_scout'],
      },
      { act: 'agt_scout', earlier_actors: undefined, client_id: 'cli_host', via: undefined },
    ]);
  });

  it('sends nothing about decisions that concern no tool, and the rest on close', async () => {
    const { verifier, sent, decide } = await createWorld();
    await decide(3);
    await verifier.close();
    expect(sent.map(({ count }) => count)).toEqual([3]);
  });

  it('never breaks a request, tries again, and gives up what cannot be delivered, counted', async () => {
    const { verifier, events, sent, decide } = await createWorld(
      () => new Response(null, { status: 500 }),
    );
    await decide(2);
    await eventually(() => expect(sent.length).toBeGreaterThanOrEqual(2));
    await verifier.close();
    expect(events.filter(({ type }) => type === 'reports_dropped')).toEqual([
      expect.objectContaining({ count: 2, why: 'undeliverable' }),
    ]);
  });

  it('gives up at once what the broker refuses: the next batch is not held up by it', async () => {
    const { verifier, events, sent, decide } = await createWorld(
      () => new Response(null, { status: 400 }),
    );
    await decide(100);
    await eventually(() => expect(events.at(-1)).toMatchObject({ type: 'reports_dropped' }));
    expect(sent).toHaveLength(1);
    await verifier.close();
  });

  it('waits for nothing with what a client is on its way to the broker about (RFC 6750 §3.1)', () => {
    vi.useFakeTimers({ toFake: ['setTimeout'] });
    const sent: string[][] = [];
    const reporter = createReporter({
      ...report,
      issuer: 'https://broker.example',
      onDropped: () => undefined,
      fetch: (_input, init) => {
        const { decisions } = JSON.parse(String(init?.body)) as { decisions: { tool: string }[] };
        sent.push(decisions.map(({ tool }) => tool));
        return new Promise(() => undefined);
      },
    });
    const decision = (tool: string, code?: string): ReportedDecision => ({
      at: 0,
      allowed: code === undefined,
      tool,
      jti: 'cns_A.gnt_B.t1',
      sub: 'usr_ana',
      act: null,
      client_id: 'cli_host',
      resource: 'https://files.example/mcp',
      required: [],
      missing_user: [],
      missing_agent: [],
      ...(code === undefined ? {} : { code }),
    });
    reporter.add(decision('read'));
    reporter.add(decision('delete', 'actor_unauthorized'));
    expect(sent).toEqual([]);
    reporter.add(decision('write', 'insufficient_scope'));
    expect(sent).toEqual([['read', 'delete', 'write']]);
    vi.useRealTimers();
  });

  it('drops the oldest when the queue is full, counted', async () => {
    const { verifier, events, decide } = await createWorld(() => Response.error());
    await decide(10_050);
    await verifier.close();
    const dropped = events.filter((event) => event.type === 'reports_dropped');
    expect(dropped.filter(({ why }) => why === 'queue_full')).toHaveLength(50);
    expect(dropped.reduce((sum, { count }) => sum + count, 0)).toBe(10_050);
  });
});
