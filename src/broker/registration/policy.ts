/**
 * What a client that registers itself may be (RFC 7591), beyond what its metadata can say at all: where
 * it may be answered, how it proves itself, who may share its row, what a change may not touch. Pure:
 * facts in, decision out.
 */

export type AuthMethod = 'none' | 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt';

export interface Rules {
  readonly mode: 'token' | 'domain' | 'open';
  /** `claude.ai` is that host alone, `*.example.com` every host below. */
  readonly domains: readonly string[];
}

/** Loopback and custom schemes: the answer goes to a program on the user's own device (RFC 8252). */
const isNative = (uri: string): boolean => !uri.startsWith('https://');

/**
 * Where only listed domains are welcome: nobody else's page is ever sent a code. What stays on the
 * user's device belongs to no domain, and is let in.
 */
export function unwelcomeRedirect(rules: Rules, uris: readonly string[]): string | undefined {
  if (rules.mode !== 'domain') return undefined;
  return uris.find((uri) => !isNative(uri) && !isListed(new URL(uri).hostname, rules.domains));
}

const isListed = (host: string, domains: readonly string[]): boolean =>
  domains.some((domain) =>
    domain.startsWith('*.') ? host.endsWith(domain.slice(1)) : host === domain,
  );

/**
 * RFC 7591 §2 makes `client_secret_basic` of silence. But a secret in a native app is none (RFC 8252
 * §8.4), and MCP clients that say nothing cannot keep one: they are public (Q22).
 */
export const silentAuth = (redirectUris: readonly string[]): AuthMethod =>
  redirectUris.some(isNative) ? 'none' : 'client_secret_basic';

/** Q4: any loopback port, for whoever has one redirect to the user's device. */
export const applicationType = (redirectUris: readonly string[]): 'native' | 'web' =>
  redirectUris.some(isNative) ? 'native' : 'web';

/**
 * Whether the same again from the same network is the same client (Q22). Only where nothing is proved
 * and nothing secret is handed out: whoever shares gets an id that is in every authorization request
 * anyway, and no power over it; and neither has the first any more.
 */
export const mayBeShared = (client: {
  readonly auth: AuthMethod;
  readonly initialToken: boolean;
}): boolean => client.auth === 'none' && !client.initialToken;

const isSecret = (auth: AuthMethod): boolean => auth.startsWith('client_secret_');

/**
 * RFC 7592 §2.2: a change replaces everything but what proves the client. Its secret is ours and is
 * neither taken nor given by the way, so a client stays public, or secret, or keyed.
 */
export function changedAuth(
  current: AuthMethod,
  wanted: AuthMethod | undefined,
): AuthMethod | { readonly problem: string } {
  if (wanted === undefined || wanted === current) return current;
  if (isSecret(current) && isSecret(wanted)) return wanted;
  return {
    problem: `token_endpoint_auth_method cannot become ${wanted}: register a new client`,
  };
}

/** What the statement of somebody trusted says stands, whatever stands beside it (RFC 7591 §2.3). */
export function underStatement(
  plain: Readonly<Record<string, unknown>>,
  claims: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const vouched = Object.entries(claims).filter(([name]) => !OF_THE_JWT.has(name));
  return { ...plain, ...Object.fromEntries(vouched) };
}

/** RFC 7519 §4.1, and what a client never says of itself. */
const OF_THE_JWT = new Set(['iss', 'sub', 'aud', 'exp', 'nbf', 'iat', 'jti', 'software_statement']);
