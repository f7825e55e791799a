/**
 * `urn:ietf:params:oauth:grant-type:token-exchange` (RFC 8693, DESIGN §8c). Owns the order: parse,
 * verify what was sent into facts, decide, use up what is single-use, pass the gate, sign. What was
 * refused costs nobody their actor token or hand-off.
 */
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import { OAuthError, TOKEN_TYPE } from '../../protocol/index.js';
import type { Database } from '../db/database.js';
import type { ActorProver, ActorTokenProof } from '../delegation/actor-proof.js';
import type { Facts, FactsCache } from '../facts/store.js';
import { requestState } from '../http/request.js';
import { rethrow } from '../provider/errors.js';
import { type DpopProof, readDpopProof, useDpopProof } from '../provider/internals.js';
import type { TokenReader, VerifiedToken } from '../tokens/access-tokens.js';
import { answerWithToken } from '../tokens/answer.js';
import { bound, type Shown, shownIn } from '../tokens/binding.js';
import type { Issuer } from '../tokens/issue.js';
import { type ErrorProfile, exchangeError, type Refusal } from './denials.js';
import { callerMayExchange, type Proved, placeOf } from './load.js';
import { type ExchangeParameters, readExchange } from './request.js';
import { readSubject, takeUp } from './store.js';
import { createExchangeStory } from './story.js';
import { toldOf } from './told.js';

export interface ExchangeDeps {
  readonly db: Database;
  readonly issuer: string;
  readonly facts: FactsCache;
  readonly reader: TokenReader;
  readonly actors: ActorProver;
  readonly tokens: Issuer;
  readonly provider: () => Provider;
  readonly now: () => number;
  readonly errors: ErrorProfile;
  readonly actDepthMax: number | undefined;
}

export function createTokenExchange(
  deps: ExchangeDeps,
): (ctx: KoaContextWithOIDC) => Promise<void> {
  return async function tokenExchangeGrant(ctx): Promise<void> {
    const proof = await readDpopProof(ctx);
    const audience = await prepare(deps, ctx, proof).catch(rethrow);
    await answerWithToken(ctx, await deps.facts.current(), {
      audience,
      boundTo: proof?.thumbprint,
      more: { issued_token_type: TOKEN_TYPE.accessToken },
    });
  };
}

/** Everything up to the gate; throws before anything leaves, uses up last. */
async function prepare(
  deps: ExchangeDeps,
  ctx: KoaContextWithOIDC,
  dpop: DpopProof | undefined,
): Promise<string> {
  const { client, params = {} } = ctx.oidc;
  const { credentialId } = requestState(ctx);
  if (client === undefined || credentialId === undefined) {
    throw new OAuthError('unauthorized_client', 'token exchange needs client authentication');
  }
  const asked = await named(await deps.facts.current(), deps.issuer, readExchange(params));
  const shown = shownIn(ctx, dpop);
  const proved = { provedKey: dpop?.thumbprint, provedCertificate: shown.certificate };
  const { actDepthMax } = deps;
  const callerId = client.clientId;
  const refuse = (refusal: Refusal): OAuthError =>
    exchangeError(deps.errors, refusal, `caller ${callerId}`);
  const tell = ({ claims }: VerifiedToken, presenter: Proved | undefined): string => {
    const target = targetOf(deps.issuer, asked, claims);
    const { scopes } = asked;
    const told = { claims, callerId, presenter, target, scopes, actDepthMax };
    requestState(ctx).story = toldOf({ ...told, ...proved });
    return target;
  };
  const subject = await verifySubject(deps, asked, callerId, { tell, refuse });
  const proof = await proveActor(deps, asked, shown, refuse);
  const presenter = await presenterOf(deps, callerId, proof);
  const target = tell(subject, presenter);
  const state = await readSubject(deps.db, subject);
  if (!state.alive) throw refuse({ denied: 'unusable_subject' });
  const exchanged = createExchangeStory({
    issuer: deps.issuer,
    subject,
    question: {
      claims: subject.claims,
      state,
      callerId,
      presenter,
      target,
      helperId: asked.requestedActor,
      ...proved,
      actDepthMax,
    },
    request: { scopes: asked.scopes, handOffTo: asked.requestedActor },
    credentials: [credentialId, ...(proof === undefined ? [] : [proof.credentialId])],
    refuse,
    refusedCode: deps.errors === 'rfc8693' ? 'invalid_request' : 'invalid_grant',
  });
  const story = bound(ctx, callerId, dpop, exchanged);
  await story(await deps.facts.current(), []);
  await useDpopProof(ctx, dpop);
  await proof?.claim().catch(notProved(refuse));
  if (subject.claims.may_act !== undefined && !(await takeUp(deps.db, subject))) {
    throw refuse({ denied: 'unusable_subject' });
  }
  deps.tokens.tell(ctx, story);
  return asked.requestedActor === undefined ? target : deps.issuer;
}

/** Where it is to go, as that is registered. */
async function named(
  facts: Facts,
  issuer: string,
  asked: ExchangeParameters,
): Promise<ExchangeParameters> {
  const { target } = asked;
  if (target === undefined || target === issuer) return asked;
  return { ...asked, target: await facts.resourceNamed(target) };
}

/**
 * Ours, an access token, in time, and no actor token (TX4, X4). Whose it is, is told first, for the
 * audit; whoever may not exchange learns nothing about it.
 */
async function verifySubject(
  deps: ExchangeDeps,
  { subjectToken }: ExchangeParameters,
  callerId: string,
  on: {
    readonly tell: (subject: VerifiedToken, presenter: Proved | undefined) => void;
    readonly refuse: (refusal: Refusal) => OAuthError;
  },
): Promise<VerifiedToken> {
  const subject = await deps.reader.verify(subjectToken);
  if (subject !== undefined) on.tell(subject, await presenterOf(deps, callerId, undefined));
  if (!(await callerMayExchange(await deps.facts.current(), callerId))) {
    throw on.refuse({ denied: 'may_not_exchange' });
  }
  if (subject === undefined) throw on.refuse({ denied: 'unusable_subject' });
  const { claims } = subject;
  const isHandOff = claims.may_act !== undefined;
  const forIssuer = claims.aud === deps.issuer;
  if (forIssuer !== isHandOff || claims.exp <= Math.floor(deps.now() / 1000)) {
    throw on.refuse({ denied: 'unusable_subject' });
  }
  return subject;
}

async function proveActor(
  deps: ExchangeDeps,
  { actorToken }: ExchangeParameters,
  shown: Shown,
  refuse: (refusal: Refusal) => OAuthError,
): Promise<ActorTokenProof | undefined> {
  if (actorToken === undefined) return undefined;
  return deps.actors
    .identify({ actorToken, actorTokenType: undefined, shown })
    .catch(notProved(refuse));
}

/** In this grant's words; what failed for another reason proves nothing either way (DESIGN §10). */
const notProved =
  (refuse: (refusal: Refusal) => OAuthError) =>
  (error: unknown): never => {
    throw error instanceof OAuthError ? refuse({ denied: 'unusable_actor' }) : error;
  };

/** The agent an actor token proves, or the caller itself, or the agent the caller is bound to. */
async function presenterOf(
  deps: ExchangeDeps,
  callerId: string,
  proof: ActorTokenProof | undefined,
): Promise<Proved | undefined> {
  if (proof !== undefined) {
    return { id: proof.agentId, proof: 'token', expiresAt: proof.expiresAt };
  }
  const facts = await deps.facts.current();
  if ((await facts.agent(callerId)) !== undefined) return { id: callerId, proof: 'client_auth' };
  const client = await facts.client(callerId);
  if (client?.agentId) return { id: client.agentId, proof: 'client_binding' };
  return client?.kind === 'service' ? { id: callerId, proof: 'client_auth' } : undefined;
}

/** Where the subject token is good, unless the request goes on; a hand-off may name the issuer. */
function targetOf(
  issuer: string,
  { target, requestedActor }: ExchangeParameters,
  claims: VerifiedToken['claims'],
): string {
  if (target === undefined) return placeOf(claims);
  return requestedActor !== undefined && target === issuer ? placeOf(claims) : target;
}
