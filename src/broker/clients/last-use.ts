/**
 * When each credential last proved somebody, and each client that registered itself was last used: noted in memory while requests are served, written in
 * one statement a minute, off their path. Never part of the policy epoch: no decision rests on it. A
 * crash forgets at most the last minute.
 */
import type { Context, Middleware, Next } from 'koa';
import type { Database } from '../db/database.js';
import { requestState } from '../http/request.js';

const EVERY_MS = 60_000;
/** More than this in a minute: the rest are noted the next time. */
const NOTES_MAX = 50_000;

export interface LastUse {
  /** It was used just now. */
  note(id: string): void;
  /** Writes what was noted, and stops the clock. */
  close(): Promise<void>;
}

/** Two processes that note the same credential: the later time stays. */
const WRITE = `
update credentials c set last_used_at = u.at
from (select n.key as id, to_timestamp(n.value::float8 / 1000) as at
      from jsonb_each_text($1::text::jsonb) as n) as u
where c.id = u.id and (c.last_used_at is null or c.last_used_at < u.at)`;

export function createLastUse(deps: {
  readonly db: Database;
  /** The statement that writes them: `$1` is a JSON object of ids and milliseconds. */
  readonly write?: string;
  /** Milliseconds. */
  readonly now: () => number;
  readonly warn: (error: unknown) => void;
}): LastUse {
  let noted = new Map<string, number>();
  const flush = async (): Promise<void> => {
    if (noted.size === 0) return;
    const writing = noted;
    noted = new Map();
    await deps.db
      .run(deps.write ?? WRITE, [JSON.stringify(Object.fromEntries(writing))])
      .catch((error: unknown) => deps.warn(error));
  };
  const timer = setInterval(flush, EVERY_MS);
  timer.unref();
  return {
    note: (id) => {
      if (noted.size < NOTES_MAX || noted.has(id)) noted.set(id, deps.now());
    },
    close: async () => {
      clearInterval(timer);
      await flush();
    },
  };
}

/** Notes the credential that a request was authenticated with, whichever endpoint looked at it. */
export const notingUse = (lastUse: LastUse): Middleware =>
  async function notedUse(ctx: Context, next: Next) {
    try {
      await next();
    } finally {
      const { credentialId } = requestState(ctx);
      if (credentialId !== undefined) lastUse.note(credentialId);
    }
  };
