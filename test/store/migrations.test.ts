// Starting at the same time: several processes on one PostgreSQL migrate it once, and several on one
// data directory open it once (G23). Real processes throughout.
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, inject, it } from 'vitest';
import { lockDirectory } from '../../src/broker/db/directory-lock.js';
import { MIGRATIONS_FOLDER } from '../../src/broker/db/migrations.js';
import { migratePostgres } from '../../src/broker/db/postgres.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { connect } from '../support/postgres-server.js';
import { type Child, startChild } from './support/child.js';

const journal = JSON.parse(
  readFileSync(join(MIGRATIONS_FOLDER, 'meta', '_journal.json'), 'utf8'),
) as {
  entries: readonly unknown[];
};

describe('migrations of one PostgreSQL by several processes', () => {
  let database: TestDatabase;
  beforeEach(async () => {
    database = await createTestDatabase({ template: null });
  });
  afterEach(() => database.drop());

  const migrateTogether = async (schemas: readonly (string | undefined)[]) => {
    const children = schemas.map((searchPath) =>
      startChild(import.meta.url, './support/migrate-process.ts', {
        url: database.url,
        searchPath,
      }),
    );
    await Promise.all(children.map((child) => child.next()));
    for (const child of children) child.send({ go: true });
    return Promise.all(children.map((child) => child.next()));
  };
  const applied = async (schema: string) => {
    const sql = connect(database.url);
    try {
      const rows = await sql.unsafe(`select hash from ${schema}.behalf_migrations`);
      const epochs = await sql.unsafe(`select epoch::int from ${schema}.policy_epoch`);
      return {
        migrations: rows.length,
        distinct: new Set(rows.map(({ hash }) => hash)).size,
        epochs: [...epochs],
      };
    } finally {
      await sql.end();
    }
  };
  const once = {
    migrations: journal.entries.length,
    distinct: journal.entries.length,
    epochs: [{ epoch: 1 }],
  };

  it('succeeds in both, and applies each migration once', async () => {
    expect(await migrateTogether([undefined, undefined])).toEqual([
      { migrated: true },
      { migrated: true },
    ]);
    expect(await applied('public')).toEqual(once);
  });

  it('does nothing the second time', async () => {
    await migratePostgres({ url: database.url });
    await migratePostgres({ url: database.url });
    expect(await applied('public')).toEqual(once);
  });

  it('keeps tenants apart: a schema each, migrated at the same time (DESIGN §10)', async () => {
    expect(await migrateTogether(['tenant_a', 'tenant_b'])).toEqual([
      { migrated: true },
      { migrated: true },
    ]);
    expect(await applied('tenant_a')).toEqual(once);
    expect(await applied('tenant_b')).toEqual(once);
    await expect(applied('public')).rejects.toThrow('does not exist');
  });
});

describe('G23 the lock of a data directory', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(inject('scratchDir'), 'data-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  const lockFile = (holder: object) =>
    writeFileSync(join(directory, 'behalf.lock.1'), JSON.stringify(holder));
  const startedAt = (pid: number) => {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  };
  /** A process id that nobody has: above the greatest there may be. */
  const NOBODY = 4_194_400;
  const expectTaken = async () => {
    const lock = await lockDirectory(directory);
    await expect(lockDirectory(directory)).rejects.toThrow(`in use by process ${process.pid}`);
    await lock.release();
  };

  it('refuses a second opening, also in the same process, and gives way when released', async () => {
    await expectTaken();
    await expectTaken();
  });

  it('respects a lock whose holder lives', async () => {
    lockFile({ pid: process.ppid, startedAt: startedAt(process.ppid) });
    await expect(lockDirectory(directory)).rejects.toThrow(`in use by process ${process.ppid}`);
  });

  it.each([
    ['of a process that is gone', () => ({ pid: NOBODY, startedAt: '1' })],
    ['of an earlier process with this very id', () => ({ pid: process.pid, startedAt: '1' })],
    [
      'of an earlier process with the id of another program',
      () => ({ pid: process.ppid, startedAt: '1' }),
    ],
    ['that is no lock at all', () => ({})],
  ])('recovers a lock %s', async (_name, holder) => {
    lockFile(holder());
    await expectTaken();
  });

  it('recovers a lock that was cut off while it was written', async () => {
    writeFileSync(join(directory, 'behalf.lock.1'), '{"pid":');
    await expectTaken();
  });

  describe('between processes', () => {
    const CHILDREN = 4;
    let children: Child[];
    beforeEach(async () => {
      children = Array.from({ length: CHILDREN }, () =>
        startChild(import.meta.url, './support/lock-process.ts', { directory }),
      );
      await Promise.all(children.map((child) => child.next()));
    });
    afterEach(() => {
      for (const child of children) child.kill();
    });
    const takeTogether = async () => {
      for (const child of children) child.send({ take: true });
      return Promise.all(children.map((child) => child.next<{ taken?: true; refused?: string }>()));
    };
    const releaseAll = async () => {
      for (const child of children) child.send({ release: true });
      await Promise.all(children.map((child) => child.next()));
    };

    it('gives it to exactly one of those that start at the same time, and the others name the one', async () => {
      for (let round = 0; round < 100; round += 1) {
        // Every other time a killed process has left its lock: then they also race to recover it.
        if (round % 2 === 1) {
          rmSync(directory, { recursive: true });
          mkdirSync(directory);
          lockFile({ pid: NOBODY, startedAt: '1' });
        }
        const outcomes = await takeTogether();
        const winners = children.filter((_, n) => outcomes[n]?.taken === true);
        expect(winners).toHaveLength(1);
        for (const { refused } of outcomes) {
          if (refused !== undefined)
            expect(refused).toContain(`in use by process ${winners[0]?.pid}:`);
        }
        await releaseAll();
      }
    });

    it('never lets two in, however fast it is taken and given back', async () => {
      for (const child of children) child.send({ hammerTimes: 40 });
      const outcomes = await Promise.all(
        children.map((child) => child.next<{ taken: number; met: number }>()),
      );
      expect(outcomes).toEqual(Array(CHILDREN).fill({ taken: 40, met: 0 }));
    });
  });

  describe('on an embedded database', () => {
    const open = (line: string) =>
      startChild(import.meta.url, './support/pglite-process.ts', { directory, line });

    it('refuses a second process with a sentence that names the first, and recovers when that one is killed', {
      timeout: 60_000,
    }, async () => {
      const first = open('first');
      expect(await first.next()).toEqual({ lines: ['first'] });
      const second = open('second');
      expect(await second.next()).toEqual({
        refused: `${directory} is in use by process ${first.pid}: only one process may open an embedded database. Stop it, or use DATABASE_URL.`,
      });
      second.kill();
      first.kill('SIGKILL');
      expect(await first.ended).toBe('SIGKILL');
      const third = open('third');
      // What was acknowledged before the kill is there; what was refused is not.
      expect(await third.next()).toEqual({ lines: ['first', 'third'] });
      third.kill();
      await third.ended;
    });
  });
});
