/**
 * What a client makes of a server's answers: which document it takes, and from where. Pure: answers
 * were recorded before (`record.ts`), and each client reads the same ones in its own way.
 */
import { parseChallenge, urlBelow, wellKnownUrl } from '../../protocol/index.js';
import type { KnownClient } from './clients.js';

/** One recorded answer. */
export interface Seen {
  /** 0: nothing answered, and `failure` says why. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** Absent when the body is no JSON object. */
  readonly json?: Readonly<Record<string, unknown>> | undefined;
  readonly failure?: string | undefined;
}

/** Everything recorded, by `METHOD url`; probes of one client carry its name before that. */
export interface Recording {
  readonly server: string;
  /** A client registered beforehand, whose id is tried for everybody. */
  readonly clientId?: string | undefined;
  readonly redirectUri?: string | undefined;
  readonly answers: ReadonlyMap<string, Seen>;
}

const NOTHING: Seen = { status: 0, headers: {}, failure: 'it was not asked' };

export const answerOf = (recording: Recording, key: string): Seen =>
  recording.answers.get(key) ?? NOTHING;

/** A parameter of the server's challenge (RFC 9728 §5.1). */
export const challengeParameter = (
  seen: Seen,
  name: 'resource_metadata' | 'scope',
): string | undefined => parseChallenge(seen.headers['www-authenticate'])?.[name];

/** Where the resource's metadata may be, in the order every client asks (RFC 9728 §3). */
export function resourceMetadataUrls(server: string, bare: Seen): readonly string[] {
  const named = challengeParameter(bare, 'resource_metadata');
  const inserted = wellKnownUrl(server, 'oauth-protected-resource');
  const root = wellKnownUrl(new URL(server).origin, 'oauth-protected-resource');
  if (named !== undefined && URL.canParse(named)) return [named];
  return [...new Set([inserted, root])];
}

/** Where the authorization server's may be (RFC 8414 §3.1 and §5, OpenID Connect Discovery §4). */
export const serverMetadataUrls = (issuer: string): readonly string[] => [
  ...new Set([
    wellKnownUrl(issuer.replace(/\/$/, ''), 'oauth-authorization-server'),
    wellKnownUrl(issuer.replace(/\/$/, ''), 'openid-configuration'),
    urlBelow(issuer, '.well-known/openid-configuration'),
  ]),
];

export const isFound = (seen: Seen): boolean => seen.status === 200 && seen.json !== undefined;

export interface Found {
  readonly url: string;
  readonly document: Readonly<Record<string, unknown>>;
}

/** The first that is there; or the answer at which this client gives up. */
export function firstFound(
  recording: Recording,
  urls: readonly string[],
  client: Pick<KnownClient, 'serverError'>,
): Found | { readonly stuckAt: string; readonly seen: Seen } {
  let last: { readonly stuckAt: string; readonly seen: Seen } | undefined;
  for (const url of urls) {
    const seen = answerOf(recording, `GET ${url}`);
    if (isFound(seen)) return { url, document: seen.json as Found['document'] };
    last = { stuckAt: url, seen };
    if (client.serverError === 'abort' && (seen.status >= 500 || seen.status === 0)) break;
  }
  return last ?? { stuckAt: '', seen: NOTHING };
}

/** The first authorization server the resource names: clients look at no other. */
export function issuerIn(document: Found['document']): string | undefined {
  const [first] = Array.isArray(document.authorization_servers)
    ? (document.authorization_servers as unknown[])
    : [];
  return typeof first === 'string' && URL.canParse(first) ? first : undefined;
}

export const text = (document: Found['document'], name: string): string | undefined =>
  typeof document[name] === 'string' ? (document[name] as string) : undefined;

export const list = (document: Found['document'], name: string): readonly unknown[] =>
  Array.isArray(document[name]) ? (document[name] as unknown[]) : [];

/** How a client comes by its id at this server. */
export type Way = 'registered beforehand' | 'its metadata document' | 'dynamic registration';

export function wayIn(
  recording: Recording,
  client: KnownClient,
  metadata: Found['document'],
): Way | undefined {
  if (recording.clientId !== undefined) return 'registered beforehand';
  // Claude takes this way only where it may be a public client.
  const acceptsDocuments =
    metadata.client_id_metadata_document_supported === true &&
    list(metadata, 'token_endpoint_auth_methods_supported').includes('none');
  if (client.documentUrl !== undefined && acceptsDocuments) return 'its metadata document';
  return text(metadata, 'registration_endpoint') === undefined ? undefined : 'dynamic registration';
}

/** The scopes a client asks for first: those of the challenge, or all the resource has. */
export const scopeAsked = (bare: Seen, resource: Found['document']): string | undefined =>
  challengeParameter(bare, 'scope') ??
  (list(resource, 'scopes_supported').length > 0
    ? list(resource, 'scopes_supported').join(' ')
    : undefined);

const LOOPBACK = new Set(['localhost', '127.0.0.1', '[::1]']);

/** https, or http at home. */
export function isSafeEndpoint(url: string | undefined): url is string {
  if (url === undefined || !URL.canParse(url)) return false;
  const { protocol, hostname } = new URL(url);
  return protocol === 'https:' || (protocol === 'http:' && LOOPBACK.has(hostname));
}
