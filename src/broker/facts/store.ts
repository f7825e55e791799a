/**
 * The facts decisions are made from, cached by policy epoch: agents, clients, credentials,
 * resources, users, permissions. Every change counts the epoch up, and the issue gate compares: a
 * cache is never wrong here, only sometimes slow. Absences are never cached.
 */
import type {
  agents,
  clients,
  credentials,
  resources,
  trustedIssuers,
  users,
} from '../../../schema/index.js';
import type { Database } from '../db/database.js';
import { createGeneration } from './generation.js';

export type AgentFacts = typeof agents.$inferSelect;
export type ClientFacts = typeof clients.$inferSelect;
export type CredentialFacts = typeof credentials.$inferSelect;
export type ResourceFacts = typeof resources.$inferSelect;
export type UserFacts = typeof users.$inferSelect;
export type TrustedIssuerFacts = typeof trustedIssuers.$inferSelect;

/** One generation: everything in it is at least as new as its epoch. */
export interface Facts {
  readonly epoch: number;
  agent(id: string): Promise<AgentFacts | undefined>;
  /** Of a metadata document too, once it was fetched: its id is the document's URL. */
  client(id: string): Promise<ClientFacts | undefined>;
  /** Credentials neither removed nor expired: the others prove nothing, wherever they are shown. */
  credentials(principal: string): Promise<readonly CredentialFacts[]>;
  resource(identifier: string): Promise<ResourceFacts | undefined>;
  /** The registered identifier a client means by its own spelling of it; its own where there is none. */
  resourceNamed(spelled: string): Promise<string>;
  user(id: string): Promise<UserFacts | undefined>;
  /** Somebody whose signed word is taken, for some purposes; retired ones are nobody. */
  trustedIssuer(issuer: string): Promise<TrustedIssuerFacts | undefined>;
  /** The id of the user whom another issuer means by a subject. */
  identity(issuer: string, subject: string): Promise<string | undefined>;
  /** Scopes permitted to any of these principals at a resource, as registered. */
  permitted(principals: readonly string[], resource: string): Promise<readonly string[]>;
  /** Resources at which a principal has permissions. */
  resourcesOf(principal: string): Promise<readonly string[]>;
}

export interface FactsCache {
  /** The current generation; its epoch was compared with the database at most a second ago. */
  current(): Promise<Facts>;
  /** A generation whose epoch was read after this call began. */
  fresh(): Promise<Facts>;
  /** Something changed somewhere: the next `current` asks, however short ago the last one did. */
  noticeChange(): void;
}

/** How long a generation is used without asking whether it is still the newest. */
const RECHECK_MS = 1000;

export function createFactsCache(
  db: Database,
  now: () => number = Date.now,
  /** Resources there are without being registered. */
  builtIn: readonly ResourceFacts[] = [],
): FactsCache {
  let generation: Facts | undefined;
  let checkedAtMs = 0;
  let notices = 0;
  let checking: Promise<Facts> | undefined;

  const check = async (): Promise<Facts> => {
    const startedAtMs = now();
    const noticed = notices;
    const [row] = await db.run<{ epoch: string | number }>(
      'select epoch from policy_epoch where id = 1',
    );
    const epoch = Number(row?.epoch);
    // A slow answer never replaces a newer generation: epochs only grow.
    if (generation === undefined || generation.epoch < epoch) {
      generation = createGeneration(db, epoch, now, builtIn);
    }
    // What was noticed meanwhile may be newer than the answer.
    if (notices === noticed) checkedAtMs = startedAtMs;
    return generation;
  };
  return {
    fresh: check,
    noticeChange: () => {
      notices += 1;
      checkedAtMs = 0;
      checking = undefined;
    },
    current: async () => {
      if (generation !== undefined && now() - checkedAtMs < RECHECK_MS) return generation;
      if (checking !== undefined) return checking;
      const mine = check().finally(() => {
        if (checking === mine) checking = undefined;
      });
      checking = mine;
      return mine;
    },
  };
}

/**
 * A database whose transactions are noticed at their end: who changed something through it finds it
 * changed, also before the database's own notice has come round.
 */
export const noticing = (db: Database, facts: Pick<FactsCache, 'noticeChange'>): Database => ({
  ...db,
  transaction: (work) => db.transaction(work).finally(facts.noticeChange),
});
