/** A document, and the keys it names, fetched and accepted; whatever is wrong with them is a refusal. */
import { isOutboundError } from '../outbound/errors.js';
import type { Outbound } from '../outbound/outbound.js';
import type { Jwks } from './credential-schema.js';
import type { FetchedDocument } from './document-change.js';
import {
  acceptDocument,
  DOCUMENT_BYTES_MAX,
  documentHash,
  freshSeconds,
  KEY_SET_BYTES_MAX,
  registeredAs,
} from './document-policy.js';
import { isDocumentRefusal, NOT_FETCHED, refuse, tooMany } from './document-refusal.js';
import { acceptKeys, keySetProblem } from './self-described.js';

export interface FetchDeps {
  readonly outbound: Pick<Outbound, 'fetchJson'>;
  /** Milliseconds. */
  readonly now: () => number;
}

const SECOND_MS = 1000;

/** @throws DocumentRefusal */
export async function fetchDocument(deps: FetchDeps, url: string): Promise<FetchedDocument> {
  // Of when it was asked for: whoever asked later knows better (`document-store.ts`).
  const nowMs = deps.now();
  const { json, maxAgeSeconds } = await fetchOr(deps, url, DOCUMENT_BYTES_MAX);
  const acceptance = acceptDocument(url, json);
  if ('problem' in acceptance) {
    throw refuse(`the client ID metadata document is not acceptable: ${acceptance.problem}`);
  }
  const { accepted } = acceptance;
  const { jwksUri, jwks } = accepted.said;
  const keys = jwksUri === undefined ? jwks : await fetchKeys(deps, jwksUri);
  const values = registeredAs(url, accepted);
  return {
    values,
    keys,
    snapshot: {
      url,
      document: json,
      hash: documentHash(values, keys),
      fetchedAt: new Date(nowMs),
      freshUntil: new Date(nowMs + freshSeconds(maxAgeSeconds, jwksUri !== undefined) * SECOND_MS),
    },
  };
}

async function fetchKeys(deps: FetchDeps, url: string): Promise<Jwks> {
  const { json } = await fetchOr(deps, url, KEY_SET_BYTES_MAX);
  const problem = keySetProblem(json);
  if (problem === undefined) return acceptKeys(json as never);
  throw refuse(`the client ID metadata document is not acceptable: its jwks_uri ${problem}`);
}

const fetchOr = (deps: FetchDeps, url: string, maxBytes: number) =>
  deps.outbound.fetchJson(url, { maxBytes }).catch((error: unknown) => {
    if (!isOutboundError(error)) throw error;
    if (error.reason === 'busy') throw tooMany('too many fetches from its host, or altogether');
    throw Object.assign(refuse(NOT_FETCHED, `not fetched: ${error.reason}`), { cause: error });
  });

/** Not fetched now, and not because it is gone: what was known may count for a while. */
export const isTransient = (error: unknown): boolean => {
  if (!isDocumentRefusal(error)) return false;
  const { busy, cause } = error;
  if (!isOutboundError(cause)) return busy;
  return !(cause.reason === 'status' && (cause.cause === 404 || cause.cause === 410));
};
