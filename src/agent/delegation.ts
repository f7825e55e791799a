/** One user's delegation to the agent: its tokens, renewed by rotation, and its end. */
import { decodeJwt } from 'jose';
import { type Act, parseAct } from '../protocol/index.js';
import { type AuthorizationDeps, actorProof } from './authorization.js';
import { agentError, isAgentError } from './errors.js';
import { randomText } from './random.js';
import {
  isUsable,
  parseTokenResponse,
  type TokenResponse,
  type TokenSet,
  toTokenSet,
} from './token-set.js';
import { passingOn, type Work } from './work.js';

/**
 * An agent acting for a user, until it is revoked, ends at the server, or can no longer be
 * renewed.
 */
export interface Delegation extends Work {
  /** Names the delegation in the store; a secret of this host, unknown to the server. */
  readonly id: string;
  readonly user: { readonly sub: string };
  /**
   * A token that is good for a while: the one at hand, or a renewed one. Many callers share one
   * renewal.
   * @throws AgentError `delegation_ended` once it can no longer be renewed
   */
  token(): Promise<TokenSet>;
  /** Revokes it at the server (RFC 7009) and forgets it here. */
  revoke(): Promise<void>;
}

interface Stored {
  readonly sub: string;
  readonly scope: string;
  readonly token: Omit<TokenResponse, 'expiresAt'> & { readonly expiresAtMs: number };
}

const storeKey = (id: string): string => `delegation:${id}`;

function serialise(sub: string, { expiresAt, ...token }: TokenResponse): string {
  const stored: Stored = {
    sub,
    scope: token.scopes.join(' '),
    token: { ...token, expiresAtMs: expiresAt.getTime() },
  };
  return JSON.stringify(stored);
}

/**
 * Who the token says it is for. The host reads its own server's token, unverified, for two things
 * only: to name the user, and to notice at once if the server made someone else the actor.
 */
function readSubject({ accessToken }: TokenResponse, agentId: string): string {
  let claims: Record<string, unknown>;
  try {
    claims = decodeJwt(accessToken);
  } catch (cause) {
    throw agentError('response_invalid', 'the access token cannot be read', { cause });
  }
  const act: Act | undefined = parseAct(claims.act);
  if (typeof claims.sub !== 'string' || act?.sub !== agentId)
    throw agentError('actor_mismatch', `the access token does not name ${agentId} as its actor`);
  return claims.sub;
}

async function revokeAt(deps: AuthorizationDeps, token: TokenResponse): Promise<void> {
  const { revocationEndpoint } = await deps.server.metadata();
  if (revocationEndpoint === undefined) return;
  await deps.server.post(revocationEndpoint, deps.client, {
    token: token.refreshToken ?? token.accessToken,
    token_type_hint: token.refreshToken === undefined ? 'access_token' : 'refresh_token',
  });
}

/** One refresh; tried again once where that is safe or was asked for. */
async function refresh(deps: AuthorizationDeps, token: TokenResponse): Promise<TokenResponse> {
  const { server, client, now } = deps;
  const { tokenEndpoint } = await server.metadata();
  const { resource, refreshToken } = token;
  const askedAtMs = now();
  const ask = async (proof: Record<string, string>): Promise<TokenResponse> => {
    const form = { grant_type: 'refresh_token', refresh_token: refreshToken, resource, ...proof };
    const answer = await server.post(tokenEndpoint, client, form);
    const scope = token.scopes.join(' ');
    const renewed = parseTokenResponse(answer, { resource, scope }, askedAtMs);
    return { ...renewed, refreshToken: renewed.refreshToken ?? refreshToken };
  };
  try {
    return await ask({});
  } catch (error) {
    if (!isAgentError(error)) throw error;
    // The answer may have been lost after a rotation; the server repeats it for a while (grace).
    if (error.code === 'unreachable') return ask({});
    // The credential behind the last proof is gone: prove the actor again (DESIGN §8a step 6).
    if (error.code === 'invalid_grant' && /actor/i.test(error.description ?? ''))
      return ask(await actorProof(deps));
    throw error;
  }
}

/** Keeps a token response as a delegation. */
export async function createDelegation(
  deps: AuthorizationDeps,
  token: TokenResponse,
): Promise<Delegation> {
  let sub: string;
  try {
    sub = readSubject(token, deps.agent.id);
  } catch (error) {
    await revokeAt(deps, token).catch(() => undefined);
    throw error;
  }
  const id = randomText();
  await deps.store.put(storeKey(id), serialise(sub, token));
  return openDelegation(deps, id, sub, token);
}

/** Opens a stored delegation again; `undefined` when there is none. */
export async function resumeDelegation(
  deps: AuthorizationDeps,
  id: string,
): Promise<Delegation | undefined> {
  const text = await deps.store.get(storeKey(id));
  if (text === undefined) return undefined;
  const { sub, token } = JSON.parse(text) as Stored;
  const { expiresAtMs, ...rest } = token;
  const { refreshToken } = rest as Partial<TokenResponse>;
  return openDelegation(deps, id, sub, {
    ...rest,
    refreshToken,
    expiresAt: new Date(expiresAtMs),
  });
}

function openDelegation(
  deps: AuthorizationDeps,
  id: string,
  sub: string,
  first: TokenResponse,
): Delegation {
  let current = first;
  let ended = false;
  let renewing: Promise<TokenResponse> | undefined;

  async function renew(): Promise<TokenResponse> {
    try {
      const renewed = await refresh(deps, current);
      current = renewed;
      await deps.store.put(storeKey(id), serialise(sub, renewed));
      return renewed;
    } catch (error) {
      if (isAgentError(error) && error.code === 'invalid_grant') {
        ended = true;
        await deps.store.take(storeKey(id));
        throw agentError('delegation_ended', 'the delegation has ended', { cause: error });
      }
      if (current.expiresAt.getTime() > deps.now()) return current;
      throw error;
    } finally {
      renewing = undefined;
    }
  }

  async function token(): Promise<TokenSet> {
    if (ended) throw agentError('delegation_ended', 'the delegation has ended');
    if (isUsable(current, deps.now())) return toTokenSet(current);
    if (current.refreshToken === undefined) {
      if (current.expiresAt.getTime() > deps.now()) return toTokenSet(current);
      throw agentError('delegation_ended', 'the token expired and cannot be renewed');
    }
    renewing ??= renew();
    return toTokenSet(await renewing);
  }
  const { server, agent: caller, now } = deps;

  return Object.freeze<Delegation>({
    id,
    user: Object.freeze({ sub }),
    agent: caller.id,
    resource: first.resource,
    get scopes() {
      return new Set(current.scopes);
    },
    token,
    ...passingOn({ server, caller, now }, token),
    async revoke() {
      ended = true;
      await deps.store.take(storeKey(id));
      await renewing?.catch(() => undefined);
      await deps.store.take(storeKey(id));
      await revokeAt(deps, current);
    },
  });
}
