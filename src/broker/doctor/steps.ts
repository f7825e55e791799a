/**
 * The handshake of one client over recorded answers, step by step, until one fails: what was seen, and
 * in one sentence what cures it. Pure.
 */
import type { KnownClient } from './clients.js';
import {
  answerOf,
  challengeParameter,
  type Found,
  firstFound,
  isSafeEndpoint,
  issuerIn,
  list,
  type Recording,
  resourceMetadataUrls,
  type Seen,
  serverMetadataUrls,
  text,
  wayIn,
} from './policy.js';

export interface Step {
  readonly step: string;
  readonly outcome: 'ok' | 'failed' | 'not tried';
  readonly says: string;
  readonly cure?: string;
}

/** What the steps before have found. */
interface Known {
  readonly recording: Recording;
  readonly client: KnownClient;
  readonly bare: Seen;
  readonly resource: Found;
  readonly issuer: string;
  readonly metadata: Found;
}

const ok = (says: string): Omit<Step, 'step'> => ({ outcome: 'ok', says });
const failed = (says: string, cure: string): Omit<Step, 'step'> => ({
  outcome: 'failed',
  says,
  cure,
});
type Judgement = Omit<Step, 'step'> & { readonly found?: Partial<Known> };

const told = ({ status, failure }: Seen): string =>
  status === 0 ? `nothing answers there (${failure})` : `it answers ${status}`;

/** In order; each may count on what those before it found. */
const STEPS: ReadonlyArray<readonly [string, (known: Known) => Judgement]> = [
  ['challenge', challenge],
  ['resource metadata', resourceMetadata],
  ['resource identifier', resourceIdentifier],
  ['server metadata', serverMetadata],
  ['issuer', issuerName],
  ['PKCE', pkce],
  ['registration', registration],
  ['authorize', authorize],
  ['token', tokenEndpoint],
  ['other origins', otherOrigins],
];

/** As far as this client gets. */
export function walk(recording: Recording, client: KnownClient): readonly Step[] {
  const bare = answerOf(recording, `POST ${recording.server}`);
  let known = { recording, client, bare } as Known;
  const steps: Step[] = [];
  for (const [step, judge] of STEPS) {
    const { found, ...judged } = judge(known);
    known = { ...known, ...found };
    steps.push({ step, ...judged });
    if (judged.outcome === 'failed') break;
  }
  return steps;
}

function challenge({ bare }: Known): Judgement {
  if (bare.status === 0)
    return failed(told(bare), 'start the server, and name its address as clients reach it.');
  if (bare.status !== 401)
    return failed(
      `without a token ${told(bare)}`,
      'let the server answer a request without a token with 401 and WWW-Authenticate: Bearer: put the guard in front of it.',
    );
  if (!/^bearer\b/i.test(bare.headers['www-authenticate'] ?? ''))
    return failed(
      'the 401 has no WWW-Authenticate: Bearer',
      'send WWW-Authenticate: Bearer resource_metadata="…" with every 401 (RFC 9728 §5.1), and let proxies pass it on.',
    );
  const named = challengeParameter(bare, 'resource_metadata');
  return ok(named === undefined ? '401 without resource_metadata' : `401 names ${named}`);
}

function resourceMetadata({ recording, client, bare }: Known): Judgement {
  const urls = resourceMetadataUrls(recording.server, bare);
  const resource = firstFound(recording, urls, { serverError: client.serverError });
  if ('stuckAt' in resource)
    return failed(
      `no resource metadata at ${resource.stuckAt}: ${told(resource.seen)}`,
      'serve the protected resource metadata (RFC 9728) as JSON at the address the challenge names, without a token: the guard does when its paths are routed to it.',
    );
  const issuer = issuerIn(resource.document);
  if (issuer === undefined)
    return failed(
      'the resource metadata name no authorization server',
      'put the exact issuer into authorization_servers of the resource metadata.',
    );
  if (list(resource.document, 'scopes_supported').includes('offline_access'))
    return failed(
      'the resource metadata list offline_access',
      'take offline_access out of scopes_supported: it is no scope of a resource, and clients ask for all that is listed.',
    );
  return { ...ok(`${resource.url} names ${issuer}`), found: { resource, issuer } };
}

function resourceIdentifier({ recording: { server }, client, resource }: Known): Judgement {
  const identifier = text(resource.document, 'resource') ?? '';
  const equal = sameUrl(identifier, server);
  if (client.resource === 'equal' ? equal : equal || isWithin(server, identifier))
    return ok(`resource is ${identifier}`);
  return failed(
    `the resource metadata say resource "${identifier}", the address is ${server}`,
    `make resource the address users type, letter by letter (${server}), in the verifier and in the registry.`,
  );
}

/** A host alone is the same with and without its slash; everything else is compared as it stands. */
const sameUrl = (a: string, b: string): boolean =>
  a === b || (URL.canParse(a) && URL.canParse(b) && new URL(a).href === new URL(b).href);

function isWithin(server: string, identifier: string): boolean {
  if (!URL.canParse(identifier)) return false;
  const [at, within] = [new URL(server), new URL(identifier)];
  const path = (url: URL): string => url.pathname.replace(/\/?$/, '/');
  return at.origin === within.origin && path(at).startsWith(path(within));
}

function serverMetadata({ recording, client, issuer }: Known): Judgement {
  const metadata = firstFound(recording, serverMetadataUrls(issuer), client);
  if ('stuckAt' in metadata)
    return failed(
      `no metadata of ${issuer}: at ${metadata.stuckAt} ${told(metadata.seen)}`,
      'serve the metadata at /.well-known/oauth-authorization-server before the path of the issuer (RFC 8414 §3.1), reachable from where clients are; what is unknown answers 404, never 5xx.',
    );
  const { document } = metadata;
  const missing = ['authorization_endpoint', 'token_endpoint', 'response_types_supported'].filter(
    (name) => document[name] === undefined,
  );
  const nulls = Object.keys(document).filter((name) => document[name] === null);
  if (missing.length > 0 || nulls.length > 0)
    return failed(
      `the metadata lack ${[...missing, ...nulls].join(', ')}`,
      'serve complete metadata and leave members out instead of sending null.',
    );
  return { ...ok(metadata.url), found: { metadata } };
}

function issuerName({ client, issuer, metadata }: Known): Judgement {
  const named = text(metadata.document, 'issuer') ?? '';
  if (named === issuer || !client.checksIssuer) return ok(named);
  return failed(
    `the metadata name the issuer "${named}", the resource names "${issuer}"`,
    'use one string for the issuer everywhere, without a slash at its end: in the verifier, in BEHALF_ISSUER and at the proxy.',
  );
}

function pkce({ client, metadata: { document } }: Known): Judgement {
  const methods = list(document, 'code_challenge_methods_supported');
  if (methods.includes('S256') || (methods.length === 0 && !client.needsS256)) return ok('S256');
  return failed(
    'the metadata do not list S256 in code_challenge_methods_supported',
    'list S256 in code_challenge_methods_supported of both metadata documents.',
  );
}

function registration(known: Known): Judgement {
  const { recording, client, metadata } = known;
  const way = wayIn(recording, client, metadata.document);
  if (way === undefined)
    return failed(
      'the server takes neither client metadata documents nor dynamic registration',
      `switch one of them on, or register ${client.name} with \`behalf client create --kind app\`, give it that client_id and ask again with --client-id.`,
    );
  const registered = recording.answers.get(`${client.name} register`);
  if (way !== 'dynamic registration' || registered === undefined) return ok(way);
  if (registered.status === 201 && text(registered.json ?? {}, 'client_id') !== undefined)
    return ok('registered just now');
  const { error, error_description: description } = registered.json ?? {};
  return failed(
    `registration was refused: ${told(registered)} ${error ?? ''} ${description ?? ''}`.trim(),
    'open dynamic registration for these redirect URIs, or register the client beforehand.',
  );
}

function authorize({ recording, client }: Known): Judgement {
  const seen = recording.answers.get(`${client.name} authorize`);
  if (seen === undefined)
    return {
      outcome: 'not tried',
      says: 'it needs a client_id: ask with --client-id, or with --register',
    };
  const location = seen.headers.location ?? '';
  const answer = URL.canParse(location) ? new URL(location).searchParams : new URLSearchParams();
  const error = answer.get('error');
  if (error !== null && error !== 'login_required')
    return failed(
      `it answers ${error}: ${answer.get('error_description') ?? 'no description'}`,
      'see what the sentence names: the resource and its scopes must be registered, and open to this client.',
    );
  if (seen.status === 200 || (seen.status >= 300 && seen.status < 400))
    return ok('asks to sign in');
  return failed(
    `the authorization endpoint shows no way on: ${told(seen)}`,
    `register exactly this redirect URI for the client: ${recording.redirectUri ?? client.redirectUri}`,
  );
}

function tokenEndpoint({ recording, metadata }: Known): Judgement {
  const url = text(metadata.document, 'token_endpoint');
  if (!isSafeEndpoint(url))
    return failed(
      `the token endpoint is ${url}`,
      'serve it over https: clients send secrets nowhere else, but on loopback.',
    );
  const seen = answerOf(recording, `POST ${url}`);
  const isAnswer = (seen.status === 400 || seen.status === 401) && seen.json?.error !== undefined;
  if (isAnswer) return ok('refuses a wrong code as it should');
  return failed(
    `the token endpoint refuses a wrong code in a strange way: ${told(seen)}`,
    'route the token endpoint to the broker: it must answer errors as JSON with 400 or 401 (RFC 6749 §5.2), never with a page or a redirect.',
  );
}

function otherOrigins({ recording, client, metadata, resource }: Known): Judgement {
  const { pageOrigin } = client;
  if (pageOrigin === undefined) return ok('does not run in a page');
  const token = text(metadata.document, 'token_endpoint');
  const asked = [recording.server, resource.url, metadata.url, token];
  const closed = asked.find((url) => {
    const { headers } = answerOf(recording, `OPTIONS ${url}`);
    return !['*', pageOrigin].includes(headers['access-control-allow-origin'] ?? '');
  });
  if (closed === undefined) return ok('may be called from its page');
  return failed(
    `a page of ${pageOrigin} may not call ${closed}`,
    `let ${closed} answer CORS preflights, with the headers Authorization and MCP-Protocol-Version.`,
  );
}
