/** Puts the parts of a verifier together. */
import type { Verifier } from './api.js';
import { createAskBroker } from './ask-broker.js';
import { authenticate } from './authenticate.js';
import { createAuthorities } from './authority.js';
import type { ProofInput } from './binding.js';
import { toChallenge } from './challenge.js';
import { createChecker } from './check.js';
import { createDecider } from './decider.js';
import { createIssued } from './issued.js';
import type { IssuerSettings } from './issuer-options.js';
import { createLifetimes } from './lifetimes.js';
import { toMcpAuthInfo } from './mcp-auth-info.js';
import { checkOptions, type VerifierOptions, type VerifierSettings } from './options.js';
import { createRecorder } from './recorder.js';
import { type ParsedRequirement, parseRequirement } from './requirement.js';
import {
  buildResourceMetadata,
  resourceMetadataPaths,
  resourceMetadataUrl,
} from './resource-metadata.js';

/**
 * Creates a verifier of access tokens for one resource, of one issuer or several.
 *
 * Fetches nothing before its first use. Reads no body, no cookie, and no forwarded header.
 *
 * @throws TypeError when an option would make it unsafe
 */
export function createVerifier(options: VerifierOptions): Verifier {
  const settings = checkOptions(options);
  const { now, resource } = settings;
  const ended = new AbortController();
  const recorder = createRecorder(settings);
  const lifetimes = createLifetimes(now, (issuer) => authorities.get(issuer)?.feed);
  const { signal } = ended;
  const authorities = createAuthorities({ settings, lifetimes, recorder, signal });
  const issued = createIssued(lifetimes);
  const check = createChecker({ settings, authorities, lifetimes, issued, signal });
  const verify = (token: string, proof: ProofInput = {}) =>
    recorder.observe(() => check(token, proof));

  const { decide, decideCall } = createDecider({
    settings,
    feedOf: (issuer) => authorities.get(issuer)?.feed,
    checkedOf: issued.get,
  });

  return Object.freeze<Verifier>({
    resource,
    ...describe(settings),
    verify,
    authenticate: (input) => recorder.observe(() => authenticate(input, settings, check)),
    async authorize(context, requirement, operation) {
      const parsed = checkRequirement(parseRequirement(requirement), settings);
      const decision = await decideCall(context, parsed, operation);
      recorder.record(context, parsed, decision, operation);
      return decision;
    },
    verifyAccessToken: async (token) => toMcpAuthInfo(await verify(token)),
    async ready() {
      await Promise.all([...authorities.values()].map((authority) => authority.ready()));
    },
    async close() {
      ended.abort();
      lifetimes.close();
      await recorder.close();
    },
    issued: issued.has,
    onEnd(context, run) {
      const { lifetime } = issued.get(context) ?? {};
      return lifetime === undefined ? () => undefined : lifetimes.onEnd(lifetime, run);
    },
    checkRequirement: (requirement) => checkRequirement(requirement, settings),
    decide,
    decideCall,
    record: recorder.record,
    askBroker: createAskBroker({ ...settings, ...settings.registrar }),
    emit: recorder.emit,
    now,
  });
}

/** @throws TypeError when what it demands can never be found out here */
function checkRequirement(
  requirement: ParsedRequirement,
  { issuers }: VerifierSettings,
): ParsedRequirement {
  const asks = ({ introspection }: IssuerSettings) =>
    introspection?.mode === 'sensitive' || introspection?.mode === 'always';
  if (requirement.sensitive && !issuers.some(asks))
    throw new TypeError("sensitive needs introspection with the mode 'sensitive' or 'always'");
  return requirement;
}

/** What the verifier says about itself (RFC 9728), and about errors. */
function describe(
  settings: VerifierSettings,
): Pick<
  Verifier,
  'issuer' | 'issuers' | 'metadataPaths' | 'challenge' | 'protectedResourceMetadata'
> {
  const { resource, resourceName: name, dpop, clientCertificate } = settings;
  const issuers = Object.freeze(settings.issuers.map(({ issuer }) => issuer));
  const metadataUrl = resourceMetadataUrl(resource);
  const bindings = { dpopAlgorithms: dpop.algorithms, dpopRequired: dpop.required };
  return {
    issuer: issuers[0] ?? '',
    issuers,
    metadataPaths: resourceMetadataPaths(resource),
    challenge: (error, hints) => {
      const facts = { metadataUrl, ...bindings };
      return toChallenge(error, facts, { scope: hints?.scope ?? settings.scopes });
    },
    protectedResourceMetadata(hints) {
      const scopes = [...settings.scopes, ...(hints?.scope ?? [])];
      const certificates = clientCertificate !== undefined;
      return buildResourceMetadata({ resource, issuers, scopes, name, ...bindings, certificates });
    },
  };
}
