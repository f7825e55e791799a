// A host of unchanged MCP clients, of both SDK generations: what it keeps for the SDK, how its client came
// to be known, and a person who decides at the page the browser is sent to.
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { type Browserless, walkPages } from '../../examples/demo/walk-pages.js';

/** Of the example world. */
export const ANA_IN_EXAMPLES = {
  email: 'ana@example.com',
  password: 'correct horse battery staple',
};

/** Where nobody listens: the person's pages end there, and the host is told. */
export const LOOPBACK_CALLBACK = 'http://127.0.0.1:4200/callback';

/** How a client comes to be known; with neither, it registers itself (RFC 7591). */
export interface WayIn {
  /** Registered by an operator. */
  readonly registered?: { readonly client_id: string; readonly client_secret: string };
  /** Of a client ID metadata document. */
  readonly clientMetadataUrl?: string;
  /**
   * A client of the first generation that has a refresh token renews before it asks the user, which widens
   * nothing; a host that wants to step up keeps none.
   */
  readonly dropsRefreshTokens?: boolean;
}

interface Kept {
  tokens?: Record<string, unknown>;
  client?: Record<string, unknown>;
  verifier?: string;
  discovered?: unknown;
}

/** What a host keeps for the SDK: a client, tokens, and where it sends the browser. */
export function createProvider({ registered, clientMetadataUrl, dropsRefreshTokens }: WayIn) {
  const kept: Kept = {};
  const sentTo: URL[] = [];
  const known =
    registered === undefined
      ? {
          clientInformation: () => kept.client as never,
          saveClientInformation: (client: Record<string, unknown>) => {
            kept.client = client;
          },
        }
      : { clientInformation: () => registered };
  return {
    sentTo,
    kept,
    provider: {
      ...known,
      ...(clientMetadataUrl === undefined ? {} : { clientMetadataUrl }),
      redirectUrl: LOOPBACK_CALLBACK,
      clientMetadata: { redirect_uris: [LOOPBACK_CALLBACK], client_name: 'Example Desk' },
      tokens: () => kept.tokens as never,
      saveTokens: ({ refresh_token, ...tokens }: Record<string, unknown>) => {
        kept.tokens = dropsRefreshTokens === true ? tokens : { ...tokens, refresh_token };
      },
      redirectToAuthorization: (url: URL) => void sentTo.push(url),
      saveCodeVerifier: (verifier: string) => {
        kept.verifier = verifier;
      },
      codeVerifier: () => kept.verifier as string,
      saveDiscoveryState: (state: unknown) => {
        kept.discovered = state;
      },
      discoveryState: () => kept.discovered,
    },
  };
}

/** What is used of a transport and a client, whatever their generation. */
export interface AnyTransport {
  finishAuth(answer: never): Promise<void>;
}
export interface AnyClient {
  connect(transport: AnyTransport): Promise<void>;
  callTool(call: { name: string; arguments: object }): Promise<unknown>;
  listTools(): Promise<{ tools: readonly { name: string }[] }>;
  close(): Promise<void>;
}
type Provider = ReturnType<typeof createProvider>['provider'];

export const GENERATIONS = {
  v1: {
    client: () => new ClientV1({ name: 'host', version: '1.0.0' }) as unknown as AnyClient,
    transport: (server: string, provider: Provider): AnyTransport =>
      new TransportV1(new URL(server), { authProvider: provider as never }),
  },
  v2: {
    client: () => new ClientV2({ name: 'host', version: '1.0.0' }) as unknown as AnyClient,
    transport: (server: string, provider: Provider): AnyTransport =>
      new TransportV2(new URL(server), { authProvider: provider as never }),
  },
};

/** Ana decides at the page the browser was sent to, and the host goes on with the answer. */
export async function decide(
  browser: Browserless,
  transport: AnyTransport,
  url: URL | undefined,
  scopes: readonly string[],
): Promise<void> {
  const callback = await walkPages(browser, (url as URL).href, { ...ANA_IN_EXAMPLES, scopes });
  const params = new URL(callback).searchParams;
  await transport.finishAuth(
    (transport instanceof TransportV2 ? params : params.get('code')) as never,
  );
}

/** Of the error that a step ended with. */
export const errorName = (step: Promise<unknown>): Promise<string> =>
  step.then(
    () => 'none',
    (error: Error) => error.constructor.name,
  );
