/**
 * The revocation feed (DESIGN §6): a snapshot, and a stream of server-sent events. Ids are assigned
 * under the gate's exclusive lock, so their order is the order of commits and none is skipped. The
 * heartbeat is the cursor of a successful read of the table: a replica cut off from its database
 * goes silent, and its followers notice.
 */
import { createHash } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { FEED_KEY_HEX_CHARS, feedKeyInput } from '../../protocol/index.js';
import { type Database, NOTICE_CHANNEL } from '../db/database.js';
import { type FactRow, factsAfter, lastFactId } from './store.js';

export interface Feed {
  /** Every fact alive, and the cursor to follow from. */
  snapshot(): Promise<{ issuer: string; cursor: number; facts: WireFact[] }>;
  /** Streams from a cursor until the other side hangs up. False: too many are listening, or it ended. */
  follow(response: ServerResponse, after: number): boolean;
  start(): Promise<void>;
  stop(): void;
}

export interface WireFact {
  readonly id: number;
  /** SHA-256 over domain, issuer and key, truncated to 128 bits, hex. */
  readonly key: string;
  /** Milliseconds since the epoch, like `until`. */
  readonly revoked_at: number;
  readonly always: boolean;
  readonly until: number;
}

/** Also the longest a follower waits for news without a notice. */
const HEARTBEAT_MS = 2000;
/** Each follower is one open connection. */
const FOLLOWERS_MAX = 1000;
const PAGE = 1000;
const UNREAD_MAX_BYTES = 1024 * 1024;

export const feedKey = (issuer: string, key: string): string =>
  createHash('sha256').update(feedKeyInput(issuer, key)).digest('hex').slice(0, FEED_KEY_HEX_CHARS);

interface FeedDeps {
  readonly db: Database;
  readonly issuer: string;
}
type Followers = Map<ServerResponse, { cursor: number }>;

export function createFeed(deps: FeedDeps): Feed {
  const followers: Followers = new Map();
  const wake = oneAtATime(() => deliver(deps, followers));
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;
  return {
    snapshot: async () => {
      // Read before the facts: what comes in between is told twice rather than never.
      const cursor = await lastFactId(deps.db.orm);
      return { issuer: deps.issuer, cursor, facts: await allAfter(deps, 0) };
    },
    follow: (response, after) => {
      if (stopped || followers.size >= FOLLOWERS_MAX) return false;
      followers.set(response, { cursor: after });
      response.on('close', () => followers.delete(response));
      wake();
      return true;
    },
    start: async () => {
      await deps.db.listen(NOTICE_CHANNEL, wake);
      timer = setInterval(wake, HEARTBEAT_MS);
      timer.unref();
    },
    stop: () => {
      stopped = true;
      clearInterval(timer);
      for (const response of followers.keys()) response.end();
      followers.clear();
    },
  };
}

/** Runs work when asked; asked meanwhile, runs it once more. A failure sends nothing. */
function oneAtATime(work: () => Promise<void>): () => void {
  let running = false;
  let again = false;
  const run = async (): Promise<void> => {
    do {
      again = false;
      // No heartbeat: followers grow stale and say so.
      await work().catch(() => undefined);
    } while (again);
    running = false;
  };
  return () => {
    again = true;
    if (running) return;
    running = true;
    void run();
  };
}

async function allAfter({ db, issuer }: FeedDeps, after: number): Promise<WireFact[]> {
  const facts: WireFact[] = [];
  for (let cursor = after; ; ) {
    const page = await factsAfter(db.orm, cursor, PAGE);
    facts.push(...page.map((row) => toWire(issuer, row)));
    if (page.length < PAGE) return facts;
    cursor = page.at(-1)?.id ?? cursor;
  }
}

const toWire = (issuer: string, row: FactRow): WireFact => ({
  id: row.id,
  key: feedKey(issuer, row.key),
  revoked_at: row.revokedAt.getTime(),
  always: row.always,
  until: row.until.getTime(),
});

/** One read serves every follower. */
async function deliver(deps: FeedDeps, followers: Followers): Promise<void> {
  if (followers.size === 0) return;
  // Only those who were there when the read began: one who joins meanwhile may be further behind.
  const served = [...followers];
  const oldest = Math.min(...served.map(([, { cursor }]) => cursor));
  const facts = await allAfter(deps, oldest);
  // Read after the facts, so never behind them; behind a follower only when the table was restored.
  const position = await lastFactId(deps.db.orm);
  for (const [response, follower] of served) {
    const news = facts.filter(({ id }) => id > follower.cursor);
    follower.cursor = news.at(-1)?.id ?? follower.cursor;
    const events = news.map(
      (fact) => `event: revocation\nid: ${fact.id}\ndata: ${JSON.stringify(fact)}\n\n`,
    );
    events.push(`event: heartbeat\ndata: {"cursor":${position}}\n\n`);
    response.write(events.join(''));
    // One that does not read is cut off, and comes back for a snapshot.
    if (response.writableLength > UNREAD_MAX_BYTES) response.destroy();
  }
}
