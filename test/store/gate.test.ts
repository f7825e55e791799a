import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { record } from '../../src/broker/audit/store.js';
import type { Database } from '../../src/broker/db/database.js';
import { openPostgres } from '../../src/broker/db/postgres.js';
import { newTokenSegment } from '../../src/broker/ids.js';
import { narrowing, stoppingAtOnce, widening } from '../../src/broker/registry/change.js';
import { stopLive } from '../../src/broker/registry/live-tokens.js';
import { createGate, type WouldBeToken } from '../../src/broker/tokens/gate.js';
import { DATABASES, type OpenedDatabase, openTestPostgres } from '../support/databases.js';
import { narrow } from '../support/narrow.js';

const token = (jti: string, more: Partial<WouldBeToken> = {}): WouldBeToken => ({
  epoch: 1,
  checks: [{ key: jti.split('.')[0] as string }, { key: jti }, { key: 'usr_a' }],
  ttlSeconds: 300,
  jti,
  sub: 'usr_a',
  clientId: 'cli_a',
  detail: { scope: 'files:read' },
  ...more,
});

const events = async (db: Database) =>
  db.run<{ type: string; jti: string; detail: Record<string, unknown> }>(
    'select type, jti, detail from audit_events order by id',
  );

describe.each(DATABASES)('DESIGN §5 the issue gate on %s', (_name, open) => {
  let opened: OpenedDatabase;
  beforeAll(async () => {
    opened = await open();
  });
  afterAll(() => opened.close());

  it('records every token of a batch and stamps them with the database clock', async () => {
    const gate = createGate(opened.db);
    const before = opened.db.roundTrips();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) => gate.issue(token(`cns_a.gnt_a.t${n}`))),
    );
    expect(opened.db.roundTrips() - before).toBeLessThanOrEqual(2);
    for (const outcome of outcomes) {
      expect(outcome).toEqual({
        outcome: 'issued',
        iat: expect.any(Number),
        exp: expect.any(Number),
      });
      if (outcome.outcome === 'issued') expect(outcome.exp - outcome.iat).toBe(300);
    }
    const recorded = await events(opened.db);
    expect(recorded).toHaveLength(20);
    expect(recorded[0]).toMatchObject({ type: 'token.issued', detail: { scope: 'files:read' } });
  });

  it('never lets a token outlive its grant', async () => {
    const gate = createGate(opened.db);
    const expMax = Math.floor(Date.now() / 1000) + 10;
    expect(await gate.issue(token('cns_a.gnt_a.short', { expMax }))).toMatchObject({ exp: expMax });
  });

  it('asks for a new decision when the policy epoch has moved, and records nothing', async () => {
    const gate = createGate(opened.db);
    const before = (await events(opened.db)).length;
    expect(await gate.issue(token('cns_a.gnt_a.old', { epoch: 0 }))).toEqual({ outcome: 'stale' });
    expect(await events(opened.db)).toHaveLength(before);
  });

  it('refuses, and records the refusal, once anything in the lineage is stopped', async () => {
    const gate = createGate(opened.db);
    await narrow(opened.db, async () => ({
      stops: [{ key: 'cns_b', always: true, reason: 'withdrawn', by: 'usr_a' }],
      result: undefined,
    }));
    const stopped = await gate.issue(token('cns_b.gnt_b.t1', { epoch: 2 }));
    expect(stopped).toEqual({ outcome: 'refused', stoppedBy: 'cns_b' });
    expect((await events(opened.db)).at(-1)).toEqual({
      type: 'token.refused',
      jti: 'cns_b.gnt_b.t1',
      detail: { scope: 'files:read', rule: 'stopped', stopped_by: 'cns_b' },
    });
    // The nearest neighbour is not stopped.
    expect(await gate.issue(token('cns_bb.gnt_b.t1', { epoch: 2 }))).toMatchObject({
      outcome: 'issued',
    });
  });

  it('lets the others through when one row spoils a batch', async () => {
    const gate = createGate(opened.db);
    const results = await Promise.allSettled([
      gate.issue(token('cns_c.gnt_c.same', { epoch: 2 })),
      gate.issue(token('cns_c.gnt_c.same', { epoch: 2 })),
      gate.issue(token('cns_c.gnt_c.other', { epoch: 2 })),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });
});

describe('DESIGN §5 no token slips past a stop (X22, RV8) on PostgreSQL', () => {
  const TRIALS = 200;
  let opened: OpenedDatabase;
  beforeAll(async () => {
    opened = await openTestPostgres();
  });
  afterAll(() => opened.close());

  type StopNow = (db: Database, key: string) => Promise<unknown>;
  it.each<[string, StopNow]>([
    [
      'a short stop, which closes the gate first',
      (db, key) =>
        narrow(db, async (tx) => {
          // A statement before the fact, so that the two transactions truly overlap.
          await record(tx, { type: 'consent.ended', by: 'usr_a' });
          return { stops: [{ key, always: true, reason: 'test', by: 'usr_a' }], result: undefined };
        }),
    ],
    [
      'a change of the registry, which closes it last',
      (db, key) =>
        narrowing(db, 'usr_a', async (change) => {
          await change.record({ type: 'registry.changed' });
          change.stop({ key, always: true, reason: 'test' });
        }),
    ],
    [
      'a stop beside a long change, with its receipt',
      (db, key) =>
        stoppingAtOnce(db, 'usr_a', async (change) => {
          await change.record({ type: 'registry.changed' });
          const ends = { kind: 'consents', ids: [key] } as const;
          change.stop({ key, always: true, reason: 'test', ends });
        }),
    ],
  ])('issues nothing that is not dead after %s was acknowledged, in 200 trials', async (_how, stopNow) => {
    await opened.db.run('delete from revocations');
    const other = await openPostgres({ url: opened.url as string });
    const gates = [createGate(opened.db), createGate(other)];
    let missed = 0;
    let issuedBefore = 0;
    for (let trial = 0; trial < TRIALS; trial += 1) {
      const key = `cns_${trial}`;
      const epoch = await currentEpoch(opened.db);
      const stop = stopNow(other, key);
      const racing = { over: false };
      const issues = gates.map(async (gate) => {
        const issued: string[] = [];
        // One after the other, so that some meet every moment of the stop.
        do {
          const jti = `${key}.gnt_x.${newTokenSegment()}`;
          if ((await gate.issue(token(jti, { epoch }))).outcome === 'issued') issued.push(jti);
        } while (!racing.over);
        return issued;
      });
      await stop;
      racing.over = true;
      const issued = (await Promise.all(issues)).flat();
      issuedBefore += issued.length;
      // Issued before the stop: then the fact, which a verifier reads, stops it.
      const slipped = await opened.db.run(
        `select e.jti from audit_events e, revocations f
         where f.key = $1 and e.jti = any($2::text[]) and e.at > f.revoked_at`,
        [key, issued],
      );
      missed += slipped.length;
      // After the acknowledgement nothing is issued at all.
      const late = await gates[0]?.issue(
        token(`${key}.gnt_x.${newTokenSegment()}`, { epoch: await currentEpoch(opened.db) }),
      );
      expect(late).toEqual({ outcome: 'refused', stoppedBy: key });
    }
    await other.close();
    expect(missed).toBe(0);
    expect(issuedBefore).toBeGreaterThan(0);
  });

  it('a change that looks for live tokens finds every one that was issued before it, in 100 trials', async () => {
    const other = await openPostgres({ url: opened.url as string });
    const gate = createGate(opened.db);
    let stopped = 0;
    for (let trial = 0; trial < 100; trial += 1) {
      const sub = `usr_race${trial}`;
      const epoch = await currentEpoch(opened.db);
      const racing = { over: false };
      const issues = (async () => {
        const issued: string[] = [];
        do {
          const jti = `cns_${sub}.gnt_x.${newTokenSegment()}`;
          if ((await gate.issue(token(jti, { epoch, sub }))).outcome === 'issued') issued.push(jti);
        } while (!racing.over);
        return issued;
      })();
      await narrowing(other, 'admin', async (change) => {
        stopLive(change, { sub }, 'test');
        await change.record({ type: 'registry.changed' });
      });
      racing.over = true;
      const issued = await issues;
      const facts = await opened.db.run<{ key: string }>(
        'select key from revocations where key = any($1::text[])',
        [issued],
      );
      expect(facts.map(({ key }) => key).sort()).toEqual(issued.sort());
      stopped += issued.length;
    }
    await other.close();
    expect(stopped).toBeGreaterThan(0);
  });

  it('a long change holds up no token and no end of a consent; what was decided before it is stale after', async () => {
    const gate = createGate(opened.db);
    const other = await openPostgres({ url: opened.url as string });
    const epoch = await currentEpoch(opened.db);
    const steps = await narrowing(other, 'admin', async (change) => {
      await change.record({ type: 'registry.changed' });
      change.stop({ key: 'agt_long', always: true, reason: 'test' });
      // All of this on other connections, while the change is open.
      const before = await gate.issue(token('cns_long.gnt_x.t1', { epoch }));
      await narrow(opened.db, async () => ({
        stops: [{ key: 'cns_short', always: true, reason: 'test', by: 'usr_a' }],
        result: undefined,
      }));
      const now = await currentEpoch(opened.db);
      const stopped = await gate.issue(token('cns_short.gnt_x.t1', { epoch: now }));
      return { before, stopped, now };
    });
    await other.close();
    expect(steps).toEqual({
      before: { outcome: 'issued', iat: expect.any(Number), exp: expect.any(Number) },
      stopped: { outcome: 'refused', stoppedBy: 'cns_short' },
      now: epoch + 1,
    });
    expect(await gate.issue(token('cns_long.gnt_x.t2', { epoch: steps.now }))).toEqual({
      outcome: 'stale',
    });
    const late = { epoch: steps.now + 1, checks: [{ key: 'agt_long' }] };
    expect(await gate.issue(token('cns_long.gnt_x.t3', late))).toEqual({
      outcome: 'refused',
      stoppedBy: 'agt_long',
    });
  });

  it('changes of the registry wait for each other, also those that only add', async () => {
    const other = await openPostgres({ url: opened.url as string });
    const order: string[] = [];
    let second: Promise<void> | undefined;
    await narrowing(opened.db, 'admin', async (change) => {
      second = widening(other, 'admin', async () => void order.push('second'));
      for (let n = 0; n < 20; n += 1) await change.record({ type: 'registry.changed' });
      order.push('first');
    });
    await second;
    await other.close();
    expect(order).toEqual(['first', 'second']);
  });

  it('would slip past without the lock: INSERT … WHERE NOT EXISTS under READ COMMITTED does', async () => {
    const naive = `insert into audit_events (type, jti, chain, seq)
      select 'token.issued', $1::text, 0, (random() * 1e9)::bigint
      where not exists (select 1 from revocations where key = $2::text) returning id`;
    const slipped = await opened.db.transaction(async (tx) => {
      await tx.execute(sql`insert into revocations (key, revoked_at, always, until, reason, by)
        values ('naive', clock_timestamp(), true, clock_timestamp() + interval '1 hour', 'test', 'test')`);
      // The fact is written but not committed: the other connection does not see it.
      return opened.db.run(naive, ['naive.t1', 'naive']);
    });
    expect(slipped).toHaveLength(1);
    expect(await opened.db.run(naive, ['naive.t2', 'naive'])).toHaveLength(0);
  });
});

async function currentEpoch(db: Database): Promise<number> {
  const [row] = await db.run<{ epoch: string }>('select epoch from policy_epoch');
  return Number(row?.epoch);
}
