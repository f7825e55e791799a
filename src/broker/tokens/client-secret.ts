/** Secrets of agents and services: 256 random bits, stored as a hash, compared in constant time. */
import type { CredentialFacts, Facts } from '../facts/store.js';
import { secretMatches } from '../keys/secrets.js';

/** The credential whose secret this is; looks at every one, whichever matches. */
export async function matchSecret(
  facts: Facts,
  principal: string,
  secret: string,
): Promise<CredentialFacts | undefined> {
  let match: CredentialFacts | undefined;
  for (const credential of await facts.credentials(principal)) {
    const { secretHash } = credential;
    if (secretHash !== null && secretMatches(secret, secretHash)) match = credential;
  }
  return match;
}

/** Reads an HTTP Basic header (RFC 6749 §2.3.1), percent-encoded or, as MCP SDKs send it, not. */
export function parseBasic(header: string | undefined): { id: string; secret: string } | undefined {
  const match = /^basic ([A-Za-z0-9+/=]{4,1024})$/i.exec(header ?? '');
  if (match === null) return undefined;
  const [, encoded = ''] = match;
  const decoded = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = decoded.indexOf(':');
  if (colon < 1) return undefined;
  return { id: decoded.slice(0, colon), secret: decoded.slice(colon + 1) };
}
