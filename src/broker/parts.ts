/** What nearly every part of a broker is handed: settings, database, clock, log, secrets, facts. */
import { type Logger, pino } from 'pino';
import { createAdminResource } from './admin/resource.js';
import { createRefusalLog, type RefusalLog } from './audit/refusals.js';
import { createDocuments, type Documents } from './clients/documents.js';
import type { Config } from './config.js';
import type { Database } from './db/database.js';
import { documentRulesOf } from './document-rules.js';
import { createFactsCache, type FactsCache } from './facts/store.js';
import type { KeyRing } from './keys/ring.js';
import type { Secrets } from './keys/secrets.js';
import { secretsOf } from './keys/settings.js';
import { createOutbound, type Outbound, type OutboundDeps } from './outbound/outbound.js';
import { createTokenReader } from './tokens/access-tokens.js';
import { createTrustVerifier, type TrustVerifier } from './trust/verify.js';
import { networkOf } from './users/throttle.js';

/** What a broker may be handed instead of making it itself; for tests and for hosts of several. */
export interface BrokerDeps {
  /** Milliseconds. */
  readonly now?: () => number;
  /** An open, migrated database; it stays the caller's to close. */
  readonly db?: Database;
  /** Where log lines go; standard output by default. */
  readonly logTo?: { write(line: string): void };
  /** Another web than the public one. */
  readonly outbound?: Pick<OutboundDeps, 'resolve' | 'dial' | 'ca'>;
}

export interface Parts {
  readonly config: Config;
  readonly db: Database;
  readonly now: () => number;
  readonly log: Logger;
  readonly secrets: Secrets;
  readonly facts: FactsCache;
  readonly refusals: RefusalLog;
  /** Signed words of others. */
  readonly trust: TrustVerifier;
  /** The only way to what others name. */
  readonly outbound: Outbound;
  /** Clients whose id is the URL of their metadata document. */
  readonly documents: Documents;
}

export async function partsOf(config: Config, db: Database, given: BrokerDeps): Promise<Parts> {
  const now = given.now ?? Date.now;
  const facts = createFactsCache(db, now, [createAdminResource(config.issuer)]);
  const rules = documentRulesOf(config);
  const outbound = createOutbound({
    allowLoopback: rules.allowLoopback,
    now,
    ...given.outbound,
  });
  return {
    config,
    db,
    now,
    log: pino({ level: config.logLevel, base: null }, given.logTo ?? process.stdout),
    secrets: await secretsOf(config),
    facts,
    trust: createTrustVerifier({ facts, outbound, now }),
    refusals: createRefusalLog({ db, now, networkOf, perMinute: config.refusalsPerMinute }),
    outbound,
    documents: createDocuments({ db, facts, outbound, now, rules, networkOf }),
  };
}

export const readerOf = ({ db, config: { issuer } }: Parts, keys: KeyRing) =>
  createTokenReader({ db, issuer, keys: () => keys.current().published });
