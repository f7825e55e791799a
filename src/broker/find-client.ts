/**
 * How the engine finds a client: in the registry, once what is known of a client whose id is a URL is what
 * its document says (`clients/documents.ts`). Why it finds none is told to whoever wrote the document, and
 * to the audit.
 */
import { type AdapterPayload, errors, type KoaContextWithOIDC, Provider } from 'oidc-provider';
import { OAuthError } from '../protocol/index.js';
import { isDocumentId } from './clients/document-policy.js';
import { isDocumentRefusal } from './clients/document-refusal.js';
import type { Documents } from './clients/documents.js';
import type { FactsCache } from './facts/store.js';
import { addressOf, requestState } from './http/request.js';
import { clientMetadata, type Switches, strangersMetadata } from './provider/client-metadata.js';
import { engineError } from './provider/errors.js';

export interface ClientFinder {
  /** @throws the engine's error, for a document's client that is nobody now */
  readonly findClient: (id: string) => Promise<AdapterPayload | undefined>;
  /** From here on the request is good as far as its client goes: there is a row. */
  readonly admitClient: (ctx: KoaContextWithOIDC) => Promise<void>;
}

/** Where authorizations begin: nowhere else is a stranger's document fetched. */
const BEGINNINGS = new Set(['authorization', 'pushed_authorization_request']);
/** Where it helps to say why; elsewhere a client that is nobody is just that. */
const TOLD = new Set([...BEGINNINGS, 'token']);
const RETRY_AFTER_SECONDS = 60;
/** RFC 6585 §4. */
const TOO_MANY = 429;

export function createClientFinder(deps: {
  readonly facts: FactsCache;
  readonly documents: Documents;
  readonly on: Pick<Switches, 'attestation' | 'assertionGrant'>;
}): ClientFinder {
  const { facts, documents, on } = deps;
  return {
    findClient: async (id) => {
      const ctx = Provider.ctx as KoaContextWithOIDC | undefined;
      const byPlatform = ctx !== undefined && requestState(ctx).workload?.principal === id;
      if (!isDocumentId(id))
        return clientMetadata(await facts.current(), id, { ...on, byPlatform });
      const asker = {
        address: ctx === undefined ? '' : addressOf(ctx.req),
        begins: BEGINNINGS.has(ctx?.oidc?.route ?? ''),
      };
      const looking = documents.look(id, asker).catch(refusedAs(ctx, id));
      const stranger = await (TOLD.has(ctx?.oidc?.route ?? '') ? looking : looking.catch(nobody));
      if (stranger === NOBODY) return undefined;
      return stranger === undefined
        ? clientMetadata(await facts.current(), id, on)
        : strangersMetadata({ ...stranger.values, id }, stranger.keys?.keys ?? []);
    },
    admitClient: async (ctx) => {
      const id = ctx.oidc.client?.clientId ?? '';
      if (!isDocumentId(id)) return;
      await documents.admit(id, { address: addressOf(ctx.req) }).catch(refusedAs(ctx, id));
    },
  };
}

const NOBODY = Symbol('nobody');

const nobody = (error: unknown): typeof NOBODY => {
  if (error instanceof errors.OIDCProviderError) return NOBODY;
  throw error;
};

const refusedAs =
  (ctx: KoaContextWithOIDC | undefined, id: string) =>
  (error: unknown): never => {
    if (!isDocumentRefusal(error)) throw error;
    const { sentence, reason, busy } = error;
    if (busy) ctx?.set('Retry-After', String(RETRY_AFTER_SECONDS));
    if (ctx !== undefined) tell(ctx, id);
    const code = busy ? 'temporarily_unavailable' : 'invalid_client';
    // RFC 6749 §4.1.2.1: at the authorization endpoint nobody authenticates.
    const refused = ctx?.oidc?.route === 'authorization' ? 400 : undefined;
    const status = busy ? TOO_MANY : refused;
    throw engineError(new OAuthError(code, sentence, `${id.slice(0, 200)}: ${reason}`, status));
  };

/** The URL is anybody's word: in the detail, not where the client stands. */
function tell(ctx: KoaContextWithOIDC, id: string): void {
  const state = requestState(ctx);
  const detail = { ...state.story?.detail, client_document: id.slice(0, 512) };
  state.story = { ...state.story, detail };
}
