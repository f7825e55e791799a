/**
 * The stronger switches of a client, or of an agent: tokens bound to a key (RFC 9449), tokens bound to
 * a certificate (RFC 8705), the FAPI 2.0 security profile. What each needs of the rest of the
 * registration, and what a switch that comes on takes from tokens that are out. Enforced where tokens
 * are issued (`tokens/binding.ts`), whatever the grant.
 */
import { z } from 'zod';
import type { Change } from '../registry/change.js';
import { stopLive } from '../registry/live-tokens.js';
import type { FieldProblem } from '../registry/refusal.js';

export const profileFields = {
  /** RFC 9449 §5.2. */
  dpopBound: z.boolean(),
  /** RFC 8705 §3.4. */
  certificateBound: z.boolean(),
  /** FAPI 2.0 Security Profile §5.3.2. */
  fapi: z.boolean(),
};

export const profileViewFields = {
  dpop_bound: z.boolean(),
  certificate_bound: z.boolean(),
  fapi: z.boolean(),
};

interface Profile {
  readonly dpopBound?: boolean | undefined;
  readonly certificateBound?: boolean | undefined;
  readonly fapi?: boolean | undefined;
}

/** Unless it says so, nothing is asked of it. */
export const profileOf = ({ dpopBound, certificateBound, fapi }: Profile): Required<Profile> => ({
  dpopBound: dpopBound ?? false,
  certificateBound: certificateBound ?? false,
  fapi: fapi ?? false,
});

/** FAPI 2.0 §5.3.2.1: how a client proves itself there. */
const FAPI_METHODS = new Set(['private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth']);

/** What does not fit together; fields by their names in the registration. */
export function profileProblems(
  one: Profile & {
    readonly auth: string;
    readonly redirectUris?: readonly string[] | undefined;
    readonly requirePar?: boolean | undefined;
  },
): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const refuse = (field: string, message: string): void => {
    problems.push({ path: [field], message });
  };
  if (one.dpopBound && one.certificateBound) {
    refuse('certificateBound', 'must not be set beside dpopBound: a token is bound to one of them');
  }
  if (one.auth === 'attest_jwt_client_auth' && !one.dpopBound) {
    refuse('dpopBound', 'must be set: tokens of an attested instance are bound to its key');
  }
  if (!one.fapi) return problems;
  if (!FAPI_METHODS.has(one.auth))
    refuse('auth', 'must be private_key_jwt or a certificate for FAPI');
  if (!one.dpopBound && !one.certificateBound) {
    refuse('fapi', 'needs dpopBound or certificateBound: FAPI knows no bearer tokens');
  }
  if ((one.redirectUris ?? []).length > 0 && !one.requirePar) {
    refuse('requirePar', 'must be set for FAPI: every request is pushed');
  }
  return problems;
}

/**
 * Whoever may have bound tokens only: those of its live ones that are not bound stop, and what others
 * exchanged from them. Its grants go on: their next refresh has to show the key.
 */
export function stopUnbound(
  change: Change,
  before: { readonly id: string } & Profile,
  after: Profile,
): void {
  const { id: clientId } = before;
  if (after.dpopBound && !before.dpopBound) {
    stopLive(change, { clientId, notBoundBy: 'jkt' }, `${clientId} has key-bound tokens only`);
  }
  if (after.certificateBound && !before.certificateBound) {
    const reason = `${clientId} has certificate-bound tokens only`;
    stopLive(change, { clientId, notBoundBy: 'x5t#S256' }, reason);
  }
}
