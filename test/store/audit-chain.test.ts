// DESIGN issue of trust: an audit that cannot lie (threats M9). Random tamperings of every kind, done
// behind the broker's back in SQL, are all found; what the broker writes itself never is.
import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeCheckpoint } from '../../src/broker/audit/checkpoints.js';
import { record } from '../../src/broker/audit/store.js';
import { type AuditReport, verifyAudit } from '../../src/broker/audit/verify.js';
import type { SigningKey } from '../../src/broker/keys/store.js';
import { createGate } from '../../src/broker/tokens/gate.js';
import { DATABASES, type OpenedDatabase } from '../support/databases.js';

const ISSUER = 'https://broker.example';
const KEY = newKey('kid-of-ours');

describe.each(DATABASES)('M9 the audit on %s', (_name, open) => {
  let opened: OpenedDatabase;
  beforeAll(async () => {
    opened = await open();
  });
  afterAll(() => opened.close());

  const verify = (kept: readonly string[] = []): Promise<AuditReport> =>
    verifyAudit(opened.db, { issuer: ISSUER, keys: [KEY], kept });
  const checkpoint = (key = KEY) =>
    makeCheckpoint(opened.db, { issuer: ISSUER, key, nowMs: Date.now() });

  it('finds nothing in what the broker wrote, from many writers at once', async () => {
    await write(opened, 40);
    const signed = await checkpoint();
    await write(opened, 40);
    const report = await verify([signed ?? '']);
    expect(report).toEqual({
      events: report.events,
      chains: report.chains,
      checkpoints: 1,
      findings: [],
    });
    expect(report.events).toBeGreaterThanOrEqual(160);
    expect(await checkpoint()).toBeDefined();
    // Nothing new, nothing signed.
    expect(await checkpoint()).toBeUndefined();
  });

  it('finds every random tampering: edits, deletions, insertions, swaps, cuts', async () => {
    await write(opened, 30);
    await checkpoint();
    await write(opened, 10);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(), { minLength: 19, maxLength: 19 }), async (luck) => {
        for (const [n, [what, tamper]] of TAMPERINGS.entries()) {
          const found = await taken(opened, () => tamper(opened, luck[n] ?? 0), verify);
          expect(found.length, what).toBeGreaterThan(0);
        }
      }),
      { numRuns: 6 },
    );
    expect((await verify()).findings).toEqual([]);
  });

  it('shows with a checkpoint kept outside that everything was rolled back together', async () => {
    const before = await snapshotOf(opened);
    await write(opened, 5);
    const kept = (await checkpoint()) ?? '';
    const findings = await taken(
      opened,
      () => rollBackTo(opened, before),
      () => verify([kept]),
    );
    expect(findings.map(({ kind }) => kind)).toEqual(
      expect.arrayContaining(['checkpoint', 'truncated']),
    );
    const without = await taken(
      opened,
      () => rollBackTo(opened, before),
      () => verify(),
    );
    // Said plainly in ARCHITECTURE (the audit's chains): what nobody outside remembers can be undone whole.
    expect(without).toEqual([]);
  });

  it('takes no checkpoint by a key that is not ours', async () => {
    await write(opened, 1);
    const findings = await taken(opened, () => checkpoint(newKey('kid-of-a-stranger')), verify);
    expect(findings).toEqual([{ kind: 'checkpoint', says: expect.stringMatching(/is not ours$/) }]);
  });
});

function newKey(kid: string): SigningKey {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { kid, alg: 'ES256', state: 'active', publicKey, privateKey };
}
/** Events by single writers, by transactions of several, and by the issue gate in batches. */
async function write({ db }: OpenedDatabase, count: number): Promise<void> {
  const gate = createGate(db);
  const [row] = await db.run<{ epoch: string }>('select epoch from policy_epoch');
  const token = (n: number) => ({
    epoch: Number(row?.epoch),
    checks: [{ key: 'agt_a' }],
    ttlSeconds: 300,
    jti: `crd_a.${Math.random().toString(36).slice(2)}${n}`,
    sub: 'agt_a',
    clientId: 'agt_a',
    detail: { scope: `say "ü" \\ ${n}\u2028\t`, number: 1.5e21 },
  });
  await Promise.all(
    Array.from({ length: count }, async (_, n) => {
      await gate.issue(token(n));
      if (n % 3 === 0) await record(db.orm, { type: 'sign_in.failed', detail: { n } });
      else {
        await db.transaction(async (tx) => {
          await record(tx, { type: 'consent.granted', sub: 'usr_a' }, { type: 'grant.created' });
          await record(tx, { type: 'consent.ended', detail: { reason: 'r\u0001\u001f' } });
        });
      }
    }),
  );
}

type Tamper = (opened: OpenedDatabase, luck: number) => Promise<unknown>;
const one =
  (set: string): Tamper =>
  async ({ db }, luck) =>
    db.run(
      `update audit_events set ${set} where id = (select id from audit_events order by id offset $1::int % (select count(*)::int from audit_events) limit 1)`,
      [luck % 1_000_000],
    );

const TAMPERINGS: ReadonlyArray<readonly [string, Tamper]> = [
  ['another time', one(`at = at + interval '1 second'`)],
  ['another author', one(`by = coalesce(by, '') || 'x'`)],
  ['another user', one(`sub = 'usr_mallory'`)],
  ['no resource any more', one(`resource = 'https://elsewhere.example'`)],
  ['another detail', one(`detail = detail || '{"scope":"everything"}'`)],
  ['another type', one(`type = 'tool.allowed'`)],
  ['another id', one(`id = id + 1000000`)],
  ['another place', one(`seq = seq + 1000000`)],
  ['another link', one(`hash = 'ab'`)],
  [
    'one deleted',
    async ({ db }, luck) =>
      db.run(
        'delete from audit_events where id = (select id from audit_events order by id offset $1::int % (select count(*)::int from audit_events) limit 1)',
        [luck % 1_000_000],
      ),
  ],
  [
    'two swapped',
    async ({ db }) =>
      db.run(
        `update audit_events e set sub = o.type, type = o.type, detail = o.detail from audit_events o
         where e.chain = 1 and o.chain = 1 and e.seq in (1, 2) and o.seq = 3 - e.seq`,
      ),
  ],
  [
    'one added in the middle',
    async ({ db }) =>
      db.run(
        `insert into audit_events (type, chain, seq) select 'tool.allowed', 77, 1 from audit_chains limit 1`,
      ),
  ],
  [
    'one added at the end',
    async ({ db }) =>
      db.run(
        `insert into audit_events (type, chain, seq, hash) select 'tool.allowed', id, seq + 1, 'ff' from audit_chains where id = 1`,
      ),
  ],
  [
    'the end cut off',
    async ({ db }, luck) =>
      db.run(
        `delete from audit_events e using audit_chains c where c.id = 1 and e.chain = 1 and e.seq > c.seq - 1 - $1::int % 5`,
        [luck % 1_000_000],
      ),
  ],
  [
    'the end cut off, and the head moved back to the first link',
    async ({ db }) => {
      await db.run(
        `delete from audit_events where chain = 1 and seq > (select min(seq) from audit_events where chain = 1 and hash is not null)`,
      );
      await db.run(
        `update audit_chains c set seq = e.seq, head = e.hash from audit_events e where c.id = 1 and e.chain = 1 and e.seq = (select max(seq) from audit_events where chain = 1)`,
      );
    },
  ],
  [
    'a whole chain gone',
    async ({ db }) => {
      await db.run('delete from audit_events where chain = 1');
      await db.run('delete from audit_chains where id = 1');
    },
  ],
  [
    'an event changed and its chain written anew from there',
    async ({ db }) => {
      await db.run(`update audit_events set sub = 'usr_mallory' where chain = 1 and seq = 1`);
      await rewriteChain(db, 1);
    },
  ],
  ['a checkpoint deleted', async ({ db }) => db.run('delete from audit_checkpoints where n = 1')],
  [
    'a checkpoint changed',
    async ({ db }) => db.run(`update audit_checkpoints set jws = jws || 'A' where n = 1`),
  ],
];

/** What a forger with the tables, but without the keys, would do. */
async function rewriteChain(db: OpenedDatabase['db'], chain: number): Promise<void> {
  const links = await db.run<{ seq: string }>(
    'select seq from audit_events where chain = $1 and hash is not null order by seq',
    [chain],
  );
  let before = '0';
  for (const { seq } of links) {
    await db.run(
      `update audit_events t set hash = (
         select behalf_link(coalesce((select hash from audit_events where chain = $1 and seq = $2), ''),
           string_agg(behalf_content(id, at, type, by, jti, sub, agent_id, client_id, resource, grant_id,
             request_id, detail), '' order by seq))
         from audit_events where chain = $1 and seq > $2 and seq <= $3)
       where chain = $1 and seq = $3`,
      [chain, before, seq],
    );
    before = seq;
  }
  await db.run(
    `update audit_chains c set head = e.hash from audit_events e where c.id = $1 and e.chain = $1 and e.seq = c.seq`,
    [chain],
  );
}

/** Does it, looks, and takes it back. */
async function taken(
  opened: OpenedDatabase,
  tamper: () => Promise<unknown>,
  look: () => Promise<AuditReport>,
): Promise<AuditReport['findings']> {
  const before = await snapshotOf(opened);
  await tamper();
  const { findings } = await look();
  await rollBackTo(opened, before);
  return findings;
}

const TABLES = ['audit_events', 'audit_chains', 'audit_checkpoints'] as const;
type Snapshot = Readonly<Record<string, string>>;

async function snapshotOf({ db }: OpenedDatabase): Promise<Snapshot> {
  const entries = TABLES.map(async (table) => {
    const [row] = await db.run<{ all: string }>(
      `select coalesce(json_agg(t), '[]')::text as all from ${table} t`,
    );
    return [table, row?.all ?? '[]'] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

async function rollBackTo({ db }: OpenedDatabase, snapshot: Snapshot): Promise<void> {
  for (const table of TABLES) {
    await db.run(`delete from ${table}`);
    await db.run(
      `insert into ${table} select * from json_populate_recordset(null::${table}, $1::text::json)`,
      [snapshot[table]],
    );
  }
}
