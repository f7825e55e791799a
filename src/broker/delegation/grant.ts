/**
 * The authorization code and refresh token grants, wrapped (DESIGN §8a). Owns what happens around
 * the engine's own handlers: replay, the proof of the actor, the decision. The order matters: the
 * code's client, PKCE and redirect first, so that a thief's attempt costs nobody anything; then the
 * actor, its single use claimed last, just before the engine consumes the code.
 */
import { createHash } from 'node:crypto';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { type ActorProof, isSubset, OAuthError, parseScope } from '../../protocol/index.js';
import { resourceSpellings } from '../facts/resource-spellings.js';
import type { Facts } from '../facts/store.js';
import { requestState } from '../http/request.js';
import type { GrantHandler } from '../provider/broker-provider.js';
import { rethrow } from '../provider/errors.js';
import { readDpopProof } from '../provider/internals.js';
import { bound } from '../tokens/binding.js';
import type { Issuer, Story } from '../tokens/issue.js';
import { because } from './denials.js';
import { type ProvingDeps, proveActor } from './proving.js';
import { answerAgain, keepRefreshAnswer, type ReplayDeps, refuseReplay, useUp } from './replay.js';
import { refuseForStepUp, type StepUpDeps } from './step-up.js';
import type { GrantRow, LiveGrant } from './store.js';
import { createDelegationStory } from './story.js';
import { tellGrant, tellSource } from './told.js';

/** Parameters these grants take beyond the engine's own. */
export const DELEGATION_PARAMETERS = ['actor_token', 'actor_token_type'] as const;

export interface DelegationGrantDeps extends ProvingDeps, ReplayDeps, StepUpDeps {
  readonly issuer: string;
  readonly tokens: Issuer;
  /** A live grant, read once a request. */
  readonly readGrant: (ctx: KoaContextWithOIDC, id: string) => Promise<LiveGrant | undefined>;
  /** Whether everyone in a grant, and what its scopes mean, is still what its user agreed to. */
  readonly termsStand: (facts: Facts, grant: LiveGrant) => Promise<boolean>;
}

/** The members of a code or refresh token that the wrappers read. */
interface Source {
  readonly clientId?: string | undefined;
  readonly grantId?: string | undefined;
  readonly scope?: string | undefined;
  readonly consumed?: unknown;
  readonly isExpired: boolean;
  readonly authTime?: number | undefined;
  readonly acr?: string | undefined;
  readonly jkt?: string | undefined;
}
type Code = Source & { readonly codeChallenge?: string; readonly redirectUri?: string };

/** Wraps the engine's `authorization_code` handler. */
export function wrapAuthorizationCode(
  deps: DelegationGrantDeps,
  inner: GrantHandler,
): GrantHandler {
  return async function authorizationCodeGrant(ctx) {
    const params = ctx.oidc.params ?? {};
    const code = (await deps
      .provider()
      .AuthorizationCode.find(String(params.code ?? ''), { ignoreExpiration: true })) as
      | Code
      | undefined;
    // Unknown, foreign, expired or ill-proved: the engine's own answer, and nothing is touched.
    if (code === undefined) return inner(ctx);
    const isForeign = code.clientId !== ctx.oidc.client?.clientId;
    if (!isForeign && code.consumed) await refuseReplay(deps, ctx, code, 'code.replayed');
    if (isForeign || code.isExpired || !provesPossession(code, params)) {
      await tellSource(deps.db.orm, ctx, code);
      return inner(ctx);
    }
    await prepare(deps, ctx, code, { isNew: true, earlier: () => undefined }).catch(rethrow);
    return useUp(deps, ctx, code, () => inner(ctx));
  };
}

/** Wraps the engine's `refresh_token` handler: everything is decided again, nothing widens. */
export function wrapRefreshToken(deps: DelegationGrantDeps, inner: GrantHandler): GrantHandler {
  return async function refreshTokenGrant(ctx) {
    const params = ctx.oidc.params ?? {};
    const token = (await deps
      .provider()
      .RefreshToken.find(String(params.refresh_token ?? ''), { ignoreExpiration: true })) as
      | Source
      | undefined;
    if (token === undefined) return inner(ctx);
    if (token.clientId !== ctx.oidc.client?.clientId) {
      await tellSource(deps.db.orm, ctx, token);
      return inner(ctx);
    }
    const session = { isNew: false, earlier: earlierProof };
    if (token.consumed) {
      const decide = () => prepare(deps, ctx, token, { ...session, again: true }).catch(rethrow);
      if (await answerAgain(deps, ctx, token, decide)) return undefined;
      await refuseReplay(deps, ctx, token, 'refresh_token.replayed');
    }
    if (token.isExpired) {
      await tellSource(deps.db.orm, ctx, token);
      return inner(ctx);
    }
    await refuseForStepUp(deps, ctx, token).catch(rethrow);
    await prepare(deps, ctx, token, session).catch(rethrow);
    await useUp(deps, ctx, token, () => inner(ctx));
    return keepRefreshAnswer(deps, ctx, token);
  };
}

/** PKCE (RFC 7636 §4.6) and redirect_uri (RFC 6749 §4.1.3), as the engine will check them again. */
function provesPossession(code: Code, params: Record<string, unknown>): boolean {
  const verifier = params.code_verifier;
  if (typeof verifier !== 'string' || params.redirect_uri !== code.redirectUri) return false;
  return createHash('sha256').update(verifier).digest('base64url') === code.codeChallenge;
}

/** What the redemption proved the actor by; before that was noted, only tokens did. */
const earlierProof = ({ actorProof }: GrantRow): ActorProof =>
  (actorProof ?? 'token') as ActorProof;

async function prepare(
  deps: DelegationGrantDeps,
  ctx: KoaContextWithOIDC,
  source: Source,
  session: {
    /**
     * One that has begun goes on under other terms until it ends, and the next one asks (§8a 6); what
     * narrows counts at once. One that has not begun asks first (D7).
     */
    readonly isNew: boolean;
    readonly earlier: (grant: GrantRow) => ActorProof | undefined;
    /** Nothing is issued, so that no proof is used up. */
    readonly again?: boolean;
  },
): Promise<void> {
  const grant = await deps.readGrant(ctx, source.grantId ?? '');
  if (grant === undefined) {
    await tellSource(deps.db.orm, ctx, source);
    const reason = `ended: grant ${source.grantId}`;
    const ended = 'the authorization has ended: start a new one';
    throw because(new OAuthError('invalid_grant', ended, reason), { rule: 'ended' });
  }
  tellGrant(ctx, grant, source.scope);
  const asked = readAsked(ctx.oidc.params ?? {}, grant, parseScope(source.scope));
  const proof = await proveActor(deps, ctx, grant, session.earlier(grant));
  const told = createDelegationStory({
    issuer: deps.issuer,
    grant,
    actorProof: proof?.kind,
    actorCredentialId: proof?.credentialId ?? null,
    clientCredentialId: requestState(ctx).credentialId,
    authTime: source.authTime,
    acr: source.acr,
  });
  const inTerms: Story = async (facts, requested) => {
    const decided = await told(facts, requested);
    if (session.isNew && !(await deps.termsStand(facts, grant))) throw termsChanged(grant);
    return decided;
  };
  const story = bound(ctx, grant.clientId, await readDpopProof(ctx), inTerms);
  // Decide before anything is used up; the gate has it decided again if the facts are old.
  await story(
    await deps.facts.current(),
    asked.filter((one) => grant.scopes.includes(one)),
  );
  if (session.again === true) return;
  await proof?.settle();
  deps.tokens.tell(ctx, story);
}

/** The scopes a token request asks for. The engine looks at these only when it uses its source up (C8). */
function readAsked(
  params: Record<string, unknown>,
  grant: GrantRow,
  granted: readonly string[],
): readonly string[] {
  const { resource, scope } = params;
  const spelled = typeof resource === 'string' ? resourceSpellings(resource) : [resource];
  if (resource !== undefined && !spelled.includes(grant.resource))
    throw because(new OAuthError('invalid_target', 'resource is not the one that was authorized'), {
      rule: 'not_consented_target',
    });
  if (resource !== undefined) params.resource = grant.resource;
  const asked = scope === undefined ? granted : parseScope(String(scope));
  if (!isSubset(asked, granted))
    throw because(new OAuthError('invalid_scope', 'a requested scope was not granted'), {
      rule: 'widens',
    });
  return asked;
}

const termsChanged = ({ id }: GrantRow): OAuthError =>
  because(
    new OAuthError(
      'invalid_grant',
      'what was agreed to has changed: start a new authorization',
      `terms_changed: grant ${id}`,
    ),
    { rule: 'terms_changed' },
  );
