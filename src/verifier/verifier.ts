/** Puts the parts of a verifier together. */
import { createAcknowledger } from './acknowledger.js';
import type { Verifier } from './api.js';
import { createAskBroker } from './ask-broker.js';
import { AuthError } from './auth-error.js';
import { authenticate } from './authenticate.js';
import type { ProofInput } from './binding.js';
import { toChallenge } from './challenge.js';
import { checkToken } from './check.js';
import type { AuthContext } from './context.js';
import { createDecider } from './decider.js';
import { createRevocationFeed, type RevocationFeed } from './feed.js';
import { createKeySource } from './keys.js';
import { createLifetimes, type Lifetime, type Lifetimes } from './lifetimes.js';
import { toMcpAuthInfo } from './mcp-auth-info.js';
import { checkOptions, type VerifierOptions, type VerifierSettings } from './options.js';
import { createRecorder, type Recorder } from './recorder.js';
import { parseRequirement } from './requirement.js';
import {
  buildResourceMetadata,
  resourceMetadataPaths,
  resourceMetadataUrl,
} from './resource-metadata.js';

/**
 * Creates a verifier of one issuer's access tokens for one resource.
 *
 * Fetches nothing before its first use. Reads no body, no cookie, and no forwarded header.
 *
 * @throws TypeError when an option would make it unsafe
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const settings = checkOptions(options);
  const { now, issuer, resource } = settings;
  const ended = new AbortController();
  const recorder = createRecorder(settings);
  const lifetimes = createLifetimes(now, () => feed);
  const feed = createFeed(settings, ended.signal, lifetimes, recorder);
  const keys = createKeySource({ ...settings, signal: ended.signal });
  const contexts = new WeakMap<object, Lifetime>();

  async function check(token: string, proof: ProofInput = {}): Promise<AuthContext> {
    if (ended.signal.aborted) throw new AuthError('verifier_closed');
    const deps = { settings, keyFor: keys.keyFor, feed, lifetimes };
    const { context, lifetime } = await checkToken(token, proof, deps);
    contexts.set(context, lifetime);
    return context;
  }
  const verify = (token: string, proof?: ProofInput) => recorder.observe(() => check(token, proof));

  const { decide, decideCall } = createDecider({
    settings,
    feed,
    lifetimeOf: (context) => contexts.get(context),
  });

  return Object.freeze<Verifier>({
    issuer,
    resource,
    ...describe(settings),
    verify,
    authenticate: (input) => recorder.observe(() => authenticate(input, settings, check)),
    async authorize(context, requirement, operation) {
      const parsed = parseRequirement(requirement);
      const decision = await decideCall(context, parsed, operation);
      recorder.record(context, parsed, decision, operation);
      return decision;
    },
    verifyAccessToken: async (token) => toMcpAuthInfo(await verify(token)),
    async ready() {
      await Promise.all([keys.ready(), feed?.start()]);
    },
    async close() {
      ended.abort();
      lifetimes.close();
      await recorder.close();
    },
    issued: (context): context is AuthContext =>
      typeof context === 'object' && context !== null && contexts.has(context),
    onEnd(context, run) {
      const lifetime = contexts.get(context);
      return lifetime === undefined ? () => undefined : lifetimes.onEnd(lifetime, run);
    },
    decide,
    decideCall,
    record: recorder.record,
    askBroker: createAskBroker(settings),
    emit: recorder.emit,
    now,
  });
}

function createFeed(
  settings: VerifierSettings,
  signal: AbortSignal,
  { onFact }: Lifetimes,
  { emit }: Recorder,
): RevocationFeed | undefined {
  if (settings.revocation === 'off') return undefined;
  const onError = (error: unknown) => emit({ type: 'feed_error', atMs: settings.now(), error });
  const onApplied = createAcknowledger({ ...settings, signal, onError });
  return createRevocationFeed({ ...settings, signal, onFact, onApplied, onError });
}

/** What the verifier says about itself (RFC 9728), and about errors. */
function describe(
  settings: VerifierSettings,
): Pick<Verifier, 'metadataPaths' | 'challenge' | 'protectedResourceMetadata'> {
  const { resource, issuer, resourceName: name, dpop, clientCertificate } = settings;
  const metadataUrl = resourceMetadataUrl(resource);
  const bindings = { dpopAlgorithms: dpop.algorithms, dpopRequired: dpop.required };
  return {
    metadataPaths: resourceMetadataPaths(resource),
    challenge: (error, hints) => {
      const facts = { metadataUrl, ...bindings };
      return toChallenge(error, facts, { scope: hints?.scope ?? settings.scopes });
    },
    protectedResourceMetadata(hints) {
      const scopes = [...settings.scopes, ...(hints?.scope ?? [])];
      const certificates = clientCertificate !== undefined;
      return buildResourceMetadata({ resource, issuer, scopes, name, ...bindings, certificates });
    },
  };
}
