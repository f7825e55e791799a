/**
 * What the engine is told about an agent or client. Secrets stay out of it: the engine's comparison
 * is replaced by ours, and what it holds instead is a value of this process that nobody knows.
 */
import { randomBytes } from 'node:crypto';
import type { AdapterPayload } from 'oidc-provider';
import { JWT_BEARER, TOKEN_EXCHANGE } from '../../protocol/index.js';
import type { AgentFacts, ClientFacts, Facts } from '../facts/store.js';
import { ATTESTATION_AUTH } from './attestation.js';
import { certificateMetadata } from './certificates.js';

/** The engine insists that a secret exists; ours are hashes. */
const SECRET_PLACEHOLDER = randomBytes(32).toString('base64url');

const NATIVE_REDIRECT =
  /^(http:\/\/(127\.0\.0\.1|\[::1\]|localhost)[:/]|(?!https?:)[a-z][a-z0-9+.-]*:)/i;

/** Loopback and private-use redirects belong to native apps (RFC 8252): any loopback port. */
export const isNativeRedirect = (uri: string): boolean => NATIVE_REDIRECT.test(uri);

/** What an operator may have switched on, and what is known of the request. */
export interface Switches {
  /** Attesters are listened to: whoever proves itself by one is nobody otherwise. */
  readonly attestation?: boolean;
  /** Assertions of trusted issuers are taken as a grant. */
  readonly assertionGrant?: boolean;
  /** Of this request: the client is known by its platform. */
  readonly byPlatform?: boolean;
}

export async function clientMetadata(
  facts: Facts,
  id: string,
  on: Switches = {},
): Promise<AdapterPayload | undefined> {
  const [agent, client] = await Promise.all([facts.agent(id), facts.client(id)]);
  const row = agent ?? client;
  if (row === undefined || row.status !== 'active') return undefined;
  if (row.auth === ATTESTATION_AUTH && on.attestation !== true) return undefined;
  // Its platform's token was looked at already: a secret of this request says how that ended. FAPI 2.0
  // §5.3.2.1 takes a key or a certificate, and nothing that may be shown again and again.
  const isByPlatform = on.byPlatform === true && row.auth !== 'none' && !row.fapi;
  const auth = isByPlatform ? 'client_secret_post' : row.auth;
  // An agent that may be answered somewhere is a client of the code flow too (DESIGN §8a).
  const isApp = agent === undefined ? client?.kind === 'app' : row.redirectUris.length > 0;
  const alone = agent !== undefined || !isApp;
  const credentials = await facts.credentials(id);
  const jwks = credentials.flatMap(({ kind, jwk }) =>
    kind === 'jwk' && jwk !== null ? [jwk] : [],
  );
  const exchanges = row.auth !== 'none' && !isStranger(client);
  return {
    ...metadataOf(
      { ...row, auth },
      { isApp, alone, exchanges, asserts: on.assertionGrant === true && mayAssert(row, client) },
      jwks,
    ),
    ...certificateMetadata(auth, credentials),
  };
}

/** Who came by themselves, or is known by a document, gets the code flow and its refresh only (DC11). */
const isStranger = (client: ClientFacts | undefined): boolean =>
  client !== undefined && (client.origin !== 'operator' || client.id.startsWith('https://'));

/** MCP enterprise-managed authorization: a document's client may, if the issuer's rule names its URL. */
const mayAssert = ({ auth }: { readonly auth: string }, client: ClientFacts | undefined): boolean =>
  auth !== 'none' && client?.origin !== 'registration';

type Described = Pick<
  AgentFacts | ClientFacts,
  'id' | 'name' | 'redirectUris' | 'auth' | 'requirePar' | 'requireSignedRequest'
> &
  Partial<Pick<ClientFacts, 'dpopBound' | 'certificateBound'>>;

/** Of a row that is not written yet: a document's. */
export const strangersMetadata = (row: Described, jwks: readonly object[]): AdapterPayload =>
  metadataOf(row, { isApp: true, alone: false, exchanges: false, asserts: false }, jwks);

type Rights = 'isApp' | 'alone' | 'exchanges' | 'asserts';

function metadataOf(
  row: Described,
  { isApp, alone, exchanges, asserts }: Readonly<Record<Rights, boolean>>,
  jwks: readonly object[],
): AdapterPayload {
  const { redirectUris } = row;
  return {
    client_id: row.id,
    client_name: row.name,
    application_type: redirectUris.some(isNativeRedirect) ? 'native' : 'web',
    redirect_uris: [...redirectUris],
    grant_types: [
      ...(alone ? ['client_credentials'] : []),
      ...(isApp ? ['authorization_code', 'refresh_token'] : []),
      // RFC 8693 §5: whoever exchanges authenticates (TX1, X20). Whether it may is decided where the
      // audit can say of which token it was refused (`exchange/grant.ts`).
      ...(exchanges ? [TOKEN_EXCHANGE] : []),
      // RFC 7523 §2.1, ID-JAG §8.1: confidential clients, for which somebody speaks (`assertion/`).
      ...(asserts ? [JWT_BEARER] : []),
    ],
    response_types: isApp ? ['code'] : [],
    token_endpoint_auth_method: row.auth,
    id_token_signed_response_alg: 'ES256',
    ...(row.auth.startsWith('client_secret') ? { client_secret: SECRET_PLACEHOLDER } : {}),
    // Whoever has keys may sign requests with them, however they authenticate (RFC 9101).
    ...(jwks.length > 0 || row.auth === 'private_key_jwt' ? { jwks: { keys: jwks } } : {}),
    require_pushed_authorization_requests: row.requirePar,
    require_signed_request_object: row.requireSignedRequest,
    dpop_bound_access_tokens: row.dpopBound,
    tls_client_certificate_bound_access_tokens: row.certificateBound,
  } as AdapterPayload;
}
