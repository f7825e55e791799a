/**
 * `/livez`: the process answers. `/readyz`: it should be sent requests, because its database answers,
 * has the tables this version needs, and nobody has asked it to stop. Before everything else: not
 * logged, not limited, and cheap however often it is asked.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Context, Next } from 'koa';
import type { Database } from '../db/database.js';
import { MIGRATIONS_FOLDER } from '../db/migrations.js';

type Readiness = 'ready' | 'draining' | 'no database' | 'not migrated';

export interface Health {
  middleware(ctx: Context, next: Next): Promise<void>;
  /** From now on not ready, whatever the database says. */
  drain(): void;
}

/** One question to the database serves everybody who asks within this time. */
const KNOWN_MS = 1000;
/** A database that takes longer is not there. */
const ANSWER_MS = 2000;

const MIGRATED = 'select coalesce(max(created_at), 0) >= $1::bigint as yes from behalf_migrations';

export function createHealth(deps: { readonly db: Database; readonly now: () => number }): Health {
  const newest = newestMigration();
  let draining = false;
  let asked: { readonly atMs: number; readonly answer: Promise<Readiness> } | undefined;

  const readiness = (): Promise<Readiness> => {
    const atMs = deps.now();
    if (asked === undefined || atMs - asked.atMs >= KNOWN_MS) {
      asked = { atMs, answer: askDatabase(deps.db, newest) };
    }
    return asked.answer;
  };
  return {
    drain: () => {
      draining = true;
    },
    middleware: async (ctx, next) => {
      if (ctx.path !== '/livez' && ctx.path !== '/readyz') return next();
      ctx.set('Cache-Control', 'no-store');
      if (ctx.method !== 'GET' && ctx.method !== 'HEAD') {
        ctx.status = 405;
        ctx.set('Allow', 'GET, HEAD');
        return;
      }
      if (ctx.path === '/livez') {
        ctx.body = { status: 'alive' };
        return;
      }
      const status = draining ? 'draining' : await readiness();
      ctx.status = status === 'ready' ? 200 : 503;
      if (status !== 'ready') ctx.set('Retry-After', '1');
      ctx.body = { status };
    },
  };
}

async function askDatabase(db: Database, newest: Promise<number>): Promise<Readiness> {
  const late = new Promise<Readiness>((resolve) => {
    setTimeout(() => resolve('no database'), ANSWER_MS).unref();
  });
  const answer = newest
    .then((when) => db.run<{ yes: boolean }>(MIGRATED, [when]))
    .then(([row]): Readiness => (row?.yes === true ? 'ready' : 'not migrated'))
    .catch((): Readiness => 'no database');
  return Promise.race([answer, late]);
}

/** When the newest migration of this version was made: what the migrator writes into its table. */
async function newestMigration(): Promise<number> {
  const journal = await readFile(join(MIGRATIONS_FOLDER, 'meta', '_journal.json'), 'utf8');
  const { entries } = JSON.parse(journal) as { entries: { when: number }[] };
  return Math.max(...entries.map(({ when }) => when));
}
