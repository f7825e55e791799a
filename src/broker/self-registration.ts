/** Registration put together (RFC 7591, RFC 7592): its routes, its upkeep, its word in the discovery document. */
import type Router from '@koa/router';
import type { Registry } from './admin/registry.js';
import { notingRefusals } from './audit/note-refusals.js';
import { createCounter } from './clients/document-quota.js';
import { createLastUse, type LastUse } from './clients/last-use.js';
import { noticing } from './facts/store.js';
import { hashSecret } from './keys/secrets.js';
import type { Parts } from './parts.js';
import type { RegistrationDeps } from './registration/deps.js';
import { WRITE_CLIENT_USE } from './registration/expiry-store.js';
import { createRegistrationRouter } from './registration/routes.js';
import { createRegistrationUpkeep } from './registration/upkeep.js';
import { type RegistrationSettings, registrationDefaults } from './registration-settings.js';
import { networkOf } from './users/throttle.js';

const HOUR_MS = 3_600_000;

export const registrationOf = ({ config }: Pick<Parts, 'config'>): RegistrationSettings =>
  config.registration ?? registrationDefaults();

/** What of the discovery document says whether anybody may register (DI5). */
export const registrationMetadata = (parts: Pick<Parts, 'config'>): Record<string, unknown> =>
  registrationOf(parts).mode === 'off'
    ? {}
    : { registration_endpoint: `${parts.config.issuer}/register` };

export interface SelfRegistration {
  /** None where it is off. */
  readonly routers: readonly Router[];
  /** Retires what nobody uses; once a minute, also where it is off. */
  readonly upkeep: () => Promise<void>;
  /** Which registered clients are used: written once a minute. */
  readonly use: LastUse;
}

export function createSelfRegistration(
  parts: Parts,
  { clients, credentials }: Pick<Registry, 'clients' | 'credentials'>,
): SelfRegistration {
  const { mode, domains, perNetwork, total } = registrationOf(parts);
  const db = noticing(parts.db, parts.facts);
  const steps: RegistrationDeps['clients'] = {
    create: clients.steps.create,
    patch: clients.steps.patch,
    retire: clients.steps.retire,
    syncKeys: (change, owner, jwks) => credentials.syncKeys(change, owner, jwks, ['jwks']),
  };
  const warn = (err: unknown): void =>
    parts.log.warn({ err }, 'uses of registered clients were not noted');
  const always = {
    upkeep: createRegistrationUpkeep({ db, clients: steps }),
    use: createLastUse({ db, now: parts.now, warn, write: WRITE_CLIENT_USE }),
  };
  if (mode === 'off') return { ...always, routers: [] };
  const router = createRegistrationRouter({
    db,
    facts: parts.facts,
    issuer: parts.config.issuer,
    trust: parts.trust,
    rules: { mode, domains },
    quotas: { perNetwork, total },
    hashSecret,
    networkOf,
    now: parts.now,
    clients: steps,
    noteRefusals: notingRefusals(parts.refusals),
    mayChange: createCounter(parts.now, perNetwork, HOUR_MS),
  });
  return { ...always, routers: [router] };
}
