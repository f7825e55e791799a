/**
 * Whether a certificate, or the name that is to prove somebody in one, may be registered: one of the
 * two, and nobody else's (RFC 8705 §2). A certificate is public; it is kept as its thumbprint.
 */
import type { Executor } from '../db/database.js';
import { parsePem, thumbprintOf } from '../http/client-certificate.js';
import { conflict, invalid } from '../registry/refusal.js';
import type { NewCredential } from './credential-schema.js';
import { type CredentialRow, usesOfKey, usesOfRule } from './credential-store.js';

type NewCertificate = Extract<NewCredential, { kind: 'certificate' }>;

/** @throws Refusal when it is no good, or somebody else's */
export async function checkCertificate(
  tx: Executor,
  principal: string,
  { certificate, rule }: NewCertificate,
): Promise<Pick<CredentialRow, 'thumbprint'> | Pick<CredentialRow, 'rule'>> {
  if ((certificate === undefined) === (rule === undefined)) {
    const message = 'must be given, or else rule: one of the two';
    throw invalid({ path: ['certificate'], message });
  }
  if (rule !== undefined) {
    for (const use of await usesOfRule(tx, rule)) refuseUse(use, principal, 'rule');
    return { rule };
  }
  const x509 = parsePem(certificate ?? '');
  if (x509 === undefined) {
    throw invalid({ path: ['certificate'], message: 'must be one certificate, as PEM' });
  }
  const thumbprint = thumbprintOf(x509);
  for (const use of await usesOfKey(tx, thumbprint, principal))
    refuseUse(use, principal, 'certificate');
  return { thumbprint };
}

function refuseUse(use: CredentialRow, principal: string, field: 'certificate' | 'rule'): never {
  if (use.principal !== principal) {
    throw conflict([field], 'proves another principal: it proves one identity only');
  }
  const message = 'was removed before: a removed certificate is never good again';
  throw conflict([field], use.removedAt === null ? 'is already registered' : message);
}
