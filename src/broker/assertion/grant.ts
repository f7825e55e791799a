/**
 * `urn:ietf:params:oauth:grant-type:jwt-bearer` (RFC 7523 §2.1) for identity assertions of trusted
 * issuers. Owns the order: verify and decide, prove the actor, use up what is single-use, pass the gate,
 * sign. What was refused costs nobody their assertion. There is no refresh token: the issuer is asked
 * again instead (ID-JAG §4.4.1).
 */
import type { KoaContextWithOIDC } from 'oidc-provider';
import { isScopeToken, OAuthError, parseScope } from '../../protocol/index.js';
import type { ActorProver, ActorTokenProof } from '../delegation/actor-proof.js';
import { abandonGrant } from '../delegation/ends.js';
import type { GrantRow } from '../delegation/store.js';
import { createDelegationStory } from '../delegation/story.js';
import { applicationOf } from '../facts/application.js';
import type { Facts, FactsCache } from '../facts/store.js';
import { requestState } from '../http/request.js';
import { rethrow } from '../provider/errors.js';
import { type DpopProof, readDpopProof, useDpopProof } from '../provider/internals.js';
import { answerWithToken } from '../tokens/answer.js';
import { bound, checkShown, type Shown, shownIn } from '../tokens/binding.js';
import type { Issuance, Issuer, Story } from '../tokens/issue.js';
import type { Trusted } from '../trust/verify.js';
import { assertionError } from './denials.js';
import {
  decideIdJag,
  type IdJagDecision,
  type IdJagDeps,
  type IdJagRequest,
  readIdJag,
} from './id-jag.js';
import { writeAssertion } from './store.js';

export const ASSERTION_PARAMETERS = [
  'assertion',
  'resource',
  'scope',
  'actor_token',
  'actor_token_type',
] as const;
/** May come more than once, to be refused with the right word (`invalid_target`). */
export const ASSERTION_REPEATABLE = ['resource'] as const;

export interface AssertionDeps extends IdJagDeps {
  readonly facts: FactsCache;
  readonly actors: ActorProver;
  readonly tokens: Issuer;
  /** What an agent or service gets on its own authority (`client_credentials`). */
  readonly ownToken: (ctx: KoaContextWithOIDC) => Promise<unknown>;
}

export function createAssertionGrant(
  deps: AssertionDeps,
): (ctx: KoaContextWithOIDC) => Promise<void> {
  return async function assertionGrant(ctx): Promise<void> {
    // MCP WIF: the assertion has proved who asks (`workload/`), and is for nobody else.
    if (requestState(ctx).workload?.asGrant === true) return void (await deps.ownToken(ctx));
    const proof = await readDpopProof(ctx);
    const resource = await prepare(deps, ctx, proof).catch((error: unknown) => {
      // An issuer's keys, or a policy that keeps changing: not now, and nothing is wrong.
      const isLater = error instanceof OAuthError && error.code === 'temporarily_unavailable';
      if (isLater) ctx.set('Retry-After', String(RETRY_AFTER_SECONDS));
      return rethrow(error);
    });
    await answerWithToken(ctx, await deps.facts.current(), {
      audience: resource,
      boundTo: proof?.thumbprint,
    });
  };
}

const RETRY_AFTER_SECONDS = 1;
/** The policy changes while it is decided upon; it does not do so for ever. */
const ATTEMPTS_MAX = 5;

async function prepare(
  deps: AssertionDeps,
  ctx: KoaContextWithOIDC,
  dpop: DpopProof | undefined,
): Promise<string> {
  const { client, params = {} } = ctx.oidc;
  if (client === undefined || requestState(ctx).credentialId === undefined) {
    throw new OAuthError('unauthorized_client', 'this grant needs client authentication');
  }
  const request = readRequest(client.clientId, params, dpop?.thumbprint);
  const word = await readIdJag(deps, request);
  tellWhose(ctx, word, request);
  const first = await decideIdJag(deps, await deps.facts.current(), word, request);
  requestState(ctx).story = {
    ...requestState(ctx).story,
    sub: first.about.userId,
    agentId: first.about.agentId || undefined,
    resource: first.about.resource,
  };
  checkShown(ctx, await applicationOf(await deps.facts.current(), client.clientId), dpop);
  const proof = await proveActor(deps, params, first, request, shownIn(ctx, dpop));
  await useDpopProof(ctx, dpop);
  const { grant, decision } = await write(deps, ctx, word, request);
  await proof?.claim(grant.id).catch(async (error: unknown) => {
    // Another request used the actor token meanwhile: nothing comes of this authorization.
    await abandonGrant(deps.db, grant.id, requestState(ctx).id);
    throw error;
  });
  const story = storyOf(deps, word, request, { grant, decision, proof, ctx });
  deps.tokens.tell(ctx, bound(ctx, client.clientId, dpop, story));
  return decision.about.resource;
}

function readRequest(
  clientId: string,
  params: Readonly<Record<string, unknown>>,
  provedKey: string | undefined,
): IdJagRequest {
  const { assertion, resource, scope } = params;
  if (typeof assertion !== 'string' || assertion === '') {
    throw new OAuthError('invalid_request', 'assertion is required');
  }
  if (Array.isArray(resource)) {
    throw new OAuthError('invalid_target', 'ask for one resource at a time');
  }
  const scopes = parseScope(typeof scope === 'string' ? scope : undefined);
  if (!scopes.every(isScopeToken)) throw new OAuthError('invalid_scope', 'scope is malformed');
  const named = typeof resource === 'string' && resource !== '' ? resource : undefined;
  return { clientId, assertion, resource: named, scopes, provedKey };
}

const detailOf = ({ issuer, claims }: Trusted) => ({
  asserted_by: issuer.issuer,
  asserted_sub: claims.sub,
  assertion: claims.jti,
});

/** For the audit, should it be refused: by whose word, before anybody knows whom it means. */
function tellWhose(ctx: KoaContextWithOIDC, word: Trusted, { scopes }: IdJagRequest): void {
  const asked = scopes.length > 0 ? scopes.join(' ') : word.claims.scope;
  requestState(ctx).story = { detail: { ...detailOf(word), asked } };
}

/** The agent is the client, or bound to it; or it proves itself. */
async function proveActor(
  { actors }: AssertionDeps,
  params: Readonly<Record<string, unknown>>,
  { about, needsActorToken }: IdJagDecision,
  { clientId }: IdJagRequest,
  shown: Shown,
): Promise<ActorTokenProof | undefined> {
  const { actor_token: actorToken, actor_token_type: type } = params;
  if (about.agentId === '') {
    if (actorToken === undefined) return undefined;
    throw new OAuthError('invalid_grant', 'this assertion names no agent: send no actor_token');
  }
  if (actorToken === undefined) {
    if (!needsActorToken) return undefined;
    throw assertionError('actor_not_proved', `client ${clientId}, agent ${about.agentId}`);
  }
  return actors.prove({
    actorToken: String(actorToken),
    actorTokenType: type === undefined ? undefined : String(type),
    agentId: about.agentId,
    shown,
  });
}

/** Written under the facts it was decided on, or decided again on the newest. */
async function write(
  deps: AssertionDeps,
  ctx: KoaContextWithOIDC,
  word: Trusted,
  request: IdJagRequest,
): Promise<{ readonly grant: GrantRow; readonly decision: IdJagDecision }> {
  for (let n = 0; n < ATTEMPTS_MAX; n += 1) {
    const facts = n === 0 ? await deps.facts.current() : await deps.facts.fresh();
    const decision = await decideIdJag(deps, facts, word, request);
    const outcome = await writeAssertion(deps.db, {
      issuer: word.issuer.issuer,
      subject: String(word.claims.sub),
      jti: decision.asserted.jti,
      expiresAt: Math.floor(Number(word.claims.exp)),
      about: decision.about,
      scopes: decision.scopes,
      link: decision.link,
      epoch: facts.epoch,
      requestId: requestState(ctx).id,
    });
    if (typeof outcome === 'object') return { grant: outcome, decision };
    if (outcome === 'stale') continue;
    const denied = outcome === 'used' ? 'used_before' : 'recycled_subject';
    throw assertionError(denied, `client ${request.clientId}, issuer ${word.issuer.issuer}`);
  }
  throw new OAuthError('temporarily_unavailable', 'the policy is changing: try again');
}

/** As any delegation's, once the issuer still may say so. */
function storyOf(
  deps: AssertionDeps,
  word: Trusted,
  request: IdJagRequest,
  made: {
    readonly grant: GrantRow;
    readonly decision: IdJagDecision;
    readonly proof: ActorTokenProof | undefined;
    readonly ctx: KoaContextWithOIDC;
  },
): Story {
  const { grant, decision, proof, ctx } = made;
  const byClient = grant.agentId === grant.clientId ? 'client_auth' : 'client_binding';
  const inner = createDelegationStory({
    issuer: deps.issuer,
    grant,
    actorProof: grant.agentId === '' ? undefined : proof === undefined ? byClient : 'token',
    actorCredentialId: proof?.credentialId ?? null,
    clientCredentialId: requestState(ctx).credentialId,
    authTime: decision.asserted.authTime,
    acr: undefined,
  });
  return async function assertedStory(facts: Facts): Promise<Issuance> {
    // The subject means somebody by now, also where an address found them.
    await decideIdJag(deps, facts, word, request);
    const issuance = await inner(facts, decision.requested);
    return { ...issuance, detail: { ...issuance.detail, ...detailOf(word) } };
  };
}
