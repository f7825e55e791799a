// X22, RV8: no token slips past a pause or a block, and none from before comes back with a resume,
// on real PostgreSQL from two connections.
import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createAdminServices } from '../../src/broker/admin/services.js';
import { openPostgres } from '../../src/broker/db/postgres.js';
import { GATE_LOCK } from '../../src/broker/limits.js';
import { createGate } from '../../src/broker/tokens/gate.js';
import { type OpenedDatabase, openTestPostgres } from '../support/databases.js';

const TRIALS = 30;
let opened: OpenedDatabase;
beforeAll(async () => {
  opened = await openTestPostgres();
});
afterAll(() => opened.close());

/** The rule every reader of facts applies (DESIGN §6), asked of the table. */
const isDead = async (agent: string, iat: number): Promise<boolean> => {
  const [row] = await opened.db.run<{ dead: boolean }>(
    `select exists (select 1 from revocations where key = $1
       and (always or floor(extract(epoch from revoked_at)) >= $2::bigint)) as dead`,
    [agent, iat],
  );
  return row?.dead === true;
};

describe.each([
  'paused',
  'blocked',
] as const)('an agent that is %s while tokens are issued', (status) => {
  it(`has no live token afterwards, nor after it is active again, in ${TRIALS} trials`, async () => {
    const other = await openPostgres({ url: opened.url as string });
    const gates = [createGate(opened.db), createGate(other)];
    const { agents } = createAdminServices(other, 'https://id.example').registry;
    const epoch = async () =>
      Number((await opened.db.run<{ epoch: string }>('select epoch from policy_epoch'))[0]?.epoch);
    const issueAll = async (agent: string, name: string) => {
      const now = await epoch();
      return Promise.all(
        gates.map((gate, n) =>
          gate.issue({
            epoch: now,
            checks: [{ key: agent }],
            ttlSeconds: 300,
            jti: `crd_${agent}.${name}${n}`,
            sub: agent,
            clientId: agent,
            detail: {},
          }),
        ),
      );
    };
    let issued = 0;
    let alive = 0;
    for (let trial = 0; trial < TRIALS; trial += 1) {
      const agent = `agt_${status}_${trial}`;
      await agents.create('admin', { id: agent, name: 'A', owner: 'O' });
      const racing = issueAll(agent, 'race');
      const stop = agents.setStatus('admin', agent, { status, reason: 'race' });
      const [outcomes] = await Promise.all([racing, stop]);
      const iats = outcomes.flatMap((one) => (one.outcome === 'issued' ? [one.iat] : []));
      issued += iats.length;
      const late = await issueAll(agent, 'late');
      expect(late).toEqual(Array(2).fill({ outcome: 'refused', stoppedBy: agent }));
      for (const iat of iats) if (!(await isDead(agent, iat))) alive += 1;
      await agents.setStatus('admin', agent, { status: 'active' });
      for (const iat of iats) if (!(await isDead(agent, iat))) alive += 1;
    }
    await other.close();
    expect(alive).toBe(0);
    expect(issued).toBeGreaterThan(0);
  });
});

it('an agent that is resumed: a token issued while the pause waited for the gate stays dead', async () => {
  const other = await openPostgres({ url: opened.url as string });
  const { agents } = createAdminServices(other, 'https://id.example').registry;
  const agent = 'agt_waiting';
  await agents.create('admin', { id: agent, name: 'A', owner: 'O' });
  let pausing: Promise<unknown> = Promise.resolve();
  const iat = await opened.db.transaction(async (tx) => {
    await tx.execute(
      sql`select pg_advisory_xact_lock_shared(${GATE_LOCK}, hashtext(current_schema()))`,
    );
    pausing = agents.setStatus('admin', agent, { status: 'paused', reason: 'waits' });
    await expect
      .poll(() => opened.db.run("select 1 from pg_stat_activity where wait_event = 'advisory'"))
      .toHaveLength(1);
    // The row says when it was paused; the token is of a later second.
    const batch = { n: 0, checks: [], ttl_seconds: 300, jti: 'crd_w.t', sub: agent, detail: {} };
    const [row] = (await tx.execute(sql`select b.issued_at from pg_sleep(1.1), policy_epoch e,
      behalf_issue(jsonb_build_array(${JSON.stringify(batch)}::text::jsonb
        || jsonb_build_object('epoch', e.epoch, 'client_id', ${agent}::text))) b`)) as unknown as [
      { issued_at: string },
    ];
    return Number(row.issued_at);
  });
  await pausing;
  const before = await opened.db.run('select 1 from audit_events where jti = $1', ['crd_w.t']);
  expect([before.length, await isDead(agent, iat)]).toEqual([1, true]);
  await agents.setStatus('admin', agent, { status: 'active' });
  expect(await isDead(agent, iat)).toBe(true);
  await other.close();
});

describe('a permission that is taken away while tokens are issued', () => {
  it(`leaves none alive that carries it, and lets none out afterwards, in ${TRIALS} trials`, async () => {
    const other = await openPostgres({ url: opened.url as string });
    const gates = [createGate(opened.db), createGate(other)];
    const { agents, permissions, resources } = createAdminServices(
      other,
      'https://id.example',
    ).registry;
    const resource = 'https://raced.example/mcp';
    const read = {
      title: 'Read',
      risk: 'read' as const,
      restricted: false,
      implies: [],
      base: false,
    };
    await resources.create('admin', {
      identifier: resource,
      name: 'R',
      scopes: { 'r:read': read },
    });
    const epoch = async () =>
      Number((await opened.db.run<{ epoch: string }>('select epoch from policy_epoch'))[0]?.epoch);
    let issued = 0;
    let alive = 0;
    for (let trial = 0; trial < TRIALS; trial += 1) {
      const agent = `agt_permitted_${trial}`;
      await agents.create('admin', { id: agent, name: 'A', owner: 'O' });
      await permissions.set('admin', { principal: agent, resource, scopes: ['r:read'] });
      const decidedAt = await epoch();
      const issue = (gate: (typeof gates)[number], name: string) =>
        gate.issue({
          epoch: decidedAt,
          checks: [{ key: agent }],
          ttlSeconds: 300,
          jti: `crd_${agent}.${name}`,
          sub: agent,
          agentId: agent,
          clientId: agent,
          resource,
          detail: { scope: 'r:read' },
        });
      const racing = gates.map((gate, n) => issue(gate, `race${n}`));
      const [outcomes] = await Promise.all([
        Promise.all(racing),
        permissions.remove('admin', agent, resource),
      ]);
      for (const [n, { outcome }] of outcomes.entries()) {
        if (outcome !== 'issued') continue;
        issued += 1;
        const facts = await opened.db.run('select 1 from revocations where key = $1 and always', [
          `crd_${agent}.race${n}`,
        ]);
        if (facts.length === 0) alive += 1;
      }
      const late = await issue(gates[0] as (typeof gates)[number], 'late');
      expect(late).toEqual({ outcome: 'stale' });
    }
    await other.close();
    expect(alive).toBe(0);
    expect(issued).toBeGreaterThan(0);
  });
});
