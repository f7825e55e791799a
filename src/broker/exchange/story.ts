/** The story of an exchange, as the issuer tells it: loaded, decided, written out as claims. */
import {
  type Act,
  childTokenId,
  formatScope,
  isTokenId,
  lineageOf,
  type OAuthError,
  type SigningAlg,
} from '../../protocol/index.js';
import type { Facts } from '../facts/store.js';
import { newTokenSegment } from '../ids.js';
import { HAND_OFF_TTL_SECONDS } from '../limits.js';
import type { VerifiedToken } from '../tokens/access-tokens.js';
import type { Issuance, Story } from '../tokens/issue.js';
import type { Refusal } from './denials.js';
import type { ExchangeDecision, ExchangeRequest } from './facts.js';
import { type ExchangeQuestion, loadExchangeFacts } from './load.js';
import { decideExchange } from './policy.js';

export interface ExchangeStory {
  readonly issuer: string;
  readonly subject: VerifiedToken;
  readonly question: ExchangeQuestion;
  readonly request: ExchangeRequest;
  /** Credentials that proved the caller and the actor. */
  readonly credentials: readonly string[];
  /** The wire's error for a refusal. */
  readonly refuse: (refusal: Refusal) => OAuthError;
  /** What the gate's refusal is called. */
  readonly refusedCode: Issuance['refusedCode'];
}

/** @returns a story that throws OAuthError when the exchange may not happen */
export function createExchangeStory(story: ExchangeStory): Story {
  const { subject, question, request } = story;
  const jti = childTokenId(subject.claims.jti, newTokenSegment());
  return async function exchangeStory(facts: Facts) {
    // A path has room for any chain; only endless continuing gets here.
    if (!isTokenId(jti)) throw story.refuse({ denied: 'too_deep' });
    const decision = decideExchange(await loadExchangeFacts(facts, question), request);
    if ('denied' in decision) throw story.refuse(decision);
    const target = await facts.resource(question.target);
    const handOff = decision.step === 'hand_off';
    return {
      claims: claimsOf(story, decision, jti),
      ttlSeconds: handOff ? HAND_OFF_TTL_SECONDS : (target?.tokenTtlSeconds ?? 0),
      expMax: decision.expMax,
      signingAlg: handOff ? 'ES256' : (target?.signingAlg as SigningAlg),
      credentials: story.credentials,
      parent: subject,
      grantId: lineageOf(jti)?.grantId,
      agentId: actorOf(decision, subject),
      detail: {
        exchange: decision.step,
        parent: subject.claims.jti,
        asked: formatScope(request.scopes ?? []),
        taken_away: decision.takenAway,
        ...historyOf(decision),
        ...(handOff ? { for: question.target, may_act: request.handOffTo } : {}),
      },
      refusedCode: story.refusedCode,
    };
  };
}

/** Who acted before, for whoever reads the audit. */
function historyOf({ chain, via }: ExchangeDecision) {
  const earlier = chain.slice(1).map(({ id }) => id);
  return {
    ...(earlier.length === 0 ? {} : { earlier_actors: earlier }),
    ...(via.length === 0 ? {} : { via }),
  };
}

/** As introspection knows the current actor (`tokens/access-tokens.ts`). */
const actorOf = ({ chain }: ExchangeDecision, { claims }: VerifiedToken): string | undefined =>
  chain[0]?.id ?? (claims.sub_profile === 'ai_agent' ? claims.sub : undefined);

function claimsOf(
  { issuer, subject: { claims: parent }, question, request }: ExchangeStory,
  decision: ExchangeDecision,
  jti: string,
): Issuance['claims'] {
  const { auth_time: authTime, acr } = parent;
  const handOff = decision.step === 'hand_off';
  return {
    iss: issuer,
    aud: handOff ? issuer : question.target,
    sub: parent.sub,
    ...(parent.sub_profile === undefined ? {} : { sub_profile: parent.sub_profile }),
    client_id: question.callerId,
    scope: formatScope(decision.granted),
    ...(decision.chain.length === 0
      ? {}
      : {
          agent_scope: formatScope(decision.agentScope ?? []),
          act: actOf(issuer, decision, parent.act),
          actor_proof: decision.actorProof ?? 'none',
        }),
    ...(decision.via.length === 0 ? {} : { via: decision.via }),
    jti,
    ...(authTime === undefined ? {} : { auth_time: authTime }),
    ...(acr === undefined ? {} : { acr }),
    ...(decision.boundToCertificate === undefined
      ? {}
      : { cnf: { 'x5t#S256': decision.boundToCertificate } }),
    ...(handOff
      ? { may_act: { sub: request.handOffTo ?? '', iss: issuer }, hand_off: question.target }
      : {}),
  };
}

/** The inherited chain is kept as it is; a new actor goes around it (TX8). */
function actOf(issuer: string, { step, chain }: ExchangeDecision, inherited: Act | undefined): Act {
  const [current] = chain;
  if ((step === 'continue' || step === 'hand_off') && inherited !== undefined) return inherited;
  return {
    sub: current?.id ?? '',
    iss: issuer,
    sub_profile: current?.profile ?? 'ai_agent',
    ...(inherited === undefined ? {} : { act: inherited }),
  };
}
