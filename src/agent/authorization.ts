/**
 * The authorization code flow for an agent (draft-oauth-ai-agents-on-behalf-of-user-02, OAuth 2.1
 * §4.1, RFC 7636, RFC 8707, RFC 9126, RFC 9207): begin with a URL for the user, end with tokens.
 */
import { PARAM, parseSecureUrl, TOKEN_TYPE } from '../protocol/index.js';
import type { ClientIdentity } from './client-auth.js';
import { agentError } from './errors.js';
import type { OwnTokens } from './own-tokens.js';
import { codeChallengeOf, randomText } from './random.js';
import type { AuthorizationServer } from './server.js';
import type { TokenStore } from './store.js';
import { parseTokenResponse, type TokenResponse } from './token-set.js';

/** How long the user may take from opening the URL to coming back. */
const TRANSACTION_TTL_MS = 3_600_000;
/** How long the URL itself may be kept, unless the server says less. */
const URL_TTL_MS = 600_000;

/** What to ask the user for: scopes at one resource (RFC 8707), space-separated. */
export interface DelegationRequest {
  readonly resource: string;
  readonly scope: string;
  /** OpenID Connect Core §3.1.2.1. */
  readonly loginHint?: string | undefined;
  readonly prompt?: string | undefined;
}

/** A delegation the user has not decided about yet. */
export interface BegunDelegation {
  /** Where to send the user's browser. */
  readonly url: URL;
  /** Names this attempt; keep it with the user's session. Good for one completion. */
  readonly transaction: string;
  /** Until when the URL may be opened. */
  readonly expiresAt: Date;
}

interface Transaction {
  readonly state: string;
  readonly verifier: string;
  readonly issuer: string;
  readonly resource: string;
  readonly scope: string;
}

export interface AuthorizationDeps {
  readonly server: AuthorizationServer;
  readonly agent: ClientIdentity;
  readonly client: ClientIdentity & { readonly redirectUri: string };
  readonly ownTokens: OwnTokens;
  readonly store: TokenStore;
  readonly now: () => number;
}

const storeKey = (transaction: string): string => `transaction:${transaction}`;

/** Form members that prove the agent; none when it authenticates as the client itself. */
export async function actorProof(deps: AuthorizationDeps): Promise<Record<string, string>> {
  if (deps.client.id === deps.agent.id) return {};
  return {
    [PARAM.actorToken]: await deps.ownTokens.actorToken(),
    [PARAM.actorTokenType]: TOKEN_TYPE.accessToken,
  };
}

/** Starts an authorization; pushes the request where the server takes it (RFC 9126). */
export async function beginAuthorization(
  deps: AuthorizationDeps,
  request: DelegationRequest,
): Promise<BegunDelegation> {
  const { server, client, now } = deps;
  const { resource, scope } = request;
  if (parseSecureUrl(resource) === undefined)
    throw new TypeError('resource is an absolute https URL, without fragment (RFC 8707 §2)');
  const transaction: Transaction = {
    state: randomText(),
    verifier: randomText(),
    issuer: server.issuer,
    resource,
    scope,
  };
  const parameters = {
    response_type: 'code',
    // Required in a pushed request too, however the client authenticates (RFC 9126 §2.1).
    client_id: client.id,
    redirect_uri: client.redirectUri,
    scope,
    resource,
    state: transaction.state,
    code_challenge: await codeChallengeOf(transaction.verifier),
    code_challenge_method: 'S256',
    [PARAM.requestedActor]: deps.agent.id,
    login_hint: request.loginHint,
    prompt: request.prompt,
  };
  const { authorizationEndpoint, parEndpoint } = await server.metadata();
  const url = new URL(authorizationEndpoint);
  url.searchParams.set('client_id', client.id);
  let ttlMs = URL_TTL_MS;
  if (parEndpoint === undefined) {
    for (const [name, value] of Object.entries(parameters))
      if (value !== undefined) url.searchParams.set(name, value);
  } else {
    const pushed = await server.post(parEndpoint, client, parameters);
    if (typeof pushed.request_uri !== 'string')
      throw agentError('response_invalid', 'the pushed request has no request_uri');
    url.searchParams.set('request_uri', pushed.request_uri);
    if (typeof pushed.expires_in === 'number') ttlMs = pushed.expires_in * 1000;
  }
  const id = randomText();
  await deps.store.put(storeKey(id), JSON.stringify(transaction), now() + TRANSACTION_TTL_MS);
  return { url, transaction: id, expiresAt: new Date(now() + ttlMs) };
}

/** The one value of a parameter; twice is an error (RFC 6749 §3.1). */
function single(callback: URLSearchParams, name: string): string | undefined {
  const values = callback.getAll(name);
  if (values.length > 1) throw agentError('callback_invalid', `${name} appears more than once`);
  return values[0];
}

/** `state` and `iss` first (RFC 9207 §2.4): until both agree, nothing in the URL is believed. */
function checkCallback(callback: URLSearchParams, expected: Transaction): string {
  if (single(callback, 'state') !== expected.state)
    throw agentError('state_mismatch', 'the callback belongs to another transaction');
  if (single(callback, 'iss') !== expected.issuer)
    throw agentError('iss_mismatch', 'the callback is from another issuer (RFC 9207)');
  const error = single(callback, 'error');
  if (error !== undefined) {
    const description = single(callback, 'error_description');
    throw agentError(error, `the authorization was not given: ${error}`, {
      ...(description === undefined ? {} : { description }),
    });
  }
  const code = single(callback, 'code');
  if (code === undefined || code === '') throw agentError('callback_invalid', 'there is no code');
  return code;
}

/**
 * Redeems the code of a callback. A callback that does not belong to the transaction leaves it as
 * it is, so that nobody else can spoil it.
 */
export async function completeAuthorization(
  deps: AuthorizationDeps,
  callback: URLSearchParams,
  id: string,
): Promise<TokenResponse> {
  const { server, client, store, now } = deps;
  const stored = await store.get(storeKey(id));
  if (stored === undefined)
    throw agentError('transaction_unknown', 'the transaction is unknown, used, or over');
  const transaction = JSON.parse(stored) as Transaction;
  const code = checkCallback(callback, transaction);
  const { tokenEndpoint } = await server.metadata();
  const proof = await actorProof(deps);
  if ((await store.take(storeKey(id))) === undefined)
    throw agentError('transaction_unknown', 'the transaction was completed meanwhile');
  const askedAtMs = now();
  const answer = await server.post(tokenEndpoint, client, {
    grant_type: 'authorization_code',
    code,
    redirect_uri: client.redirectUri,
    code_verifier: transaction.verifier,
    resource: transaction.resource,
    ...proof,
  });
  return parseTokenResponse(answer, transaction, askedAtMs);
}
