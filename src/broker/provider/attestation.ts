/**
 * Agent instances that prove themselves by what their attester says of them
 * (draft-ietf-oauth-attestation-based-client-auth-12), behind a switch. Whose word is taken is said twice:
 * the attester is a trusted issuer for this purpose, and a credential of the agent names it. The engine
 * checks signatures, types, audience, challenge and single use; here is whose keys those are, how old
 * an attestation may be, and which instance it was: its tokens are bound to that key.
 */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { calculateJwkThumbprint, type JWK } from 'jose';
import { type Configuration, errors, type KoaContextWithOIDC } from 'oidc-provider';
import type { CredentialFacts, Facts, FactsCache } from '../facts/store.js';
import { requestState } from '../http/request.js';
import type { Secrets } from '../keys/secrets.js';
import { isCompactJws } from '../tokens/access-tokens.js';

export const ATTESTATION_AUTH = 'attest_jwt_client_auth';
const PURPOSE = 'attestation';

/** An attestation is renewed every day, or its instance is asked to (`use_fresh_attestation`). */
const AGE_MAX_SECONDS = 24 * 3600;
/** A proof is for now. */
const PROOF_AGE_MAX_SECONDS = 300;
const CLOCK_SKEW_SECONDS = 60;

interface AttestationDeps {
  readonly attestation: boolean;
  readonly facts: FactsCache;
  readonly secrets: Secrets;
  readonly now: () => number;
}

type Claims = Readonly<Record<string, unknown>>;

export function attestClientAuth(
  deps: AttestationDeps,
): NonNullable<NonNullable<Configuration['features']>['attestClientAuth']> {
  if (!deps.attestation) return { enabled: false };
  const { facts, now } = deps;
  return {
    enabled: true,
    ack: 'draft-12',
    // The same in every process.
    challengeSecret: deps.secrets.derive('attestation-challenges')[0] as Buffer,
    getAttestationSignaturePublicKey: async (_ctx, header, claims, client) =>
      attesterKey(await facts.current(), client.clientId, header, claims),
    assertAttestationJwtAndPop: async (ctx, attestation, pop, client) => {
      const nowSeconds = Math.floor(now() / 1000);
      const agentId = client.clientId;
      await admit(
        await facts.current(),
        ctx,
        agentId,
        attestation.payload,
        pop.payload,
        nowSeconds,
      );
    },
  };
}

/** The credential by which this agent takes this attester's word. */
const vouching = async (
  facts: Facts,
  agentId: string,
  attester: unknown,
): Promise<CredentialFacts | undefined> =>
  (await facts.credentials(agentId)).find(
    ({ kind, rule }) => kind === PURPOSE && rule?.issuer === attester,
  );

/** @throws Error for the audit: to the client all of them are one refusal */
async function attesterKey(
  facts: Facts,
  agentId: string,
  header: Claims,
  { iss, iat }: Claims,
): Promise<KeyObject> {
  if (typeof iss !== 'string') throw new Error('the attestation names no attester');
  if ((await vouching(facts, agentId, iss)) === undefined) {
    throw new Error(`${agentId} has no credential that names the attester`);
  }
  const attester = await facts.trustedIssuer(iss);
  if (attester?.purposes.includes(PURPOSE) !== true) {
    throw new Error('the attester is not trusted with attestations');
  }
  if (typeof iat !== 'number' || iat * 1000 < attester.notBefore.getTime()) {
    throw new Error('the attestation is from before its attester was trusted');
  }
  const keys = attester.jwks?.keys ?? [];
  const { kid, alg } = header;
  const named =
    kid === undefined && keys.length === 1 ? keys : keys.filter((one) => one.kid === kid);
  const [jwk] = named.filter((one) => one.alg === undefined || one.alg === alg);
  if (jwk === undefined) throw new Error('the attester has no such key');
  return createPublicKey({ key: jwk as never, format: 'jwk' });
}

/** Both signatures are good: whether they are of now, and whose they are. */
async function admit(
  facts: Facts,
  ctx: KoaContextWithOIDC,
  agentId: string,
  attestation: Claims,
  proof: Claims,
  nowSeconds: number,
): Promise<void> {
  const sent = [ctx.get('oauth-client-attestation'), ctx.get('oauth-client-attestation-pop')];
  // J8: one spelling each.
  if (!sent.every(isCompactJws)) throw refused('the attestation is no plain compact JWS');
  const credential = await vouching(facts, agentId, attestation.iss);
  if (credential === undefined) throw refused('the credential was removed meanwhile');
  const { cnf, iat } = attestation as { cnf: { jwk: JWK }; iat: number };
  if (iat > nowSeconds + CLOCK_SKEW_SECONDS) throw refused('the attestation is from the future');
  const proved = Number(proof.iat);
  if (proved > nowSeconds + CLOCK_SKEW_SECONDS || proved < nowSeconds - PROOF_AGE_MAX_SECONDS) {
    throw refused('the proof of possession is not of now');
  }
  if (iat < nowSeconds - AGE_MAX_SECONDS) {
    throw new errors.UseFreshAttestation('the attestation is more than a day old: get another one');
  }
  const state = requestState(ctx);
  state.credentialId = credential.id;
  state.instance = await calculateJwkThumbprint(cnf.jwk);
}

const refused = (reason: string): Error => new errors.InvalidClientAuth(reason);
