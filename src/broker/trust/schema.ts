/** Input and output shapes of trusted issuers, and of whom they mean. Field names: ours, in camelCase. */
import { z } from 'zod';
import { isScopeToken, parseSecureUrl } from '../../protocol/index.js';
import { jwksSchema } from '../clients/credential-schema.js';
import {
  displayText,
  isShowable,
  LIST_MAX,
  NAME_CHARS_MAX,
  plainAscii,
  strict,
} from '../registry/fields.js';

/** What somebody else's signed word may be taken for: each for itself, and nothing besides. */
export const TRUST_PURPOSES = ['software_statement', 'id_jag', 'workload', 'attestation'] as const;
export type TrustPurpose = (typeof TRUST_PURPOSES)[number];

const URL_CHARS_MAX = 500;
const SUBJECT_CHARS_MAX = 500;
export const ASSERTION_AGE_MAX_SECONDS = 3600;
export const ASSERTION_AGE_DEFAULT_SECONDS = 300;

const secureUrl = plainAscii(URL_CHARS_MAX).refine(
  (value) => parseSecureUrl(value) !== undefined,
  'must be an https URL without fragment',
);

const domain = z
  .string()
  .regex(/^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$/, 'must be a lower-case domain');

/** Identity assertions (ID-JAG): what the enterprise may consent to for its people. */
const idJagRules = strict({
  /** Where its word counts. Restricted and destructive scopes only if they are listed. */
  resources: z
    .array(
      strict({
        resource: plainAscii(URL_CHARS_MAX),
        scopes: z
          .array(z.string().refine(isScopeToken, 'is not a scope-token (RFC 6749 §3.3)'))
          .min(1)
          .max(LIST_MAX)
          .optional(),
      }),
    )
    .min(1)
    .max(LIST_MAX),
  /** Clients it may speak for; nobody who registered themselves. */
  clients: z.array(plainAscii(URL_CHARS_MAX)).min(1).max(LIST_MAX),
  /** How a user is found: as registered, or by the address where the issuer is its authority. */
  subject: z.enum(['mapped', 'email']).optional(),
  emailDomains: z.array(domain).min(1).max(LIST_MAX).optional(),
  /** The longest life of an assertion. */
  maxAgeSeconds: z.number().int().min(30).max(ASSERTION_AGE_MAX_SECONDS).optional(),
});

const rules = strict({ idJag: idJagRules.optional() });

const described = {
  name: displayText(NAME_CHARS_MAX),
  purposes: z.array(z.enum(TRUST_PURPOSES)).min(1).max(TRUST_PURPOSES.length),
  jwks: jwksSchema.refine(({ keys }) => keys.length > 0, 'must hold at least one key'),
  jwksUri: secureUrl,
  rules,
};

export const issuerSchema = secureUrl;

export const newTrustedIssuerSchema = strict({
  issuer: issuerSchema,
  ...z.object(described).partial().shape,
  name: described.name,
  purposes: described.purposes,
});

export const trustedIssuerPatchSchema = strict({
  ...z.object(described).partial().shape,
  jwks: described.jwks.nullable().optional(),
  jwksUri: described.jwksUri.nullable().optional(),
});

export const trustedIssuerViewSchema = z.object({
  issuer: z.string(),
  name: z.string(),
  purposes: z.array(z.enum(TRUST_PURPOSES)),
  jwks: z.object({ keys: z.array(z.record(z.string(), z.unknown())) }).nullable(),
  jwks_uri: z.string().nullable(),
  rules: z.object({
    id_jag: z
      .object({
        resources: z.array(
          z.object({ resource: z.string(), scopes: z.array(z.string()).optional() }),
        ),
        clients: z.array(z.string()),
        subject: z.enum(['mapped', 'email']).optional(),
        email_domains: z.array(z.string()).optional(),
        max_age_seconds: z.number().optional(),
      })
      .optional(),
  }),
  status: z.enum(['active', 'retired']),
  created_at: z.string(),
});

/** RFC 7519 §4.1.2: exact, as the issuer writes it. */
export const subjectSchema = z
  .string()
  .min(1)
  .max(SUBJECT_CHARS_MAX)
  .refine(isShowable, 'must not contain control or invisible characters');

export const newIdentitySchema = strict({ issuer: issuerSchema, subject: subjectSchema });

export const identityViewSchema = z.object({
  issuer: z.string(),
  subject: z.string(),
  user_id: z.string(),
  created_at: z.string(),
  created_by: z.string().nullable(),
});

export type IdJagRules = z.infer<typeof idJagRules>;
export type TrustRules = z.infer<typeof rules>;
export type NewTrustedIssuer = z.infer<typeof newTrustedIssuerSchema>;
export type TrustedIssuerPatch = z.infer<typeof trustedIssuerPatchSchema>;
export type NewIdentity = z.infer<typeof newIdentitySchema>;
