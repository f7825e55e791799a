/**
 * Where the engine asks about consent: the check of a request before any page, the grant that
 * serves an authorization, and whether the page must be shown. The engine's own grant loading
 * would serve agent B from agent A's consent: this one never does.
 */
import type { Grant, KoaContextWithOIDC } from 'oidc-provider';
import { errors, interactionPolicy } from 'oidc-provider';
import { formatScope, OAuthError } from '../../protocol/index.js';
import { sessionKey } from '../artifact-key.js';
import { createGrant } from '../delegation/approve.js';
import type { GrantRow } from '../delegation/store.js';
import { requestState } from '../http/request.js';
import { rethrow } from '../provider/errors.js';
import {
  checkAcrValues,
  checkEssentialAcr,
  mustSignInAgain,
  SIGN_IN_TOO_OLD,
} from './authentication.js';
import { type ConsentHookDeps, coveringConsent } from './covering.js';
import { engineGrant } from './engine-grants.js';
import {
  type AuthorizationRequest,
  checkBeforeSignIn,
  readAuthorizationRequest,
} from './request.js';
import { hasJoined, isOver } from './signed-in.js';

/** Runs after client, redirect_uri, PKCE and scope syntax were checked, at /authorize and /par. */
export function createRequestCheck(deps: ConsentHookDeps) {
  return async function checkRequest(ctx: KoaContextWithOIDC): Promise<void> {
    const params = ctx.oidc.params ?? {};
    try {
      if (isEmptyParameter(ctx, 'requested_actor')) {
        throw new OAuthError('invalid_request', 'requested_actor must not be empty');
      }
      if (Object.values(params).some((value) => String(value ?? '').includes('\0'))) {
        throw new OAuthError('invalid_request', 'a parameter holds a NUL character');
      }
      // The engine also knows fragment, which codes must not travel in (A7).
      if (!RESPONSE_MODES.has(params.response_mode)) {
        throw new OAuthError('invalid_request', 'response_mode must be query or form_post');
      }
      const facts = await deps.facts.fresh();
      const request = await readAuthorizationRequest(facts, params);
      await deps.admitClient(ctx);
      await checkBeforeSignIn(facts, request);
      checkAcrValues(params.acr_values, request);
      // From here on the request says what it means: the resource as it is registered, base scopes
      // filled in, hierarchy written out.
      nameResource(ctx, request.resource);
      params.scope = formatScope([...request.requested, ...request.identityScopes]);
    } catch (error) {
      rethrow(error);
    }
  };
}

/** A client may write a resource in its own way (`resourceSpellings`): the engine goes on with ours. */
function nameResource(ctx: KoaContextWithOIDC, identifier: string): void {
  const { params = {}, resourceServers = {} } = ctx.oidc;
  const spelled = String([params.resource].flat()[0] ?? '');
  const server = resourceServers[spelled];
  if (identifier === '' || spelled === identifier || server === undefined) return;
  delete resourceServers[spelled];
  resourceServers[identifier] = new ctx.oidc.provider.ResourceServer(identifier, server);
  params.resource = identifier;
}

/** Reads of the `claims` parameter what has to fail, and keeps nothing of it. */
export function checkClaimsParameter(ctx: KoaContextWithOIDC, claims: unknown): void {
  try {
    if (claims !== undefined) checkEssentialAcr(claims);
  } catch (error) {
    rethrow(error);
  }
  if (ctx.oidc.params !== undefined) ctx.oidc.params.claims = undefined;
}

const RESPONSE_MODES = new Set<unknown>([undefined, 'query', 'form_post']);

/** The engine drops empty parameters; OB2 wants them refused, where they count (RFC 9101 §6.3). */
function isEmptyParameter(ctx: KoaContextWithOIDC, name: string): boolean {
  const source = (ctx.method === 'POST' ? ctx.oidc.body : ctx.query) as
    | Record<string, unknown>
    | undefined;
  const standsAlone = source?.request === undefined && source?.request_uri === undefined;
  return standsAlone && source?.[name] === '';
}

/** The engine's policy with one question left about consent: is there a grant for this request? */
export function createInteractionPolicy(
  deps: Pick<ConsentHookDeps, 'db' | 'facts' | 'now'>,
): interactionPolicy.DefaultPolicy {
  const policy = interactionPolicy.base();
  const { Check } = interactionPolicy;
  const login = policy.get('login');
  login?.checks.add(
    new Check(
      'session_ended',
      'End-User authentication is required',
      'login_required',
      async (ctx) =>
        (await isOver(await deps.facts.current(), ctx.oidc.session)) ||
        !(await hasJoined(deps.db, ctx)),
    ),
  );
  login?.checks.add(
    new Check(
      SIGN_IN_TOO_OLD,
      'what is asked for needs a recent sign-in',
      'login_required',
      (ctx) => mustSignInAgain(deps, ctx),
    ),
  );
  const consent = policy.get('consent');
  if (consent === undefined) throw new Error('the engine has no consent prompt');
  const prompt = consent.checks.get('consent_prompt');
  consent.checks.clear();
  if (prompt !== undefined) consent.checks.add(prompt);
  consent.checks.add(
    new Check('not_granted', 'consent is needed', 'consent_required', (ctx) => {
      const grant = ctx.oidc.entities.Grant;
      return grant?.jti === undefined ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT;
    }),
  );
  return policy;
}

/** A fresh grant under a covering consent, or the one just approved; otherwise none. */
export function createGrantLoader(deps: ConsentHookDeps) {
  const signIn = createInteractionPolicy(deps).get('login');
  const load = async (ctx: KoaContextWithOIDC): Promise<Grant | Overtaken | undefined> => {
    const { session, client, result } = ctx.oidc;
    const params = ctx.oidc.params ?? {};
    if (session?.accountId === undefined || client === undefined) return undefined;
    // The session's slot is per client and knows no agent: it is never an answer here.
    delete session.authorizations?.[client.clientId]?.grantId;
    // At the endpoint the check of the request asked for the newest; a yes on our page was written
    // on nothing older, and the code's redemption decides again.
    const approved = result?.consent?.grantId;
    const isNew = approved !== undefined || ctx.oidc.route === 'authorization';
    const facts = await (isNew ? deps.facts.current() : deps.facts.fresh());
    // What the client may be answered at can have changed since the request was checked (K11).
    const redirectUri = String(params.redirect_uri);
    if (!client.redirectUriAllowed(redirectUri)) throw new errors.InvalidRedirectUri();
    // They will be asked to sign in first: nothing begins for whoever sits there now.
    for (const { check } of signIn?.checks ?? []) if (await check(ctx)) return undefined;
    const request = await readAuthorizationRequest(facts, params).catch(rethrow);
    if (approved !== undefined)
      return approvedGrant(deps, ctx, approved, request, session.accountId);
    if (ctx.oidc.prompts.has('consent')) return undefined;
    return grantInSilence(deps, ctx, request, session.accountId);
  };
  return async function loadExistingGrant(ctx: KoaContextWithOIDC): Promise<Grant | undefined> {
    const grant = await load(ctx);
    if (grant !== OVERTAKEN) return grant;
    // Once more on the newest facts, who is signed in among them; then somebody is asked.
    await deps.facts.fresh();
    const again = await load(ctx);
    return again === OVERTAKEN ? undefined : again;
  };
}

/** The facts it was decided on were the newest no more: nothing was written. */
const OVERTAKEN = Symbol('overtaken');
type Overtaken = typeof OVERTAKEN;

async function approvedGrant(
  deps: ConsentHookDeps,
  ctx: KoaContextWithOIDC,
  grantId: string,
  request: AuthorizationRequest,
  userId: string,
): Promise<Grant | undefined> {
  const row = await deps.grants.read(ctx, grantId);
  if (row === undefined || !isFor(row, request, userId)) return undefined;
  return deps.provider().Grant.find(grantId);
}

const isFor = (row: GrantRow, request: AuthorizationRequest, userId: string): boolean =>
  row.userId === userId &&
  row.clientId === request.clientId &&
  row.agentId === request.agentId &&
  row.resource === request.resource;

async function grantInSilence(
  deps: ConsentHookDeps,
  ctx: KoaContextWithOIDC,
  request: AuthorizationRequest,
  userId: string,
): Promise<Grant | Overtaken | undefined> {
  const covering = await coveringConsent(deps, request, userId).catch(rethrow);
  if (covering === undefined) return undefined;
  const { uid = '' } = ctx.oidc.session ?? {};
  const { consent, covered, epoch } = covering;
  const origin = { requestId: requestState(ctx).id, session: sessionKey(uid) };
  const row = await createGrant(deps.db.orm, consent, covered, origin, epoch);
  if (row === undefined) return OVERTAKEN;
  requestState(ctx).madeGrantId = row.id;
  return new (deps.provider().Grant)(engineGrant(row, deps.now()) as never);
}
