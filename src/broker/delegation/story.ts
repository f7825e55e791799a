/** The story of a user's grant, as the issuer tells it: loaded, decided, written out as claims. */
import { type ActorProof, childTokenId, formatScope, OAuthError } from '../../protocol/index.js';
import { applicationOf } from '../facts/application.js';
import type { Facts } from '../facts/store.js';
import { newTokenSegment } from '../ids.js';
import { ACCESS_TOKEN_TTL_SECONDS } from '../limits.js';
import type { Story } from '../tokens/issue.js';
import { because, denialError } from './denials.js';
import { loadDelegationFacts } from './load.js';
import { decideDelegation } from './policy.js';
import { standingProof } from './proving.js';
import type { GrantRow } from './store.js';

export interface DelegationStory {
  readonly issuer: string;
  readonly grant: GrantRow;
  /** How the actor was proved; absent when nobody acts. */
  readonly actorProof: ActorProof | undefined;
  /** The credential that last proved the actor. */
  readonly actorCredentialId: string | null;
  /** The credential that authenticated the client, when it has one. */
  readonly clientCredentialId: string | undefined;
  /** Seconds since the epoch. */
  readonly authTime: number | undefined;
  readonly acr: string | undefined;
}

/** @returns a story that throws OAuthError when nothing may be issued any more */
export function createDelegationStory(story: DelegationStory): Story {
  const { grant, issuer } = story;
  const jti = childTokenId(`${grant.consentId}.${grant.id}`, newTokenSegment());
  return async function delegationStory(facts: Facts, requested) {
    const decision = decideDelegation(await loadDelegationFacts(facts, grant), {
      requested,
      consent: grant.scopes,
      sinceMs: grant.createdAt.getTime(),
    });
    if ('denied' in decision) throw denialError('token', decision);
    await requireProof(facts, story);
    const resource = await facts.resource(grant.resource);
    const acts = grant.agentId !== '';
    return {
      claims: {
        iss: issuer,
        aud: grant.resource === '' ? issuer : grant.resource,
        sub: grant.userId,
        sub_profile: 'user',
        client_id: grant.clientId,
        scope: formatScope(decision.granted),
        ...(acts
          ? {
              agent_scope: formatScope(decision.agentScope ?? []),
              act: { sub: grant.agentId, iss: issuer, sub_profile: 'ai_agent' },
              actor_proof: story.actorProof as ActorProof,
            }
          : {}),
        jti,
        ...(story.authTime === undefined ? {} : { auth_time: story.authTime }),
        ...(story.acr === undefined ? {} : { acr: story.acr }),
      },
      ttlSeconds: resource?.tokenTtlSeconds ?? ACCESS_TOKEN_TTL_SECONDS,
      expMax: Math.floor(grant.expiresAt.getTime() / 1000),
      signingAlg: (resource?.signingAlg ?? 'ES256') as 'ES256',
      credentials: [story.actorCredentialId, story.clientCredentialId].filter(
        (id) => id !== null && id !== undefined,
      ),
      grantId: grant.id,
      agentId: acts ? grant.agentId : undefined,
      detail: {
        asked: formatScope(requested),
        taken_away: decision.takenAway,
        ...(acts ? { actor_proof: story.actorProof } : {}),
      },
      refusedCode: 'invalid_grant',
    };
  };
}

/** A binding proves the actor as long as it stands: facts may have become newer since it was seen. */
async function requireProof(facts: Facts, story: DelegationStory): Promise<void> {
  const { grant, actorProof, clientCredentialId } = story;
  if (grant.agentId === '' || actorProof === 'token') return;
  const client = await applicationOf(facts, grant.clientId);
  const standing = standingProof(client, grant.agentId, clientCredentialId !== undefined);
  if (actorProof !== undefined && standing === actorProof) return;
  const rule = 'actor_binding_changed';
  throw because(new OAuthError('invalid_grant', 'the actor is no longer proved', rule), { rule });
}
