/**
 * Introspection (RFC 7662) and revocation (RFC 7009) of JWT access tokens. The engine authenticates
 * the client, then refuses structured tokens; this answers in its place, so that authentication,
 * parsing and CORS stay the engine's.
 */
import type { KoaContextWithOIDC } from 'oidc-provider';
import type { AccessTokenClaims } from '../../protocol/index.js';
import type { Database } from '../db/database.js';
import { applicationOf } from '../facts/application.js';
import type { Facts, FactsCache } from '../facts/store.js';
import { requestState } from '../http/request.js';
import type { TokenReader } from '../tokens/access-tokens.js';
import { aboutToken, type ForeignDeps, noteForeign } from './foreign.js';
import { narrowCounted, receiptFor } from './receipt.js';

export interface JwtEndpointDeps extends ForeignDeps {
  readonly db: Database;
  readonly facts: FactsCache;
  readonly reader: TokenReader;
  readonly now: () => number;
}

/** One answer for expired, unknown, unrecorded, revoked, blocked and foreign (IN3). */
const INACTIVE = { active: false } as const;

/** Engine middleware: takes over where it refused a token for being a JWT. */
export function createJwtEndpoints(deps: JwtEndpointDeps) {
  return async function jwtEndpoints(
    ctx: KoaContextWithOIDC,
    next: () => Promise<unknown>,
  ): Promise<void> {
    await next();
    const route = ctx.oidc?.route;
    if (route !== 'introspection' && route !== 'revocation') return;
    if ((ctx.body as { error?: string } | undefined)?.error === 'unsupported_token_type') {
      await answerOwn(deps, ctx, route);
    }
    await noteForeign(deps, ctx);
  };
}

async function answerOwn(
  deps: JwtEndpointDeps,
  ctx: KoaContextWithOIDC,
  route: 'introspection' | 'revocation',
): Promise<void> {
  const token = String(ctx.oidc.params?.token ?? '');
  ctx.status = 200;
  if (route === 'introspection') ctx.body = await introspect(deps, ctx, token);
  else {
    ctx.body = await revoke(deps, ctx, token);
    ctx.remove('Content-Type');
  }
}

async function introspect(deps: JwtEndpointDeps, ctx: KoaContextWithOIDC, token: string) {
  const verified = await deps.reader.verify(token);
  if (verified === undefined) return INACTIVE;
  const { claims } = verified;
  if (claims.exp <= Math.floor(deps.now() / 1000)) return INACTIVE;
  const facts = await deps.facts.current();
  if (!(await mayIntrospect(facts, ctx, claims))) {
    requestState(ctx).foreign = aboutToken(claims);
    return INACTIVE;
  }
  const { alive, epoch } = await deps.reader.look(verified);
  if (!alive) return INACTIVE;
  // Something changed that this process has not heard of: perhaps whoever asks was stopped.
  if (epoch > facts.epoch && !(await stillMay(await deps.facts.fresh(), ctx, claims))) {
    return INACTIVE;
  }
  return { active: true, token_type: claims.cnf?.jkt === undefined ? 'Bearer' : 'DPoP', ...claims };
}

/** A resource server about its own audience (IN1), or a client about its own token. */
async function mayIntrospect(
  facts: Facts,
  ctx: KoaContextWithOIDC,
  claims: AccessTokenClaims,
): Promise<boolean> {
  const caller = ctx.oidc.client?.clientId;
  if (caller === claims.client_id) return true;
  const resource = await facts.resource(claims.aud);
  return resource?.client === caller && caller !== undefined;
}

/** With whatever it authenticated with, too: the engine did that on older facts. */
async function stillMay(
  facts: Facts,
  ctx: KoaContextWithOIDC,
  claims: AccessTokenClaims,
): Promise<boolean> {
  const caller = ctx.oidc.client?.clientId ?? '';
  const { credentialId } = requestState(ctx);
  const stands =
    credentialId === undefined ||
    (await facts.credentials(caller)).some(({ id }) => id === credentialId);
  const { status } = (await applicationOf(facts, caller)) ?? {};
  return stands && status === 'active' && (await mayIntrospect(facts, ctx, claims));
}

/**
 * Owner only; anyone else is told 200 and nothing happens (RFC 7009 §2.1, L6). The answer is empty
 * (§2.2): what it ended, the operator can ask for.
 */
async function revoke(
  deps: JwtEndpointDeps,
  ctx: KoaContextWithOIDC,
  token: string,
): Promise<string> {
  const verified = await deps.reader.verify(token);
  const caller = ctx.oidc.client?.clientId ?? '';
  if (verified === undefined) return '';
  const about = aboutToken(verified.claims);
  if (verified.claims.client_id !== caller) {
    requestState(ctx).foreign = about;
    return '';
  }
  // Dead already, or never recorded: there is nothing to stop, and the gate is left alone.
  if (!(await deps.reader.isAlive(verified))) return '';
  const { jti } = verified.claims;
  const { id: requestId } = requestState(ctx);
  await narrowCounted(deps.db, async (tx) => ({
    stops: [{ key: jti, always: true, reason: 'revoked by its client', by: caller }],
    receipt: await receiptFor(tx, [{ kind: 'tokens', ids: [jti] }]),
    events: [{ type: 'token.revoked', by: caller, clientId: caller, requestId, ...about }],
  }));
  return '';
}
