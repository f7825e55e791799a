// What is written down during a case: every exchange, every secret that passed by, and which of
// what is alive afterwards came from honest steps.
import type { Database } from '../../../src/broker/db/database.js';
import type { Canaries } from './canaries.js';
import type { Answer, Exchange } from './http.js';
import { type Living, lastEventId, living } from './ledger.js';

/** Every exchange of a case, and the names of what honest steps brought to life. */
export interface Tally {
  readonly since: number;
  readonly before: Living;
  readonly exchanges: Array<Exchange & { readonly honest: boolean; readonly knownBefore: number }>;
  readonly honest: Set<string>;
  /** Audit events of honest steps: from, to. */
  readonly spoken: Array<readonly [number, number]>;
}

export interface Journal {
  /** A new case begins. */
  begin(): Promise<Tally>;
  note(exchange: Exchange): void;
  /** What these steps bring to life is earned; one after the other, never two at once. */
  honestly<T>(steps: () => Promise<T>): Promise<T>;
}

export function createJournal(db: Database, canaries: Canaries): Journal {
  let tally: Tally = { since: 0, before: new Set(), exchanges: [], honest: new Set(), spoken: [] };
  let depth = 0;
  return {
    begin: async () => {
      const since = await lastEventId(db);
      const before = await living(db, since);
      tally = { since, before, exchanges: [], honest: new Set(), spoken: [] };
      return tally;
    },
    note: (exchange) => {
      tally.exchanges.push({ ...exchange, honest: depth > 0, knownBefore: canaries.list().length });
      remember(canaries, exchange.answer);
    },
    honestly: async (steps) => {
      const [before, from] = [await living(db, tally.since), await lastEventId(db)];
      depth += 1;
      try {
        return await steps();
      } finally {
        depth -= 1;
        for (const name of await living(db, tally.since)) {
          if (!before.has(name)) tally.honest.add(name);
        }
        tally.spoken.push([from, await lastEventId(db)]);
      }
    },
  };
}

/** Whatever came by that opens something. */
function remember(canaries: Canaries, answer: Answer): void {
  const { body, headers, setCookies, text } = answer;
  if (typeof body === 'object' && body !== null) {
    canaries.add('access token', body.access_token);
    canaries.add('refresh token', body.refresh_token);
  }
  const { location } = headers;
  if (location !== undefined && URL.canParse(location)) {
    canaries.add('code', new URL(location).searchParams.get('code') ?? undefined);
  }
  canaries.add('code', /name="code" value="([^"]+)"/.exec(text)?.[1]);
  for (const line of setCookies) {
    canaries.add('session cookie', /^(?:__Host-)?behalf_session(?:\.sig)?=([^;]+)/.exec(line)?.[1]);
  }
}
