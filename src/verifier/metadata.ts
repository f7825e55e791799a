/** The issuer's metadata (RFC 8414 §3), for what of it a verifier asks. */
import { parseSecureUrl, urlBelow, wellKnownUrl } from '../protocol/index.js';
import { fetchJson } from './fetch-json.js';

const METADATA_MAX_BYTES = 262_144;

export interface MetadataOptions {
  readonly issuer: string;
  readonly fetch: typeof globalThis.fetch;
  readonly signal: AbortSignal;
}

/**
 * Reads an endpoint from the metadata. The document must name the issuer exactly (RFC 8414 §3.3), and
 * the endpoint be at the issuer's own origin or behind https.
 */
export async function discover(
  { issuer, fetch, signal }: MetadataOptions,
  member: 'jwks_uri' | 'introspection_endpoint',
): Promise<string> {
  const suffix = 'oauth-authorization-server';
  const read = (url: string) => fetchJson(url, { fetch, bodyMaxBytes: METADATA_MAX_BYTES, signal });
  const inserted = wellKnownUrl(issuer, suffix);
  const appended = urlBelow(issuer, `.well-known/${suffix}`);
  const metadata = await read(inserted).catch((error: unknown) => {
    if (appended === inserted) throw error;
    return read(appended);
  });
  if (metadata.issuer !== issuer) throw new Error('metadata of another issuer');
  const uri = parseSecureUrl(metadata[member]);
  if (uri === undefined) throw new Error(`${member} is not a secure URL`);
  if (uri.protocol !== 'https:' && uri.origin !== new URL(issuer).origin)
    throw new Error(`${member} is at another origin`);
  return uri.href;
}
