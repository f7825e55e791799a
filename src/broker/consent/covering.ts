/** A consent that answers a request without asking again (DESIGN §8a 3). */
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import type { Database } from '../db/database.js';
import { consentCovers } from '../delegation/coverage.js';
import { type ConsentRow, findLiveConsent } from '../delegation/store.js';
import { clientHash, keptTermsFacts, termsFacts } from '../delegation/terms.js';
import { applicationOf } from '../facts/application.js';
import type { FactsCache } from '../facts/store.js';
import type { EngineGrants } from './engine-grants.js';
import {
  type AuthorizationRequest,
  decidedScopes,
  decideOffer,
  mayReuseInSilence,
  subjectOf,
} from './request.js';
import { currentTerms } from './terms.js';

export interface ConsentHookDeps {
  readonly db: Database;
  readonly facts: FactsCache;
  readonly grants: EngineGrants;
  readonly provider: () => Provider;
  readonly now: () => number;
  /** Whoever may ask is written down, if nobody has yet. */
  readonly admitClient: (ctx: KoaContextWithOIDC) => Promise<void>;
}

export interface Covering {
  readonly consent: ConsentRow;
  readonly covered: readonly string[];
  /** Of the facts it was decided on. */
  readonly epoch: number;
}

/**
 * A consent that answers this request without asking again, and what it gives of it.
 *
 * @throws OAuthError when nothing could be granted at all
 */
export async function coveringConsent(
  deps: Pick<ConsentHookDeps, 'db' | 'facts' | 'now'>,
  request: AuthorizationRequest,
  userId: string,
  find = findLiveConsent,
): Promise<Covering | undefined> {
  const facts = await deps.facts.current();
  const client = await applicationOf(facts, request.clientId);
  if (client === undefined || !mayReuseInSilence(client, request.redirectUri)) return undefined;
  const decision = await decideOffer(facts, request, userId);
  const consent = await find(deps.db.orm, subjectOf(request, userId));
  const coverage = consentCovers(
    consent && {
      ...consent,
      terms: keptTermsFacts(consent),
      expiresAtMs: consent.expiresAt.getTime(),
      ended: consent.endedAt !== null,
    },
    {
      scopes: decidedScopes(decision, request),
      clientHash: clientHash(client),
      terms: termsFacts(await currentTerms(facts, request, client, decision.granted)),
      nowMs: deps.now(),
    },
  );
  if (consent === undefined || 'denied' in coverage) return undefined;
  return { consent, covered: coverage.covered, epoch: facts.epoch };
}
