/**
 * Whether what hangs on a grant is still good for whoever asks about it, rather than uses it: the
 * tokens the engine keeps itself (refresh tokens, opaque ones for userinfo) have no lineage of
 * their own that facts could stop.
 */
import type { Database } from '../db/database.js';
import type { FactsCache } from '../facts/store.js';
import { loadDelegationFacts } from './load.js';
import { decideDelegation } from './policy.js';
import { findLiveGrant } from './store.js';

export async function grantStands(
  deps: { readonly db: Database; readonly facts: FactsCache },
  grantId: string,
): Promise<boolean> {
  const grant = await findLiveGrant(deps.db.orm, grantId);
  if (grant === undefined) return false;
  const facts = await loadDelegationFacts(await deps.facts.fresh(), grant);
  const decision = decideDelegation(facts, {
    requested: grant.scopes,
    consent: grant.scopes,
    sinceMs: grant.createdAt.getTime(),
  });
  return !('denied' in decision);
}
