/**
 * Client ID metadata documents at work: before the engine sees a client whose id is a URL, its document is
 * known and fresh, or the client is nobody. A stranger's is fetched where authorizations begin and nowhere
 * else, kept in memory, and written down when a request that is otherwise good reaches the page: so many
 * for a network and altogether (P15). Whatever is wrong is refused; a document that cannot be asked for
 * again counts for a bounded time, and never one that an operator retired.
 */
import type { Database } from '../db/database.js';
import type { DocumentRules } from '../document-rules.js';
import type { FactsCache } from '../facts/store.js';
import { become, begin, type FetchedDocument, stillIs } from './document-change.js';
import { type FetchDeps, fetchDocument, isTransient } from './document-fetch.js';
import { documentUrlProblem, isTrusted, STALE_SECONDS_MAX } from './document-policy.js';
import { createAllowance } from './document-quota.js';
import { isDocumentRefusal, NOT_FETCHED, refuse, tooMany, UNKNOWN } from './document-refusal.js';
import { countUnused, findSnapshot } from './document-store.js';

/** Who makes us ask, and whether an authorization may begin there. */
export interface Asker {
  readonly address: string;
  readonly begins: boolean;
}

export interface DocumentDeps extends FetchDeps {
  readonly db: Database;
  readonly facts: Pick<FactsCache, 'current' | 'noticeChange'>;
  readonly rules: DocumentRules;
  /** What one subscriber holds. */
  readonly networkOf: (address: string) => string;
}

export interface Documents {
  /**
   * Makes sure that what is known of a client is what its document says.
   *
   * @returns what nobody has written down yet; `undefined`: the registry knows, whatever it knows
   * @throws DocumentRefusal
   */
  look(url: string, asker: Asker): Promise<FetchedDocument | undefined>;
  /** Writes the client down, if nobody has yet. @throws DocumentRefusal */
  admit(url: string, asker: Pick<Asker, 'address'>): Promise<void>;
}

/** Strangers kept in memory. */
const STRANGERS_MAX = 500;
/** Clients that a document announced and nobody used yet. */
const UNUSED_MAX = 1000;
const SECOND_MS = 1000;
const REFUSED_MS = 30 * SECOND_MS;

export function createDocuments(deps: DocumentDeps): Documents {
  const { now, rules } = deps;
  const looking = new Map<string, Promise<FetchedDocument | undefined>>();
  const fresh = new Map<string, number>();
  const refused = createRefused(now);
  const strangers = createStrangers(deps, refused);

  /** Whether there is a client, trusted and active; its document aside. */
  const isKnown = async (url: string): Promise<boolean> => {
    const row = await (await deps.facts.current()).client(url);
    if (!isTrusted(url, rules, isNamed(row))) throw refuse(UNKNOWN, 'its domain is not trusted');
    if (row === undefined) return false;
    if (row.status !== 'active') throw refuse(UNKNOWN, `the client is ${row.status}`);
    return true;
  };
  const lookUp = async (url: string, asker: Asker): Promise<FetchedDocument | undefined> => {
    if (!(await isKnown(url))) return strangers.look(url, asker);
    if ((fresh.get(url) ?? 0) > now()) return undefined;
    if (fresh.size >= STRANGERS_MAX) fresh.clear();
    fresh.set(url, await refreshed(deps, url).catch(refused.remember(url)));
    return undefined;
  };
  return {
    admit: strangers.admit,
    look: async (url, asker) => {
      const problem = documentUrlProblem(url, rules.allowLoopback);
      if (rules.trust === 'off') throw refuse(UNKNOWN, 'client ID metadata documents are off');
      if (problem !== undefined) throw refuse(`client_id ${problem}`);
      refused.throwIfAny(url);
      const asking = `${asker.begins} ${url}`;
      const underWay = looking.get(asking);
      if (underWay !== undefined) return underWay;
      const mine = lookUp(url, asker).finally(() => looking.delete(asking));
      looking.set(asking, mine);
      return mine;
    },
  };
}

/** Those whose document was fetched, and whom nobody has written down. */
function createStrangers(
  deps: DocumentDeps,
  refused: ReturnType<typeof createRefused>,
): { readonly look: (url: string, asker: Asker) => Promise<FetchedDocument> } & Pick<
  Documents,
  'admit'
> {
  const { now, networkOf } = deps;
  const known = new Map<string, FetchedDocument>();
  const allowance = createAllowance(now);
  return {
    look: async (url, asker) => {
      const before = known.get(url);
      if (before !== undefined && before.snapshot.freshUntil.getTime() > now()) return before;
      known.delete(url);
      if (!asker.begins) throw refuse(UNKNOWN, 'nobody has seen its document yet');
      if (!allowance.fetch(networkOf(asker.address)))
        throw tooMany('too many fetches for its network');
      const fetched = await fetchDocument(deps, url).catch(refused.remember(url));
      if (known.size >= STRANGERS_MAX) known.delete(known.keys().next().value as string);
      known.set(url, fetched);
      return fetched;
    },
    admit: async (url, { address }) => {
      const one = known.get(url);
      if (one === undefined) return;
      const isFull =
        !allowance.admit(networkOf(address)) ||
        (await countUnused(deps.db.orm, UNUSED_MAX)) >= UNUSED_MAX;
      if (isFull) throw tooMany('too many clients nobody uses');
      known.delete(url);
      if (!(await begin(deps.db, one))) {
        throw tooMany('its document changed while the request was read');
      }
    },
  };
}

/** For a moment, in memory: what is wrong is never kept as a client. */
function createRefused(now: () => number) {
  const known = new Map<string, { readonly error: unknown; readonly untilMs: number }>();
  return {
    throwIfAny: (url: string): void => {
      const one = known.get(url);
      if (one !== undefined && one.untilMs > now()) throw one.error;
      known.delete(url);
    },
    remember:
      (url: string) =>
      (error: unknown): never => {
        if (isDocumentRefusal(error) && !error.busy) {
          if (known.size >= STRANGERS_MAX) known.delete(known.keys().next().value as string);
          known.set(url, { error, untilMs: now() + REFUSED_MS });
        }
        throw error;
      },
  };
}

/** By an operator: registered under its URL, or bound to an agent. */
const isNamed = (row: { readonly origin: string; readonly agentId: string | null } | undefined) =>
  row !== undefined && (row.origin === 'operator' || row.agentId !== null);

/** @returns until when what the registry knows counts, in milliseconds @throws DocumentRefusal */
async function refreshed(deps: DocumentDeps, url: string): Promise<number> {
  const { db, now } = deps;
  const snapshot = await findSnapshot(db.orm, url);
  if (snapshot !== undefined && snapshot.freshUntil.getTime() > now()) {
    return snapshot.freshUntil.getTime();
  }
  const fetched = await fetchDocument(deps, url).catch((error) => {
    if (snapshot === undefined || !isTransient(error)) throw error;
    return undefined;
  });
  if (fetched === undefined) {
    const lastMs = (snapshot?.freshUntil.getTime() ?? 0) + STALE_SECONDS_MAX * SECOND_MS;
    if (lastMs <= now()) throw refuse(NOT_FETCHED, 'its last document is too old');
    // Asked for again at the next look; failures are remembered on the way out.
    return 0;
  }
  if (fetched.snapshot.hash === snapshot?.hash) await stillIs(db, fetched);
  else {
    await become(db, fetched);
    deps.facts.noticeChange();
  }
  return fetched.snapshot.freshUntil.getTime();
}
