/** A resource server that speaks for itself: Basic with the resource's own client. */
import type { Context } from 'koa';
import { OAuthError } from '../../protocol/index.js';
import type { FactsCache } from '../facts/store.js';
import { requestState } from '../http/request.js';
import { matchSecret, parseBasic } from './client-secret.js';

export interface ResourceServer {
  readonly clientId: string;
  /** Whether a resource names this client as its own. */
  speaksFor(resource: string): Promise<boolean>;
}

/** @throws OAuthError `invalid_client` */
export async function authenticateResourceServer(
  facts: FactsCache,
  ctx: Context,
): Promise<ResourceServer> {
  const current = await facts.current();
  const basic = parseBasic(ctx.get('Authorization'));
  const credential = basic && (await matchSecret(current, basic.id, basic.secret));
  if (
    basic === undefined ||
    credential === undefined ||
    (await current.client(basic.id))?.status !== 'active'
  ) {
    ctx.set('WWW-Authenticate', 'Basic realm="behalf"');
    throw new OAuthError('invalid_client', 'client authentication failed');
  }
  requestState(ctx).credentialId = credential.id;
  requestState(ctx).story = { clientId: basic.id };
  return {
    clientId: basic.id,
    speaksFor: async (resource) => (await current.resource(resource))?.client === basic.id,
  };
}
