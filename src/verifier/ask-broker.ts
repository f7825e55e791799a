/** Requests to the broker as this server's own client. */
import { urlBelow } from '../protocol/index.js';
import { basicAuthorization, type ReportCredentials } from './report.js';

const TIMEOUT_MS = 5_000;

export interface BrokerRequest {
  readonly method?: 'GET' | 'POST';
  readonly query?: Readonly<Record<string, string>>;
  /** Sent as JSON. */
  readonly body?: unknown;
}

export type AskBroker = (path: string, request?: BrokerRequest) => Promise<Response | undefined>;

/** @returns what asks; it answers `undefined` where there is no client to ask as */
export function createAskBroker(options: {
  readonly issuer: string;
  readonly client: ReportCredentials | undefined;
  readonly fetch: typeof globalThis.fetch;
}): AskBroker {
  const { issuer, client, fetch } = options;
  return async (path, { method = 'GET', query = {}, body } = {}) => {
    if (client === undefined) return undefined;
    const url = new URL(urlBelow(issuer, path));
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
    return fetch(url, {
      method,
      headers: {
        authorization: basicAuthorization(client),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: 'error',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  };
}
