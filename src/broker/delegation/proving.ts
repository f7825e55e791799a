/**
 * Which proof of its actor a grant stands on (DESIGN §8a): the agent's own token, or who the client
 * is: the agent itself, or a client that an operator bound to it. A refresh keeps the kind of proof
 * the redemption had, and a grant whose binding is gone ends: the proof it stood on is no more.
 */
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import { type ActorProof, OAuthError } from '../../protocol/index.js';
import type { Database } from '../db/database.js';
import { applicationOf } from '../facts/application.js';
import type { ClientFacts, FactsCache } from '../facts/store.js';
import { requestState } from '../http/request.js';
import { readDpopProof } from '../provider/internals.js';
import { shownIn } from '../tokens/binding.js';
import type { ActorProver } from './actor-proof.js';
import { because } from './denials.js';
import { endGrant } from './ends.js';
import { type GrantRow, rememberActorProof } from './store.js';

export interface ProvingDeps {
  readonly db: Database;
  readonly facts: FactsCache;
  readonly actors: ActorProver;
  readonly provider: () => Provider;
}

/** A proof that holds now. */
export interface Proven {
  readonly kind: ActorProof;
  /** The credential behind an actor token. */
  readonly credentialId: string | null;
  /** Once all else is decided: uses the proof up, and the grant remembers it. */
  settle(): Promise<void>;
}

/**
 * Pure: what the client's identity alone proves of an agent; undefined when it proves nothing. A
 * public client could be anybody: that is said (`none`), and verifiers refuse it unless told
 * otherwise.
 */
export function standingProof(
  client: Pick<ClientFacts, 'id' | 'agentId'> | undefined,
  agentId: string,
  authenticated: boolean,
): ActorProof | undefined {
  if (client === undefined || client.agentId !== agentId) return undefined;
  if (!authenticated) return 'none';
  return client.id === agentId ? 'client_auth' : 'client_binding';
}

const ENDED = 'the authorization has ended: start a new one';
const ACTOR_TOKEN_MISSING = 'this authorization names an agent: send its actor_token';

/**
 * @param earlier the kind of proof the grant stands on; undefined when its code is being redeemed
 * @returns undefined when nobody acts
 * @throws OAuthError `invalid_grant` when the actor is not proved
 */
export async function proveActor(
  deps: ProvingDeps,
  ctx: KoaContextWithOIDC,
  grant: GrantRow,
  earlier: ActorProof | undefined,
): Promise<Proven | undefined> {
  const params = ctx.oidc.params ?? {};
  const authenticated = requestState(ctx).credentialId !== undefined;
  const standing = await bindingThatStands(deps, grant, earlier, authenticated);
  const actorToken = params.actor_token;
  if (grant.agentId === '') {
    if (actorToken === undefined) return undefined;
    throw new OAuthError('invalid_grant', 'this authorization names no agent: send no actor_token');
  }
  if (actorToken !== undefined) {
    const shown = shownIn(ctx, await readDpopProof(ctx));
    const { credentialId, claim } = await deps.actors.prove({
      shown,
      actorToken: String(actorToken),
      actorTokenType: params.actor_token_type as string | undefined,
      agentId: grant.agentId,
    });
    return { kind: 'token', credentialId, settle: () => claim(grant.id) };
  }
  if (standing !== undefined && earlier !== 'token') {
    const settle = async (): Promise<void> => {
      if (standing !== grant.actorProof) await rememberActorProof(deps.db.orm, grant.id, standing);
    };
    return { kind: standing, credentialId: null, settle };
  }
  // A removed credential no longer vouches for the actor: a fresh proof is asked for (§8a 6).
  const { actorCredentialId: credentialId } = grant;
  if (earlier === 'token' && (await deps.actors.credentialStands(grant.agentId, credentialId))) {
    return { kind: 'token', credentialId, settle: async () => undefined };
  }
  const reason = `grant ${grant.id} needs ${grant.agentId}`;
  const missing = new OAuthError('invalid_grant', ACTOR_TOKEN_MISSING, reason);
  throw because(missing, { rule: 'actor_not_proved' });
}

/**
 * What the client's identity proves, unless it has become another since: then the grant ends. Facts
 * of a moment ago may not end anything, so they are read again first.
 */
async function bindingThatStands(
  deps: ProvingDeps,
  grant: GrantRow,
  earlier: ActorProof | undefined,
  authenticated: boolean,
): Promise<ActorProof | undefined> {
  for (const facts of [deps.facts.current, deps.facts.fresh]) {
    const client = await applicationOf(await facts(), grant.clientId);
    const standing = standingProof(client, grant.agentId, authenticated);
    if (!isBroken(grant, client, earlier, standing)) return standing;
  }
  await endGrant(deps.db, grant.id, 'actor_binding_changed', 'system');
  const rule = 'actor_binding_changed';
  throw because(new OAuthError('invalid_grant', ENDED, `grant ${grant.id}: ${rule}`), { rule });
}

const isBroken = (
  grant: GrantRow,
  client: ClientFacts | undefined,
  earlier: ActorProof | undefined,
  standing: ActorProof | undefined,
): boolean =>
  (earlier !== undefined && earlier !== 'token' && earlier !== standing) ||
  (grant.resource !== '' && client?.agentId != null && client.agentId !== grant.agentId);
