/**
 * Stepping up through a client that cannot (Q16). Version 1 of the MCP SDK answers `insufficient_scope`
 * with a refresh, which widens nothing, and gives up. Where the operator wants it, the first refresh
 * right after the resource's own server reported such a refusal is `invalid_grant`: the client drops its
 * tokens and asks the user, for the scopes it was challenged with. The grant, its tokens and the refresh
 * token itself live on, should the user say no elsewhere or another host share them.
 */
import type { KoaContextWithOIDC } from 'oidc-provider';
import { OAuthError } from '../../protocol/index.js';
import type { Database } from '../db/database.js';
import { because } from './denials.js';
import type { LiveGrant } from './store.js';
import { tellGrant } from './told.js';

export interface StepUpDeps {
  readonly db: Database;
  /** Whether the operator wants it. */
  readonly stepUpByRefresh: boolean;
  readonly readGrant: (ctx: KoaContextWithOIDC, id: string) => Promise<LiveGrant | undefined>;
}

/**
 * Answers one report, once, and an old one never: a client that goes on with what it has is left alone.
 * Only a report about a token of this very grant counts, from the server of the grant's own resource
 * (`audit/decisions.ts` lets nobody else report for it), and only where the user could give what lacks.
 */
const ANSWER_REPORT = `
insert into artifacts (model, id, payload, grant_id, expires_at)
select 'StepUp', $1 || '.' || report.id, '{}', $1, clock_timestamp() + interval '5 minutes'
from (
  select max(refused.id) as id from audit_events refused
  where refused.grant_id = $1 and refused.type = 'tool.refused' and refused.resource = $2
    and refused.at > clock_timestamp() - interval '30 seconds'
    and refused.detail ->> 'code' = 'insufficient_scope'
    and jsonb_array_length(refused.detail -> 'missing_user') > 0
    and exists (
      select 1 from audit_events issued
      where issued.type = 'token.issued' and issued.jti = refused.jti and issued.grant_id = $1
    )
) report
where report.id is not null
on conflict (model, id) do nothing returning 1`;

/** An agent host that proves its agent knows about agents, and steps up by itself. */
const KNOWS_HOW: ReadonlySet<string | null> = new Set(['token', 'client_auth']);

/** @throws OAuthError `invalid_grant`, at most once for each report */
export async function refuseForStepUp(
  deps: StepUpDeps,
  ctx: KoaContextWithOIDC,
  {
    grantId = '',
    scope,
  }: { readonly grantId?: string | undefined; readonly scope?: string | undefined },
): Promise<void> {
  if (!deps.stepUpByRefresh) return;
  const grant = await deps.readGrant(ctx, grantId);
  if (grant === undefined || grant.resource === '' || KNOWS_HOW.has(grant.actorProof)) return;
  const answered = await deps.db.run(ANSWER_REPORT, [grant.id, grant.resource]);
  if (answered.length === 0) return;
  tellGrant(ctx, grant, scope);
  const sentence = 'more was needed than was granted: start a new authorization';
  throw because(new OAuthError('invalid_grant', sentence, `step_up: grant ${grant.id}`), {
    rule: 'step_up',
  });
}
