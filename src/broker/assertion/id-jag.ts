/**
 * An identity assertion of an enterprise's issuer (ID-JAG): verified, understood, and decided on the
 * newest facts as a delegation whose consent is the enterprise's policy. Issues nothing.
 */
import type { OAuthError } from '../../protocol/index.js';
import type { Database, Executor } from '../db/database.js';
import { loadDelegationFacts } from '../delegation/load.js';
import { decideDelegation } from '../delegation/policy.js';
import type { ConsentSubject } from '../delegation/store.js';
import { applicationOf } from '../facts/application.js';
import type { ClientFacts, Facts } from '../facts/store.js';
import { isShowable } from '../registry/fields.js';
import {
  ASSERTION_AGE_DEFAULT_SECONDS,
  type IdJagRules,
  subjectSchema,
  type TrustRules,
} from '../trust/schema.js';
import type { Trusted, TrustVerifier } from '../trust/verify.js';
import { assertionError, type Denial } from './denials.js';
import { type Asserted, addressIn, allowedByPolicy, decideAssertion } from './policy.js';

export const ID_JAG_TYP = 'oauth-id-jag+jwt';

export interface IdJagDeps {
  readonly db: Database;
  readonly issuer: string;
  readonly trust: TrustVerifier;
  readonly now: () => number;
  readonly actorProfile: boolean;
  /** The user with an address, whatever their state. */
  readonly userByEmail: (
    db: Executor,
    email: string,
  ) => Promise<{ readonly id: string } | undefined>;
}

export interface IdJagRequest {
  readonly clientId: string;
  readonly assertion: string;
  readonly resource: string | undefined;
  readonly scopes: readonly string[];
  readonly provedKey: string | undefined;
}

/** What is asked for whom, allowed on the facts at hand. */
export interface IdJagDecision {
  readonly asserted: Asserted;
  readonly about: ConsentSubject;
  readonly requested: readonly string[];
  readonly scopes: readonly string[];
  /** The subject is not registered: the address found the user. */
  readonly link: boolean;
  /** The client's identity does not prove the agent. */
  readonly needsActorToken: boolean;
}

const rulesIn = ({ rules }: Trusted['issuer']): IdJagRules | undefined =>
  (rules as TrustRules).idJag;

/** @throws OAuthError for a word that is not taken */
export async function readIdJag(deps: IdJagDeps, { assertion, clientId }: IdJagRequest) {
  const outcome = await deps.trust.verify(assertion, {
    purpose: 'id_jag',
    types: [ID_JAG_TYP],
    audiences: [deps.issuer],
    lifeOf: (issuer) => rulesIn(issuer)?.maxAgeSeconds ?? ASSERTION_AGE_DEFAULT_SECONDS,
  });
  if ('problem' in outcome) {
    throw assertionError(`untrusted_${outcome.problem}`, `client ${clientId}`);
  }
  return outcome;
}

/**
 * Decided again whenever facts have become newer: everybody in it is asked, its issuer too.
 *
 * @throws OAuthError by the draft
 */
export async function decideIdJag(
  deps: IdJagDeps,
  facts: Facts,
  word: Trusted,
  request: IdJagRequest,
): Promise<IdJagDecision> {
  const { clientId, resource, provedKey } = request;
  const iss = word.issuer.issuer;
  const refuse = (denied: Denial): OAuthError =>
    assertionError(denied, `client ${clientId}, issuer ${iss}`);
  const client = await applicationOf(facts, clientId);
  const trusted = await facts.trustedIssuer(iss);
  const rules = trusted?.purposes.includes('id_jag') ? rulesIn(trusted) : undefined;
  if (client === undefined) throw refuse('client_not_active');
  if (trusted === undefined || rules === undefined) throw refuse('untrusted_untrusted_issuer');
  const said = Number(word.claims.iat);
  if (said < Math.floor(trusted.notBefore.getTime() / 1000)) {
    throw refuse('untrusted_older_than_trust');
  }
  const { issuer, actorProfile } = deps;
  const asserted = decideAssertion(word.claims, {
    issuer,
    client,
    rules,
    resource,
    provedKey,
    actorProfile,
  });
  if ('denied' in asserted) throw refuse(asserted.denied);
  const agentId = actorFor(client, asserted, refuse);
  const { userId, link } = await subjectOf(deps, facts, word, rules, refuse);
  const about = { userId, clientId, agentId, resource: asserted.resource };
  const loaded = await loadDelegationFacts(facts, about);
  const scopeRules = (await facts.resource(asserted.resource))?.scopes ?? {};
  const nowSeconds = Math.floor(deps.now() / 1000);
  const policy = allowedByPolicy(scopeRules, rules, asserted, request.scopes, nowSeconds);
  const decision = decideDelegation(loaded, {
    requested: policy.requested,
    consent: policy.allowed,
    sinceMs: Number.MAX_SAFE_INTEGER,
  });
  if ('denied' in decision) {
    const who = `client ${clientId}, user ${userId}, issuer ${iss}`;
    throw assertionError(decision.denied, who, decision.takenAway);
  }
  const needsActorToken = agentId !== '' && client.agentId !== agentId;
  return {
    asserted,
    about,
    requested: policy.requested,
    scopes: policy.allowed,
    link,
    needsActorToken,
  };
}

/** The agent an operator bound the client to, or the one the assertion names; never two. */
function actorFor(
  { agentId }: ClientFacts,
  asserted: Asserted,
  refuse: (denied: Denial) => OAuthError,
): string {
  if (agentId === null) return asserted.agentId ?? '';
  if (asserted.agentId !== undefined && asserted.agentId !== agentId) throw refuse('another_actor');
  return agentId;
}

/** Whom the issuer means: as registered, or by an address that is its own to give. */
async function subjectOf(
  { db, userByEmail }: IdJagDeps,
  facts: Facts,
  { claims, issuer }: Trusted,
  rules: IdJagRules,
  refuse: (denied: Denial) => OAuthError,
): Promise<{ readonly userId: string; readonly link: boolean }> {
  const { sub } = claims;
  // P9: it is kept, and compared with what is kept.
  if (typeof sub !== 'string' || !subjectSchema.safeParse(sub).success) {
    throw refuse('untrusted_no_subject');
  }
  const mapped = await facts.identity(issuer.issuer, sub);
  if (mapped !== undefined) return { userId: mapped, link: false };
  const email = addressIn(claims, rules);
  const isWord = email !== undefined && isShowable(email);
  const user = isWord ? await userByEmail(db.orm, email) : undefined;
  if (user === undefined) throw refuse('unknown_subject');
  return { userId: user.id, link: true };
}
