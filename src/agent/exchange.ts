/**
 * Token exchange (RFC 8693) as whoever authenticates: one request, one token whose current actor is
 * the caller. Scope, life and reach only shrink; the server decides, this only asks and reads.
 */
import { decodeJwt } from 'jose';
import { PARAM, parseAct, TOKEN_EXCHANGE, TOKEN_TYPE } from '../protocol/index.js';
import type { ClientIdentity } from './client-auth.js';
import { agentError } from './errors.js';
import type { AuthorizationServer } from './server.js';
import { parseTokenResponse, type TokenResponse } from './token-set.js';

export interface ExchangeDeps {
  readonly server: AuthorizationServer;
  /** Who asks, with a credential of its own, and acts in the result. */
  readonly caller: ClientIdentity;
  readonly now: () => number;
}

export interface ExchangeRequest {
  readonly subjectToken: string;
  /** RFC 8707. Absent: where the subject token is good. */
  readonly resource?: string | undefined;
  /** Absent: everything the subject token carries. */
  readonly scope?: string | undefined;
  /** Asks for a hand-off token for this agent. */
  readonly handOffTo?: string | undefined;
}

/** What an exchange gave, and whom it is for. */
export interface Exchanged extends TokenResponse {
  /** The user at the root; absent when no human stands there. */
  readonly user: string | undefined;
}

const ISSUED_TYPES = new Set<unknown>([TOKEN_TYPE.accessToken, TOKEN_TYPE.jwt]);

/**
 * Reads the new token, unverified, as of the host's own server: who it is for, where, and whether
 * the caller is its current actor indeed (RFC 8693 §4.1). A hand-off token names its resource in
 * `hand_off`; its `aud` is the issuer.
 */
function readExchanged(accessToken: string, callerId: string) {
  let claims: Record<string, unknown>;
  try {
    claims = decodeJwt(accessToken);
  } catch (cause) {
    throw agentError('response_invalid', 'the access token cannot be read', { cause });
  }
  const { sub, aud, hand_off: handOff, sub_profile: profile = 'user' } = claims;
  const resource = handOff ?? aud;
  if (typeof sub !== 'string' || typeof resource !== 'string')
    throw agentError('response_invalid', 'the access token names no subject or no resource');
  const actor = claims.act === undefined ? sub : parseAct(claims.act)?.sub;
  if (actor !== callerId)
    throw agentError('actor_mismatch', `the access token does not name ${callerId} as its actor`);
  return { resource, user: profile === 'user' ? sub : undefined };
}

/** Asks once. Nothing is tried again: a hand-off token whose answer was lost is used up. */
export async function exchangeToken(
  { server, caller, now }: ExchangeDeps,
  { subjectToken, resource, scope, handOffTo }: ExchangeRequest,
): Promise<Exchanged> {
  if (subjectToken === '') throw new TypeError('subjectToken is an access token');
  const { tokenEndpoint } = await server.metadata();
  const askedAtMs = now();
  const answer = await server.post(tokenEndpoint, caller, {
    grant_type: TOKEN_EXCHANGE,
    subject_token: subjectToken,
    subject_token_type: TOKEN_TYPE.accessToken,
    resource,
    scope,
    [PARAM.requestedActor]: handOffTo,
  });
  // RFC 8693 §2.2.1: required, and the only kinds a resource server takes.
  if (!ISSUED_TYPES.has(answer.issued_token_type))
    throw agentError('response_invalid', 'the exchange did not issue an access token');
  const token = parseTokenResponse(answer, { resource: resource ?? '', scope }, askedAtMs);
  const read = readExchanged(token.accessToken, caller.id);
  if (resource !== undefined && read.resource !== resource)
    throw agentError('response_invalid', 'the exchange issued a token for another resource');
  return { ...token, ...read };
}
