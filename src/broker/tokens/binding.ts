/**
 * What a token is bound to (RFC 7800 `cnf`): the key of the request's DPoP proof (RFC 9449 §6), the
 * certificate it came with (RFC 8705 §3.1); and the rule, for every grant, that whoever may have bound
 * tokens only gets no others. Part of the story, so that it is decided again with it.
 */
import { OAuthError, type OAuthErrorCode } from '../../protocol/index.js';
import { because } from '../delegation/denials.js';
import { applicationOf } from '../facts/application.js';
import type { ClientFacts } from '../facts/store.js';
import { type RequestContext, requestState } from '../http/request.js';
import type { DpopProof } from '../provider/internals.js';
import { type FapiRule, fapiProblem } from './fapi.js';
import type { EngineToken, Issuance, Story } from './issue.js';

export type Confirmation = NonNullable<Issuance['claims']['cnf']>;

/** Both, where the request showed both. */
export const confirmationOf = ({ jkt, 'x5t#S256': x5t }: EngineToken): Confirmation => ({
  ...(jkt === undefined ? {} : { jkt }),
  ...(x5t === undefined ? {} : { 'x5t#S256': x5t }),
});

/** What a request showed, of what a token can be bound to. */
export interface Shown {
  readonly proof: DpopProof | undefined;
  /** `x5t#S256`. */
  readonly certificate: string | undefined;
}

export const shownIn = (ctx: RequestContext, proof: DpopProof | undefined): Shown => ({
  proof,
  certificate: requestState(ctx).certificate?.thumbprint,
});

/** Whether everything a token is bound to was shown; what nobody can show, never is. */
export const isShown = (
  cnf: Confirmation | undefined,
  { proof, certificate }: Shown = { proof: undefined, certificate: undefined },
): boolean => {
  const shown: Readonly<Record<string, string | undefined>> = {
    jkt: proof?.thumbprint,
    'x5t#S256': certificate,
  };
  return Object.entries(cnf ?? {}).every(([method, value]) => shown[method] === value);
};

type Rule = 'key_not_shown' | 'certificate_not_shown' | 'another_instance' | FapiRule;

/** Pure: which of what the client must show is missing. */
export function bindingProblem(
  client: Pick<ClientFacts, 'dpopBound' | 'certificateBound'>,
  { proof, certificate }: Shown,
): Rule | undefined {
  if (client.dpopBound && proof === undefined) return 'key_not_shown';
  if (client.certificateBound && certificate === undefined) return 'certificate_not_shown';
  return undefined;
}

/** RFC 9449 §5, §5.2; RFC 8705 has no code of its own. */
const WIRE: Record<Rule, readonly [OAuthErrorCode, string]> = {
  key_not_shown: ['invalid_dpop_proof', 'tokens of this client are bound to a key: send DPoP'],
  certificate_not_shown: [
    'invalid_request',
    'tokens of this client are bound to its certificate: connect with it',
  ],
  another_instance: [
    'invalid_dpop_proof',
    'tokens of an attested instance are bound to its own key',
  ],
  proof_ahead: ['invalid_dpop_proof', 'the DPoP proof is from the future'],
  algorithm_refused: [
    'invalid_target',
    'tokens of this resource are signed in a way that this client must not take',
  ],
};

/** The same story, told only to whoever shows what the client's tokens are bound to. */
export function bound(
  ctx: RequestContext,
  clientId: string,
  proof: DpopProof | undefined,
  story: Story,
): Story {
  return async function boundStory(facts, requested) {
    const client = await applicationOf(facts, clientId);
    checkShown(ctx, client, proof);
    const issuance = await story(facts, requested);
    if (client?.fapi === true) {
      const { arrivedAtMs } = requestState(ctx);
      refuse(fapiProblem(proof, issuance.signingAlg, arrivedAtMs), clientId);
    }
    return withCertificate(issuance, client, requestState(ctx).certificate?.thumbprint);
  };
}

/** Of whoever may have bound tokens only. @throws OAuthError before anything is used up for nothing */
export function checkShown(
  ctx: RequestContext,
  client: ClientFacts | undefined,
  proof: DpopProof | undefined,
): void {
  if (client === undefined) return;
  refuse(bindingProblem(client, shownIn(ctx, proof)), client.id);
  const { instance } = requestState(ctx);
  const isOwn = instance === undefined || proof?.thumbprint === instance;
  refuse(isOwn ? undefined : 'another_instance', client.id);
}

/** RFC 8705 §3.4, also where the engine does not bind by itself. */
function withCertificate(
  issuance: Issuance,
  client: Pick<ClientFacts, 'certificateBound'> | undefined,
  certificate: string | undefined,
): Issuance {
  if (client?.certificateBound !== true || certificate === undefined) return issuance;
  const cnf = { ...issuance.claims.cnf, 'x5t#S256': certificate };
  return { ...issuance, claims: { ...issuance.claims, cnf } };
}

function refuse(rule: Rule | undefined, clientId: string): void {
  if (rule === undefined) return;
  const [code, sentence] = WIRE[rule];
  throw because(new OAuthError(code, sentence, `${rule} (${clientId})`), { rule });
}
