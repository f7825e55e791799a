/** The engine put together: what answers for it, what listens to it, and what it is made of. */
import { withAssertions } from './assertion/metadata.js';
import { underRequest } from './audit/store.js';
import { refreshGraceOf } from './config.js';
import { renderError } from './consent/views.js';
import { endGrant } from './delegation/ends.js';
import { findGrant } from './delegation/queries.js';
import { documentRulesOf } from './document-rules.js';
import { exchangeMetadata } from './exchange/metadata.js';
import { createClientFinder } from './find-client.js';
import { createProblemPage } from './http/problem-page.js';
import type { KeyRing } from './keys/ring.js';
import { type Parts, readerOf } from './parts.js';
import {
  createAnswers,
  createDiscovery,
  createJwks,
  createUnavailability,
  noteRefusal,
} from './provider/answers.js';
import { authMetadata } from './provider/auth-metadata.js';
import { crossOrigin } from './provider/cross-origin.js';
import { createEngine, type Engine, type EngineMiddleware } from './provider/engine.js';
import { rewriteHandOver } from './provider/hand-over.js';
import { strictProofs } from './provider/strict-proofs.js';
import { notingClientUse } from './registration/upkeep.js';
import { createJwtEndpoints } from './revocation/jwt-endpoints.js';
import {
  createSignedIntrospection,
  SIGNED_INTROSPECTION_METADATA,
} from './revocation/signed-introspection.js';
import { registrationMetadata } from './self-registration.js';
import { createSignOutRecorder } from './sessions/sign-out.js';
import { createGate } from './tokens/gate.js';
import { createIssuer } from './tokens/issue.js';
import { renderSignOut } from './users/sign-in-views.js';
import { findUserByEmail } from './users/store.js';
import { createWorkloadMiddleware } from './workload/middleware.js';

export function assembleEngine(
  parts: Parts,
  keys: KeyRing,
  /** A client that registered itself was given a token. */
  noteClientUse: (clientId: string) => void,
): Engine {
  const { config, db, now, secrets, facts, outbound, trust, documents } = parts;
  const { issuer, exchangeErrors = 'rfc8693' } = config;
  const assertionGrant = config.assertionGrant === true;
  const reader = readerOf(parts, keys);
  const pages = createProblemPage({ renderError, renderSignOut, now }).engine;
  return createEngine({
    db,
    issuer,
    secrets,
    facts,
    now,
    outbound,
    clients: createClientFinder({
      facts,
      documents,
      on: { attestation: config.attestation === true, assertionGrant },
    }),
    reader,
    exchangeErrors,
    trust,
    assertionGrant,
    userByEmail: findUserByEmail,
    actDepthMax: config.actDepthMax,
    refreshGraceSeconds: refreshGraceOf(config),
    strictReplay: config.strictReplay === true,
    attestation: config.attestation === true,
    dpopRequiresNonce: config.dpopRequiresNonce === true,
    stepUpByRefresh: config.stepUpByRefresh === true,
    keys: keys.current,
    tokens: createIssuer({
      facts,
      gate: createGate(db),
      signingKey: keys.keyFor,
      refreshKeys: keys.refresh,
    }),
    endGrant: async (id, reason, by, requestId) => {
      const on = requestId === undefined ? db : underRequest(db, requestId);
      await endGrant(on, id, reason, by);
    },
    middleware: middlewareOf(parts, keys, { reader, refuse: pages.refuse, noteClientUse }),
    onRefusal: noteRefusal,
    ...pages,
  });
}

/** Outermost first. */
function middlewareOf(
  parts: Parts,
  keys: KeyRing,
  on: {
    readonly reader: ReturnType<typeof readerOf>;
    readonly refuse: ReturnType<typeof createProblemPage>['engine']['refuse'];
    readonly noteClientUse: (clientId: string) => void;
  },
): EngineMiddleware[] {
  const { config, db, now, facts, refusals } = parts;
  const { issuer, exchangeErrors = 'rfc8693' } = config;
  const { reader, refuse } = on;
  const assertionGrant = config.assertionGrant === true;
  return [
    crossOrigin,
    createUnavailability({ db, refusals, refuse }),
    strictProofs,
    createSignedIntrospection({ issuer, signingKey: () => keys.keyFor('ES256'), now }),
    createJwtEndpoints({
      db,
      facts,
      reader,
      now,
      refusals,
      grantOf: (id) => findGrant(db.orm, id),
    }),
    createDiscovery(issuer, {
      ...withAssertions(assertionGrant, exchangeMetadata(exchangeErrors)),
      ...SIGNED_INTROSPECTION_METADATA,
      ...authMetadata(config),
      ...documentMetadata(config),
      ...registrationMetadata(parts),
    }),
    notingClientUse({ facts, note: on.noteClientUse }),
    createJwks(() => keys.current().published),
    rewriteHandOver,
    createAnswers({ db, refusals, refuse }),
    createSignOutRecorder(db),
    createWorkloadMiddleware({ ...parts, issuer, assertionGrant }),
  ];
}

/** MCP clients look for this before they use a URL as their id. */
const documentMetadata = (config: Parts['config']) =>
  documentRulesOf(config).trust === 'off' ? {} : { client_id_metadata_document_supported: true };
