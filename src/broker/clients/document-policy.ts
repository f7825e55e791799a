/**
 * Client ID metadata documents (draft-ietf-oauth-client-id-metadata-document): a client whose id is the
 * https URL of a document that describes it. Which URLs may be one, whose are believed, how long a document
 * is kept, and what of it counts. Pure.
 */
import { createHash } from 'node:crypto';
import { type DocumentRules, LOOPBACK_HOSTS } from '../document-rules.js';
import { isSame } from '../registry/change.js';
import type { Jwks } from './credential-schema.js';
import { acceptMetadata, type SelfDescribed } from './self-described.js';

/** What of a document counts, as the registry keeps it. */
export interface AcceptedDocument {
  readonly said: SelfDescribed;
  readonly auth: 'none' | 'private_key_jwt';
}

/** By its id alone: such an id is nobody's but a document's (DC13). */
export const isDocumentId = (id: string): boolean => id.startsWith('https://');

const URL_CHARS_MAX = 512;
/** Of the document (CIMD: 5 KB recommended), and of a key set it names. */
export const DOCUMENT_BYTES_MAX = 5 * 1024;
export const KEY_SET_BYTES_MAX = 64 * 1024;

const MINUTE_SECONDS = 60;
const HOUR_SECONDS = 3600;
/** A document is asked for again no sooner and no later, whatever its server says (K11). */
const FRESH_SECONDS = { min: 5 * MINUTE_SECONDS, unsaid: HOUR_SECONDS, max: 24 * HOUR_SECONDS };
/** Keys that are fetched change without a word in the document. */
const FRESH_KEYS_SECONDS_MAX = HOUR_SECONDS;
/** How long a document counts that cannot be asked for again, after it should have been. */
export const STALE_SECONDS_MAX = 24 * HOUR_SECONDS;

/** What is wrong with a URL as a client id, or `undefined`. One document has one URL, spelled one way. */
export function documentUrlProblem(id: string, allowLoopback: boolean): string | undefined {
  const url = URL.parse(id);
  if (url?.protocol !== 'https:') return 'must be an https URL';
  if (id.length > URL_CHARS_MAX) return `must not be longer than ${URL_CHARS_MAX} characters`;
  if (url.username !== '' || url.password !== '') return 'must not hold a user name';
  if (id.includes('#')) return 'must not have a fragment';
  if (id.includes('?')) return 'must not have a query';
  if (url.pathname === '/') return 'must have a path';
  // Dot segments, their encodings, upper-case hosts, default ports, backslashes and tabs.
  if (url.href !== id) return `must be written as ${url.href}`;
  const { hostname } = url;
  if (allowLoopback && LOOPBACK_HOSTS.includes(hostname)) return undefined;
  // The URL standard has written every address as one.
  const isAddress = /^(?:[\d.]+|\[.*\])$/.test(hostname);
  return isAddress || !hostname.includes('.') || hostname.endsWith('.')
    ? 'must have the full name of a host'
    : undefined;
}

/** Whether this URL's owner may introduce themselves; whom an operator named may, whoever else does. */
export function isTrusted(id: string, { trust, domains }: DocumentRules, named: boolean): boolean {
  if (trust === 'off') return false;
  if (trust === 'open' || named) return true;
  const { hostname } = new URL(id);
  return domains.some((domain) =>
    domain.startsWith('*.') ? hostname.endsWith(domain.slice(1)) : hostname === domain,
  );
}

/**
 * @returns what counts of a fetched document, or the sentence that says what is wrong with it: to be told
 * to whoever wrote it, so nothing of it is quoted
 */
export function acceptDocument(
  id: string,
  raw: Readonly<Record<string, unknown>>,
): { readonly accepted: AcceptedDocument } | { readonly problem: string } {
  if (raw.client_id !== id) return { problem: 'client_id must be exactly its own URL' };
  const secret = ['client_secret', 'client_secret_expires_at'].find((member) => member in raw);
  if (secret !== undefined) return { problem: `${secret} has no place in a public document` };
  const acceptance = acceptMetadata(raw);
  if ('problem' in acceptance) return { problem: acceptance.problem.message };
  const { accepted: said } = acceptance;
  const hasKeys = said.jwks !== undefined || said.jwksUri !== undefined;
  const auth = said.auth ?? (hasKeys ? 'private_key_jwt' : 'none');
  if (auth === 'none' || auth === 'private_key_jwt') return { accepted: { said, auth } };
  return { problem: 'token_endpoint_auth_method must be none or private_key_jwt' };
}

/** When to ask again, in seconds from now. */
export function freshSeconds(maxAgeSeconds: number | undefined, keysAreFetched: boolean): number {
  const { min, unsaid, max } = FRESH_SECONDS;
  const most = keysAreFetched ? FRESH_KEYS_SECONDS_MAX : max;
  return Math.min(most, Math.max(min, maxAgeSeconds ?? unsaid));
}

/** What a client of a document is in the registry: its own words, and no more than anybody's rights. */
export const registeredAs = (id: string, { said, auth }: AcceptedDocument) => ({
  name: said.name ?? new URL(id).host,
  softwareId: said.softwareId ?? null,
  softwareVersion: said.softwareVersion ?? null,
  clientUri: said.clientUri ?? null,
  logoUri: said.logoUri ?? null,
  policyUri: said.policyUri ?? null,
  contact: said.contact ?? null,
  redirectUris: [...said.redirectUris],
  requirePar: said.requirePar,
  requireSignedRequest: said.requireSignedRequest,
  dpopBound: said.dpopBound,
  mayExchange: false,
  auth,
});

/** Of everything that counts, keys that were fetched among it. */
export const documentHash = (
  values: ReturnType<typeof registeredAs>,
  keys: Jwks | undefined,
): string =>
  createHash('sha256')
    .update(JSON.stringify([values, keys ?? null]))
    .digest('base64url');

/** What is different, for the audit. */
export const differences = (
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): Array<{ readonly field: string; readonly from: unknown; readonly to: unknown }> =>
  Object.keys(after)
    .filter((field) => !isSame(before[field], after[field]))
    .map((field) => ({ field, from: before[field] ?? null, to: after[field] ?? null }));
