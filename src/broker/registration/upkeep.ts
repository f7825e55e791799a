/**
 * Registrations nobody uses come to their end (Q22, DC10): a day after they were made, or long after the
 * last token. Each is retired as an operator would retire it; a client that comes back is told
 * `invalid_client`, and registers again. Use is noted where a token was issued: only a person's yes leads
 * there, so that nobody keeps thousands alive by calling.
 */
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { Database } from '../db/database.js';
import type { FactsCache } from '../facts/store.js';
import { stopping } from '../registry/change.js';
import type { RegistrationDeps } from './deps.js';
import { anyDue, dueRegistrations } from './expiry-store.js';

/** Of one transaction: it holds the registry's lock. */
const BATCH = 50;
const BATCHES_MAX = 40;

/** A chore to be called often. */
export function createRegistrationUpkeep(deps: {
  readonly db: Database;
  readonly clients: Pick<RegistrationDeps['clients'], 'retire'>;
}): () => Promise<void> {
  const { db, clients } = deps;
  return async () => {
    for (let batch = 0; batch < BATCHES_MAX && (await anyDue(db.orm)); batch += 1) {
      await stopping(db, 'system', async (change) => {
        for (const { clientId, everUsed } of await dueRegistrations(change.tx, BATCH)) {
          const reason = everUsed ? 'not used for 90 days' : 'not used within a day';
          await clients.retire(change, clientId, reason);
        }
      });
    }
  };
}

/** Around the engine: a token was issued to a client that registered itself. */
export const notingClientUse = (deps: {
  readonly facts: FactsCache;
  readonly note: (clientId: string) => void;
}) =>
  async function notedClientUse(
    ctx: KoaContextWithOIDC,
    next: () => Promise<unknown>,
  ): Promise<void> {
    await next();
    const { client, route } = ctx.oidc ?? {};
    if (route !== 'token' || ctx.status !== 200 || client?.clientId.startsWith('cli_') !== true)
      return;
    // The answer stands, whether or not this can be noted.
    const row = await deps.facts
      .current()
      .then((facts) => facts.client(client.clientId))
      .catch(() => undefined);
    if (row?.origin === 'registration') deps.note(row.id);
  };
