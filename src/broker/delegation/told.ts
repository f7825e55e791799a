/** Whom a code or refresh token is about, for the audit: also when it is refused, or used again. */

import type { Executor } from '../db/database.js';
import { type RequestContext, requestState } from '../http/request.js';
import { findGrant } from './queries.js';
import type { GrantRow } from './store.js';

export function tellGrant(ctx: RequestContext, grant: GrantRow, asked: string | undefined): void {
  requestState(ctx).story = {
    sub: grant.userId,
    agentId: grant.agentId || undefined,
    grantId: grant.id,
    resource: grant.resource || undefined,
    detail: { consent: grant.consentId, asked },
  };
}

/** Whatever became of its grant; for requests that are refused, which may cost a statement more. */
export async function tellSource(
  db: Executor,
  ctx: RequestContext,
  {
    grantId,
    scope,
  }: { readonly grantId?: string | undefined; readonly scope?: string | undefined },
): Promise<void> {
  const grant = grantId === undefined ? undefined : await findGrant(db, grantId);
  if (grant !== undefined) tellGrant(ctx, grant, scope);
}
