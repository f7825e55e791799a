/**
 * `/livez`: the process answers. `/readyz`: it should be sent requests, because its database answers,
 * has the tables this version needs, and nobody has asked it to stop. Before everything else: not
 * logged, not limited, and cheap however often it is asked.
 */
import type { Context, Next } from 'koa';
import type { Database } from '../db/database.js';
import { isMigrated } from '../db/migrations.js';

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

export function createHealth(deps: { readonly db: Database; readonly now: () => number }): Health {
  let draining = false;
  let asked: { readonly atMs: number; readonly answer: Promise<Readiness> } | undefined;

  const readiness = (): Promise<Readiness> => {
    const atMs = deps.now();
    if (asked === undefined || atMs - asked.atMs >= KNOWN_MS) {
      asked = { atMs, answer: askDatabase(deps.db) };
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

async function askDatabase(db: Database): Promise<Readiness> {
  const late = new Promise<Readiness>((resolve) => {
    setTimeout(() => resolve('no database'), ANSWER_MS).unref();
  });
  const answer = isMigrated(db)
    .then((yes): Readiness => (yes ? 'ready' : 'not migrated'))
    .catch((): Readiness => 'no database');
  return Promise.race([answer, late]);
}
