/**
 * The engine's Grant is ours, written out: it has no record of its own that could say otherwise. What
 * was read of a grant serves the whole request; the issue gate looks again at what has ended since.
 */
import type { AdapterPayload, KoaContextWithOIDC } from 'oidc-provider';
import { Provider } from 'oidc-provider';
import type { Database } from '../db/database.js';
import { findLiveGrant, type LiveGrant, type NewGrant } from '../delegation/store.js';
import { IDENTITY_SCOPES } from './request.js';

export interface EngineGrants {
  /** A live grant, read once a request. */
  read(ctx: Pick<KoaContextWithOIDC, 'req'>, id: string): Promise<LiveGrant | undefined>;
  /** What the engine's adapter finds. */
  find(id: string): Promise<AdapterPayload | undefined>;
}

export function createEngineGrants(db: Database): EngineGrants {
  const seen = new WeakMap<object, LiveGrant>();
  const read = async (ctx: Pick<KoaContextWithOIDC, 'req'>, id: string) => {
    const known = seen.get(ctx.req);
    if (known?.id === id) return known;
    const grant = await findLiveGrant(db.orm, id);
    if (grant !== undefined) seen.set(ctx.req, grant);
    return grant;
  };
  return {
    read,
    find: async (id) => {
      const ctx = Provider.ctx;
      const grant = ctx === undefined ? await findLiveGrant(db.orm, id) : await read(ctx, id);
      return grant && engineGrant(grant, grant.createdAt.getTime());
    },
  };
}

/** A grant as the engine writes one. */
export function engineGrant(grant: NewGrant, sinceMs: number): AdapterPayload {
  const identity = grant.scopes.filter((scope) => IDENTITY_SCOPES.some((known) => known === scope));
  const atResource = grant.scopes.filter((scope) => !identity.includes(scope));
  return {
    kind: 'Grant',
    jti: grant.id,
    iat: Math.floor(sinceMs / 1000),
    exp: Math.floor(grant.expiresAt.getTime() / 1000),
    accountId: grant.userId,
    clientId: grant.clientId,
    ...(identity.length > 0 ? { openid: { scope: identity.join(' ') } } : {}),
    ...(grant.resource !== '' && atResource.length > 0
      ? { resources: { [grant.resource]: atResource.join(' ') } }
      : {}),
  } as AdapterPayload;
}
