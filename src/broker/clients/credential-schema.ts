/** Input shapes of credentials: one secret (ours) or one public key (theirs). */
import { z } from 'zod';
import {
  displayText,
  instantField,
  isShowable,
  NAME_CHARS_MAX,
  plainAscii,
  strict,
  TEXT_CHARS_MAX,
} from '../registry/fields.js';

/** JWK members that would give the key away (RFC 7517 §9.2, RFC 7518 §6). */
export const PRIVATE_MEMBERS = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']);

/** base64url of at most a modulus of 8192 bits. */
const bigNumber = z
  .string()
  .min(1)
  .max(1366)
  .regex(/^[A-Za-z0-9_-]+$/, 'must be base64url without padding');
const coordinate = bigNumber.max(100);

/** A public key as RFC 7517 writes it; whether it is a good key is `public-key.ts`'s question. */
export const publicJwkSchema = z.strictObject(
  {
    kty: z.enum(['EC', 'OKP', 'RSA'], { error: 'must be EC, OKP or RSA: public keys only' }),
    crv: z.enum(['P-256', 'Ed25519'], { error: 'must be P-256 or Ed25519' }).optional(),
    x: coordinate.optional(),
    y: coordinate.optional(),
    n: bigNumber.optional(),
    e: bigNumber.max(12).optional(),
    kid: plainAscii(200).optional(),
    alg: z
      .enum(['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'], {
        error: 'must be ES256, EdDSA, PS256 or RS256',
      })
      .optional(),
    use: z.literal('sig', { error: 'must be "sig"' }).optional(),
    key_ops: z
      .array(z.literal('verify', { error: 'must be "verify"' }))
      .max(1)
      .optional(),
  },
  {
    error: (issue) => {
      if (issue.code !== 'unrecognized_keys') return undefined;
      return (issue as unknown as { keys: string[] }).keys.some((key) => PRIVATE_MEMBERS.has(key))
        ? 'is private: send the public key only'
        : 'is not a known field';
    },
  },
);

export const PUBLIC_KEYS_MAX = 10;
export const SECRETS_MAX = 5;
export const WORKLOADS_MAX = 10;

export const jwksSchema = strict({
  keys: z
    .array(publicJwkSchema)
    .max(PUBLIC_KEYS_MAX, `must not hold more than ${PUBLIC_KEYS_MAX} keys`),
});

/** Together with those that have expired and were never removed. */
export const CREDENTIALS_MAX = 50;
const CERTIFICATE_CHARS_MAX = 16_384;
const plainName = displayText(TEXT_CHARS_MAX);
const OVERLAP_SECONDS_MAX = 90 * 24 * 3600;

const kept = {
  /** What operators call it. */
  name: displayText(NAME_CHARS_MAX).optional(),
  /** Proves nothing from then on. */
  expiresAt: instantField('must be a time as ISO 8601 writes it, with its zone').optional(),
  /** Rotation: the credential this one takes the place of … */
  replaces: plainAscii(200).optional(),
  /** … and how long that one stays good beside it. */
  overlapSeconds: z.number().int().min(0).max(OVERLAP_SECONDS_MAX).optional(),
};

/** RFC 8705 §2.1.2: the one name that a certificate must hold, by the names of the specification. */
const certificateRule = strict({
  subject_dn: plainName
    .regex(/^[A-Za-z0-9.]+=/, 'must be a distinguished name (RFC 4514)')
    .optional(),
  san_dns: plainName.regex(/^(?!.*\.$)[A-Za-z0-9.-]+$/, 'must be a host name').optional(),
  san_uri: plainName.refine((uri) => URL.canParse(uri), 'must be a URI').optional(),
  san_ip: z.union([z.ipv4(), z.ipv6()], { error: 'must be an IP address' }).optional(),
  san_email: plainName.regex(/^[^\s@]+@[^\s@]+$/, 'must be an e-mail address').optional(),
}).refine((rule) => Object.values(rule).filter((name) => name !== undefined).length === 1, {
  error: 'must hold exactly one name',
});

const CLAIMS_MAX = 10;
const WORD_CHARS_MAX = 500;
const word = z.string().min(1).max(WORD_CHARS_MAX).refine(isShowable, 'must not hide characters');

/** Which workload of a trusted platform it is: exact words; a star is one last part of a name. */
export const workloadRuleSchema = strict({
  issuer: plainAscii(WORD_CHARS_MAX),
  subject: word.regex(
    /^(?:[^*]+|[^*]{3,}[:/]\*)$/,
    'must be exact, or end in ":*" or "/*" for any one last part',
  ),
  claims: z
    .record(z.string().regex(/^[\w.:/-]{1,100}$/), word)
    .refine((claims) => Object.keys(claims).length <= CLAIMS_MAX, 'must hold at most 10 claims')
    .optional(),
});

export const newCredentialSchema = z.discriminatedUnion('kind', [
  strict({ kind: z.literal('workload'), rule: workloadRuleSchema, ...kept }),
  strict({ kind: z.literal('secret'), ...kept }),
  strict({ kind: z.literal('jwk'), jwk: publicJwkSchema, ...kept }),
  strict({
    kind: z.literal('certificate'),
    /** PEM: the very certificate, for `self_signed_tls_client_auth` … */
    certificate: z.string().min(1).max(CERTIFICATE_CHARS_MAX).optional(),
    /** … or a name, for `tls_client_auth`. */
    rule: certificateRule.optional(),
    ...kept,
  }),
  /** The attester whose word is taken for instances of an agent: exact `iss`. */
  strict({ kind: z.literal('attestation'), issuer: plainAscii(TEXT_CHARS_MAX), ...kept }),
]);

export type WorkloadRule = z.infer<typeof workloadRuleSchema>;
/** Where what is wrong with a new one is to be found in its body. */
export const credentialField = (kind: NewCredential['kind']): readonly string[] =>
  ({ jwk: ['jwk'], workload: ['rule'], certificate: [], attestation: [], secret: [] })[kind];

export type PublicJwk = z.infer<typeof publicJwkSchema>;
export type Jwks = z.infer<typeof jwksSchema>;
export type NewCredential = z.infer<typeof newCredentialSchema>;

export const credentialViewSchema = z.object({
  id: z.string(),
  kind: z.enum(['secret', 'jwk', 'certificate', 'attestation', 'workload']),
  name: z.string().nullable(),
  kid: z.string().nullable(),
  thumbprint: z.string().nullable(),
  /** What it goes by besides a key. */
  rule: z.record(z.string(), z.unknown()).nullable(),
  created_at: z.string(),
  created_by: z.string().nullable(),
  expires_at: z.string().nullable(),
  last_used_at: z.string().nullable(),
});

/** The only answers that ever hold a secret, and only once. */
export const newCredentialViewSchema = credentialViewSchema.extend({
  secret: z.string().optional(),
});
