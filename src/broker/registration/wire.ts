/**
 * A registration as it is told to the client (RFC 7591 §3.2.1): everything that is registered, what was
 * substituted and what is so by default. What there is none of is left out: clients break on `null` and
 * on empty strings (Q8).
 */
import { SELF_DESCRIBED_GRANTS, type SelfDescribed } from '../clients/self-described.js';
import { applicationType } from './policy.js';
import type { Registered, RegisteredClient } from './store.js';

type Wire = Readonly<Record<string, unknown>>;

const present = (members: Wire): Wire =>
  Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined && value !== null),
  );

/** What only the registration knows: nothing is decided by it. */
const KEPT = ['scope', 'jwks', 'software_statement'] as const;

type Told = Pick<
  RegisteredClient,
  | 'id'
  | 'name'
  | 'redirectUris'
  | 'auth'
  | 'clientUri'
  | 'logoUri'
  | 'policyUri'
  | 'contact'
  | 'softwareId'
  | 'softwareVersion'
  | 'requirePar'
  | 'requireSignedRequest'
  | 'dpopBound'
>;

const metadataOf = (client: Told, kept: Wire): Wire =>
  present({
    // OpenID Connect Registration §2; what a client without a name is called is not its word.
    client_name: client.name === client.id ? undefined : client.name,
    redirect_uris: client.redirectUris,
    token_endpoint_auth_method: client.auth,
    grant_types: [...SELF_DESCRIBED_GRANTS],
    response_types: ['code'],
    application_type: applicationType(client.redirectUris),
    id_token_signed_response_alg: 'ES256',
    client_uri: client.clientUri,
    logo_uri: client.logoUri,
    policy_uri: client.policyUri,
    contacts: client.contact === null ? undefined : [client.contact],
    software_id: client.softwareId,
    software_version: client.softwareVersion,
    require_pushed_authorization_requests: client.requirePar || undefined,
    require_signed_request_object: client.requireSignedRequest || undefined,
    dpop_bound_access_tokens: client.dpopBound || undefined,
    ...kept,
  });

/** What a registration keeps beside its client's row. */
export const keptMetadata = (said: SelfDescribed, statement: string | undefined): Wire =>
  present({
    scope: said.scope,
    jwks: said.auth === 'private_key_jwt' ? said.jwks : undefined,
    software_statement: statement,
  });

/** Of now: an operator may have changed it meanwhile. */
export function registeredMetadata({ client, registration }: Registered): Wire {
  const kept = KEPT.map((name) => [name, registration.metadata[name]] as const);
  return {
    client_id: client.id,
    client_id_issued_at: Math.floor(registration.createdAt.getTime() / 1000),
    ...metadataOf(client, present(Object.fromEntries(kept))),
  };
}
