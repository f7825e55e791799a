/** Finds the one access token of a request (RFC 6750 §2.1, RFC 9449 §7.1), whatever its shape. */
import { AuthError } from './auth-error.js';

/** A fetch `Request`, a Node `IncomingMessage`, or anything with headers like theirs. */
export interface HttpInput {
  readonly headers:
    | { get(name: string): string | null }
    | Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Node's list of names and values as received: shows a header sent twice. */
  readonly rawHeaders?: readonly string[] | undefined;
  readonly method?: string | undefined;
  readonly url?: string | undefined;
  /** The URL before a framework took a mount point off it (Express). */
  readonly originalUrl?: string | undefined;
}

export interface Credential {
  readonly scheme: 'Bearer' | 'DPoP';
  readonly token: string;
}

/** RFC 6750 §2.1 b64token. */
const CREDENTIALS = /^([A-Za-z][A-Za-z0-9-]*) +([A-Za-z0-9\-._~+/]+=*)$/;

const SCHEMES: ReadonlyMap<string, Credential['scheme']> = new Map([
  ['bearer', 'Bearer'],
  ['dpop', 'DPoP'],
]);

/** All values of a header, in any letter case of its name. */
export function headerValues({ headers }: HttpInput, name: string): readonly string[] {
  if (typeof headers.get === 'function') {
    const value = (headers as { get(name: string): string | null }).get(name);
    return value === null ? [] : [value];
  }
  return Object.entries(headers)
    .filter(([header]) => header.toLowerCase() === name)
    .flatMap(([, value]) => (value === undefined ? [] : (value as string | readonly string[])));
}

/** Whether the URL carries a token (RFC 6750 §2.3 is not offered; MCP forbids it). */
function hasTokenInQuery(url: string | undefined): boolean {
  const query = url?.split('?', 2)[1];
  return query !== undefined && new URLSearchParams(query).has('access_token');
}

/** How often Node received a header; it keeps the first of some, and joins others. */
function timesReceived({ rawHeaders }: HttpInput, name: string): number {
  return (rawHeaders ?? []).filter((one, at) => at % 2 === 0 && one.toLowerCase() === name).length;
}

/**
 * The access token of a request: exactly one `Authorization` header, scheme in any letter case.
 *
 * Never reads the body, cookies or the URL for one, and refuses a URL that has one.
 *
 * @throws AuthError `missing_token`
 */
export function readCredential(input: HttpInput): Credential {
  if (hasTokenInQuery(input.originalUrl ?? input.url)) throw new AuthError('token_in_query');
  const values = headerValues(input, 'authorization');
  if (values.length > 1 || timesReceived(input, 'authorization') > 1)
    throw new AuthError('header_repeated');
  const value = values[0];
  if (value === undefined) throw new AuthError('header_missing');
  // Fetch joins repeated headers by a comma, which no credential of ours contains.
  if (/,\s*[A-Za-z-]+ /.test(value)) throw new AuthError('header_repeated');
  const [, name, token] = CREDENTIALS.exec(value) ?? [];
  if (name === undefined || token === undefined) throw new AuthError('header_malformed');
  const scheme = SCHEMES.get(name.toLowerCase());
  if (scheme === undefined) throw new AuthError('scheme_unsupported');
  return { scheme, token };
}

/**
 * The DPoP proof of a request: exactly one header (RFC 9449 §4.3, 1).
 *
 * @throws AuthError `invalid_dpop_proof`
 */
export function readDpopHeader(input: HttpInput): string {
  const [value, ...others] = headerValues(input, 'dpop');
  if (value === undefined || others.length > 0 || timesReceived(input, 'dpop') > 1)
    throw new AuthError('dpop_proof_missing');
  return value;
}
