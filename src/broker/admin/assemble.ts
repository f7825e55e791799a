/** Administration, put together: its services, the bearers it takes, its router. */
import type Router from '@koa/router';
import type { RefusalLog } from '../audit/refusals.js';
import type { Database } from '../db/database.js';
import type { FactsCache } from '../facts/store.js';
import type { TokenReader } from '../tokens/access-tokens.js';
import { createAddressThrottle } from '../users/throttle.js';
import { createBootstrap, whileBootstrapping } from './bootstrap.js';
import type { AdminServices } from './operation.js';
import { createAdminResource } from './resource.js';
import { createAdminRouter } from './router.js';

export function createAdminApi(deps: {
  readonly db: Database;
  readonly issuer: string;
  readonly servicesOn: (db: Database) => AdminServices;
  /** The bootstrap bearer. */
  readonly adminToken: string;
  readonly facts: FactsCache;
  readonly reader: TokenReader;
  readonly refusals: RefusalLog;
  readonly now: () => number;
  readonly onChange: () => Promise<void>;
}): Router {
  const { db, issuer, now } = deps;
  const adminResource = createAdminResource(issuer);
  const { identifier } = adminResource;
  return createAdminRouter({
    db,
    issuer,
    adminResource,
    facts: deps.facts,
    reader: deps.reader,
    servicesOn: deps.servicesOn,
    bootstrapDb: whileBootstrapping(db, identifier),
    bootstrap: createBootstrap({ db, token: deps.adminToken, adminResource: identifier, now }),
    countFailure: createAddressThrottle(db, now, 'admin'),
    noteRefusal: deps.refusals.note,
    onChange: deps.onChange,
  });
}
