/** What administration stands on, assembled once for the API and the CLI alike. */
import { sentences } from '../audit/sentence.js';
import { listEvents } from '../audit/store.js';
import { verifyAudit } from '../audit/verify.js';
import type { Database } from '../db/database.js';
import { endConsents, foresee } from '../delegation/bulk.js';
import { endConsent, endGrant } from '../delegation/ends.js';
import { findConsent, findGrant, listConsents, listGrants } from '../delegation/queries.js';
import { explainWhat } from '../explain/service.js';
import { hashSecret } from '../keys/secrets.js';
import { createKeyService, type KeyDeps } from '../keys/service.js';
import { verificationKeys } from '../keys/store.js';
import { KEY_LEAD_SECONDS } from '../limits.js';
import { rolesHavePermission } from '../permissions/store.js';
import { confirmationsOf } from '../revocation/followers.js';
import { findRevocation, listRevocations } from '../revocation/queries.js';
import { receiptOf } from '../revocation/receipt.js';
import { hashPassword, verifyPassword } from '../users/password.js';
import { applyWorld, planWorld } from '../world/service.js';
import type { AdminServices } from './operation.js';
import { createRegistry } from './registry.js';
import { adminIdentifier } from './resource.js';

/** Signing keys need the root secret: who was given none can list them, and nothing else. */
const WITHOUT_SECRET: Omit<KeyDeps, 'db'> = {
  secrets: () => Promise.reject(new Error('the root secret is not at hand')),
  rules: { rotationDays: 0, leadSeconds: KEY_LEAD_SECONDS },
};

export function createAdminServices(
  db: Database,
  issuer: string,
  keys: Omit<KeyDeps, 'db'> = WITHOUT_SECRET,
): AdminServices {
  const registry = createRegistry({ db, issuer, hashSecret, hashPassword });
  const world = { db, registry, hashPassword, verifyPassword };
  const adminResource = adminIdentifier(issuer);
  return {
    registry,
    adminResource,
    rolesAdminister: (roles) => rolesHavePermission(db.orm, roles, adminResource),
    listEvents: (filter) => listEvents(db.orm, filter),
    verifyAudit: async (kept) =>
      verifyAudit(db, { issuer, keys: await verificationKeys(db.orm), kept }),
    explain: (what) => explainWhat({ db, issuer, namesOf: registry.namesOf }, what),
    sentences: (events) => sentences(events, registry.namesOf),
    listConsents: (filter) => listConsents(db.orm, filter),
    listGrants: (filter) => listGrants(db.orm, filter),
    findConsent: (id) => findConsent(db.orm, id),
    findGrant: (id) => findGrant(db.orm, id),
    endConsent: (id, reason, by) => endConsent(db, id, reason, by),
    endGrant: (id, reason, by) => endGrant(db, id, reason, by),
    foreseeEnd: (of) => foresee(db, of),
    endConsents: (of, reason, by) => endConsents(db, of, reason, by),
    listRevocations: (filter) => listRevocations(db.orm, filter),
    findRevocation: (id) => findRevocation(db.orm, id),
    receiptOf: (fact) => receiptOf(db.orm, fact),
    confirmationsOf: (id) => confirmationsOf(db, id),
    keys: createKeyService({ db, ...keys }),
    planWorld: (text) => planWorld(world, text),
    applyWorld: (text, by) => applyWorld(world, text, { by }),
  };
}

/**
 * Applies a world file as the program itself.
 *
 * @throws Error naming the lines and fields of a broken file
 */
export async function applyWorldOrThrow(services: AdminServices, text: string) {
  const outcome = await services.applyWorld(text, 'system');
  if ('problems' in outcome) {
    const lines = outcome.problems.map(
      ({ line, field, message }) => `${line}: ${field}: ${message}`,
    );
    throw new Error(`the world file is broken:\n${lines.join('\n')}`);
  }
  return { secrets: Object.fromEntries(outcome.secrets.map((one) => [one.principal, one.secret])) };
}
