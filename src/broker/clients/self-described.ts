/**
 * What a client may be by its own word: from raw client metadata (RFC 7591 §2), registered or read in a
 * client ID metadata document, to what is kept of it. Clients bend the rules in known ways, and get in
 * all the same: `null` and empty values say nothing, no `application_type` is needed, loopback, custom
 * schemes and https may stand in one list, grants we do not offer fall away. What nobody vouches for
 * gets the code flow with its refresh, whatever it asks. Pure.
 */
import { contactField, httpsUri, isShowable, NAME_CHARS_MAX } from '../registry/fields.js';
import {
  type Jwks,
  PRIVATE_MEMBERS,
  PUBLIC_KEYS_MAX,
  publicJwkSchema,
} from './credential-schema.js';
import { publicKeyProblems } from './public-key.js';
import { redirectUriProblem } from './redirect-uri.js';

/** What clients that come by themselves are let do, each of them (RFC 7591 §2: we may substitute). */
export const SELF_DESCRIBED_GRANTS = ['authorization_code', 'refresh_token'] as const;

const AUTH_METHODS = [
  'none',
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
] as const;

export interface SelfDescribed {
  /** Its own word, made fit to be read; absent: it has none. */
  readonly name: string | undefined;
  readonly redirectUris: readonly string[];
  /** Absent: it does not say. */
  readonly auth: (typeof AUTH_METHODS)[number] | undefined;
  readonly jwks: Jwks | undefined;
  /** Not fetched yet. */
  readonly jwksUri: string | undefined;
  readonly clientUri: string | undefined;
  /** Kept, never loaded (K9). */
  readonly logoUri: string | undefined;
  readonly policyUri: string | undefined;
  readonly contact: string | undefined;
  readonly softwareId: string | undefined;
  readonly softwareVersion: string | undefined;
  /** To be told again, never a limit: clients register what they need first, and step up (Q2). */
  readonly scope: string | undefined;
  readonly requirePar: boolean;
  readonly requireSignedRequest: boolean;
  readonly dpopBound: boolean;
}

export interface MetadataProblem {
  /** RFC 7591 §3.2.2. */
  readonly code: 'invalid_redirect_uri' | 'invalid_client_metadata';
  readonly message: string;
}

export type Acceptance =
  | { readonly accepted: SelfDescribed }
  | { readonly problem: MetadataProblem };

const REDIRECT_URIS_MAX = 20;
const SOFTWARE_CHARS_MAX = 200;
const SCOPE_CHARS_MAX = 2000;

type Raw = Readonly<Record<string, unknown>>;

/** Thrown inside, returned outside: the first thing that is wrong. */
const refuse = (message: string, code: MetadataProblem['code'] = 'invalid_client_metadata') =>
  Object.assign(new Error(message), { problem: { code, message } });

export function acceptMetadata(raw: Raw): Acceptance {
  const said = Object.fromEntries(
    Object.entries(raw).filter(([, value]) => value !== null && value !== ''),
  );
  try {
    return { accepted: readMetadata(said) };
  } catch (error) {
    if (error instanceof Error && 'problem' in error) {
      return { problem: error.problem as MetadataProblem };
    }
    throw error;
  }
}

function readMetadata(said: Raw): SelfDescribed {
  const jwks = keysIn(said);
  const jwksUri = pageIn(said, 'jwks_uri');
  if (jwks !== undefined && jwksUri !== undefined) {
    throw refuse('jwks and jwks_uri must not both be there (RFC 7591 §2)');
  }
  checkOffered(said, 'grant_types', ['authorization_code']);
  checkOffered(said, 'response_types', ['code']);
  const auth = authIn(said);
  if (auth === 'private_key_jwt' && jwks === undefined && jwksUri === undefined) {
    throw refuse('private_key_jwt needs jwks or jwks_uri');
  }
  const scope = textIn(said, 'scope', SCOPE_CHARS_MAX);
  return {
    name: nameIn(said),
    redirectUris: redirectUrisIn(said),
    auth,
    jwks,
    jwksUri,
    clientUri: pageIn(said, 'client_uri'),
    logoUri: pageIn(said, 'logo_uri'),
    policyUri: pageIn(said, 'policy_uri'),
    contact: contactIn(said),
    softwareId: textIn(said, 'software_id', SOFTWARE_CHARS_MAX),
    softwareVersion: textIn(said, 'software_version', SOFTWARE_CHARS_MAX),
    scope,
    requirePar: said.require_pushed_authorization_requests === true,
    requireSignedRequest:
      said.require_signed_request_object === true && (jwks ?? jwksUri) !== undefined,
    dpopBound: said.dpop_bound_access_tokens === true,
  };
}

function redirectUrisIn({ redirect_uris: uris }: Raw): readonly string[] {
  const bad = (message: string) => refuse(message, 'invalid_redirect_uri');
  if (!Array.isArray(uris) || uris.length === 0) {
    throw bad('redirect_uris must hold at least one URI');
  }
  if (uris.length > REDIRECT_URIS_MAX) {
    throw bad(`redirect_uris must not hold more than ${REDIRECT_URIS_MAX} URIs`);
  }
  return [
    ...new Set(
      uris.map((uri: unknown, n): string => {
        if (typeof uri !== 'string') throw bad(`redirect_uris[${n}] must be a string`);
        const problem = redirectUriProblem(uri);
        if (problem !== undefined) throw bad(`redirect_uris[${n}] ${problem}`);
        return uri;
      }),
    ),
  ];
}

/** Lists may hold more than we offer; they must hold what we offer, if they are there (Q7). */
function checkOffered(said: Raw, member: string, needed: readonly string[]): void {
  const value = said[member];
  if (value === undefined || (Array.isArray(value) && value.length === 0)) return;
  if (Array.isArray(value) && needed.every((one) => value.includes(one))) return;
  throw refuse(`${member} must be a list with ${needed.join(', ')}`);
}

function authIn({ token_endpoint_auth_method: method }: Raw): SelfDescribed['auth'] {
  if (method === undefined) return undefined;
  const known = AUTH_METHODS.find((one) => one === method);
  if (known !== undefined) return known;
  throw refuse(`token_endpoint_auth_method must be one of ${AUTH_METHODS.join(', ')}`);
}

/** No character that hides, reorders or breaks lines, and no more than fits on a page (K9). */
function nameIn({ client_name: name }: Raw): string | undefined {
  if (name === undefined) return undefined;
  if (typeof name !== 'string') throw refuse('client_name must be a string');
  const shown = [...name.slice(0, 10 * NAME_CHARS_MAX).replace(/\s+/g, ' ')]
    .filter(isShowable)
    .slice(0, NAME_CHARS_MAX)
    .join('')
    .trim();
  return shown === '' ? undefined : shown;
}

function textIn(said: Raw, member: string, charsMax: number): string | undefined {
  const value = said[member];
  if (value === undefined) return undefined;
  if (typeof value === 'string' && value.length <= charsMax && isShowable(value)) return value;
  throw refuse(`${member} must be a string of at most ${charsMax} characters that can be shown`);
}

/** An https page. One by http falls away; what would run or read something itself is refused (A5). */
function pageIn(said: Raw, member: string): string | undefined {
  const value = said[member];
  if (value === undefined) return undefined;
  const url = typeof value === 'string' ? URL.parse(value) : null;
  if (url?.protocol === 'http:' && member !== 'jwks_uri') return undefined;
  if (url !== null && httpsUri.safeParse(url.href).success) return url.href;
  throw refuse(`${member} must be an https URI`);
}

function contactIn({ contacts }: Raw): string | undefined {
  if (!Array.isArray(contacts)) return undefined;
  return contacts.find((one) => contactField.safeParse(one).success);
}

const KEY_MEMBERS = Object.keys(publicJwkSchema.shape);

/** The public keys we can use: of other kinds and uses there may be more, in other words too. */
function keysIn({ jwks }: Raw): Jwks | undefined {
  if (jwks === undefined) return undefined;
  const problem = keySetProblem(jwks);
  if (problem !== undefined) throw refuse(`jwks ${problem}`);
  return acceptKeys(jwks as { keys: readonly Raw[] });
}

export function keySetProblem(jwks: unknown): string | undefined {
  const keys = (jwks as { keys?: unknown } | null)?.keys;
  if (!Array.isArray(keys) || !keys.every((key) => typeof key === 'object' && key !== null)) {
    return 'must be an object with a list of keys';
  }
  if (keys.some((key) => Object.keys(key).some((member) => PRIVATE_MEMBERS.has(member)))) {
    return 'holds a private key: publish the public one only';
  }
  const { keys: usable } = acceptKeys({ keys });
  if (usable.length === 0) return 'holds no key for ES256, EdDSA, PS256 or RS256';
  if (usable.length > PUBLIC_KEYS_MAX) return `must not hold more than ${PUBLIC_KEYS_MAX} keys`;
  const [problem] = usable.flatMap((key, n) =>
    publicKeyProblems(key).map(({ path, message }) => `keys[${n}].${path.join('.')} ${message}`),
  );
  if (problem !== undefined) return `has a bad key: ${problem}`;
  const kids = usable.flatMap(({ kid }) => kid ?? []);
  return new Set(kids).size === kids.length ? undefined : 'names two keys alike';
}

/** Of a key set that has no problem, the keys that may prove somebody. */
export const acceptKeys = (jwks: { readonly keys: readonly Raw[] }): Jwks => ({
  keys: jwks.keys.flatMap((key) => {
    const known = Object.entries(key).filter(([member]) => KEY_MEMBERS.includes(member));
    const parsed = publicJwkSchema.safeParse(Object.fromEntries(known));
    return parsed.success ? [parsed.data] : [];
  }),
});
