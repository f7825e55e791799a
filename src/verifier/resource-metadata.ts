/** OAuth 2.0 Protected Resource Metadata (RFC 9728), from configuration only, never from `Host`. */
import { formatScope, wellKnownUrl } from '../protocol/index.js';

const SUFFIX = 'oauth-protected-resource';

/** The document of RFC 9728 §2, as far as it has something to say here. */
export interface ProtectedResourceMetadata {
  readonly resource: string;
  readonly authorization_servers: readonly string[];
  readonly bearer_methods_supported: readonly string[];
  readonly scopes_supported?: readonly string[];
  readonly resource_name?: string;
  readonly dpop_signing_alg_values_supported?: readonly string[];
  readonly dpop_bound_access_tokens_required?: true;
  readonly tls_client_certificate_bound_access_tokens?: true;
}

/** Where the document is: the path-inserted URL that challenges name (RFC 9728 §3.1). */
export const resourceMetadataUrl = (resource: string): string => wellKnownUrl(resource, SUFFIX);

/** Paths to serve it at: path-inserted, and the root one that some clients try next. */
export function resourceMetadataPaths(resource: string): readonly string[] {
  const inserted = new URL(resourceMetadataUrl(resource)).pathname;
  return Object.freeze([...new Set([inserted, `/.well-known/${SUFFIX}`])]);
}

/** Builds the document. `offline_access` is no scope of a resource and is left out. */
export function buildResourceMetadata(facts: {
  readonly resource: string;
  readonly issuers: readonly string[];
  readonly scopes: readonly string[];
  readonly name?: string | undefined;
  readonly dpopAlgorithms: readonly string[];
  readonly dpopRequired: boolean;
  readonly certificates: boolean;
}): ProtectedResourceMetadata {
  const scopes = formatScope(facts.scopes.filter((scope) => scope !== 'offline_access'));
  return {
    resource: facts.resource,
    authorization_servers: facts.issuers,
    bearer_methods_supported: ['header'],
    ...(scopes === '' ? {} : { scopes_supported: scopes.split(' ') }),
    ...(facts.name === undefined ? {} : { resource_name: facts.name }),
    dpop_signing_alg_values_supported: facts.dpopAlgorithms,
    ...(facts.dpopRequired ? { dpop_bound_access_tokens_required: true } : {}),
    ...(facts.certificates ? { tls_client_certificate_bound_access_tokens: true } : {}),
  };
}
