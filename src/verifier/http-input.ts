/** Finds the one access token of a request (RFC 6750 §2.1), in any framework's shape of request. */
import { AuthError } from './auth-error.js';

/** A fetch `Request`, a Node `IncomingMessage`, or anything with headers like theirs. */
export interface HttpInput {
  readonly headers:
    | { get(name: string): string | null }
    | Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Node's list of names and values as received: shows a header sent twice. */
  readonly rawHeaders?: readonly string[] | undefined;
  readonly url?: string | undefined;
}

/** RFC 6750 §2.1 b64token. */
const CREDENTIALS = /^([A-Za-z][A-Za-z0-9-]*) +([A-Za-z0-9\-._~+/]+=*)$/;

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

/**
 * The bearer token of a request: exactly one `Authorization` header, scheme in any letter case.
 *
 * Never reads the body, cookies or the URL for one, and refuses a URL that has one.
 *
 * @throws AuthError `missing_token`
 */
export function bearerToken(input: HttpInput): string {
  if (hasTokenInQuery(input.url)) throw new AuthError('token_in_query');
  const values = headerValues(input, 'authorization');
  // Node keeps the first of several and drops the others; the raw list still has them all.
  const raw = input.rawHeaders?.filter(
    (name, at) => at % 2 === 0 && name.toLowerCase() === 'authorization',
  );
  if (values.length > 1 || (raw !== undefined && raw.length > 1))
    throw new AuthError('header_repeated');
  const value = values[0];
  if (value === undefined) throw new AuthError('header_missing');
  // Fetch joins repeated headers by a comma, which no Bearer credential contains.
  if (/,\s*[A-Za-z-]+ /.test(value)) throw new AuthError('header_repeated');
  const [, scheme, credentials] = CREDENTIALS.exec(value) ?? [];
  if (scheme === undefined || credentials === undefined) throw new AuthError('header_malformed');
  if (scheme.toLowerCase() !== 'bearer') throw new AuthError('scheme_unsupported');
  return credentials;
}
