/** The variables there are, each with what it may be and what it is by default. Read by `config.ts` alone. */
import { z } from 'zod';
import { ACT_DEPTH_MAX } from '../protocol/index.js';
import {
  DELEGATION_MAX_DEFAULT_SECONDS,
  DELEGATION_MAX_RANGE,
  KEY_LEAD_SECONDS,
  KEY_ROTATION_DAYS,
  REFRESH_GRACE_SECONDS,
} from './limits.js';
import { registrationEnvironment } from './registration-settings.js';

const text = z.string().min(1);
const SECRET_CHARS_MIN = 32;

export const environmentSchema = z.object({
  BEHALF_ISSUER: text.optional(),
  BEHALF_HOST: text.default('127.0.0.1'),
  BEHALF_PORT: z.coerce.number().int().min(0).max(65535).default(4000),
  DATABASE_URL: text.optional(),
  BEHALF_DATA_DIR: text.default('.behalf'),
  BEHALF_SECRET: text.min(SECRET_CHARS_MIN).optional(),
  /** The secret before the last change: still opens what it sealed. */
  BEHALF_SECRET_PREVIOUS: text.min(SECRET_CHARS_MIN).optional(),
  BEHALF_ADMIN_TOKEN: text.min(SECRET_CHARS_MIN).optional(),
  BEHALF_ENV: z.enum(['development', 'production']).default('development'),
  /** Production on an embedded database: power loss may lose what was acknowledged. */
  BEHALF_ACCEPT_PGLITE: z.enum(['0', '1']).default('0'),
  /** Proxies in front whose X-Forwarded-For entries are believed, counted from the right. */
  BEHALF_TRUSTED_PROXIES: z.coerce.number().int().min(0).max(10).default(0),
  /** Token exchange errors: RFC 8693's, or those of draft-mcguinness-oauth-actor-profile. */
  BEHALF_EXCHANGE_ERRORS: z.enum(['rfc8693', 'actor-profile']).default('rfc8693'),
  /** A refresh is answered again for so long, to a client that lost the answer; 0: never. */
  BEHALF_REFRESH_GRACE_SECONDS: z.coerce
    .number()
    .int()
    .min(0)
    .max(REFRESH_GRACE_SECONDS)
    .default(REFRESH_GRACE_SECONDS),
  /** Every second use of a code or refresh token ends the authorization, simultaneous ones too; no grace. */
  BEHALF_STRICT_REPLAY: z.enum(['0', '1']).default('0'),
  /** RFC 9449 §8: every DPoP proof has to carry a nonce of this server. */
  BEHALF_DPOP_REQUIRE_NONCE: z.enum(['0', '1']).default('0'),
  /** Where a proxy tells of the certificate of the client's connection (RFC 9440, or PEM). */
  BEHALF_CLIENT_CERTIFICATE_HEADER: text.toLowerCase().optional(),
  /** Where it says that it verified the chain: `SUCCESS`, or `0`. */
  BEHALF_CLIENT_CERTIFICATE_VERIFIED_HEADER: text.toLowerCase().optional(),
  /** Addresses and CIDR blocks of the proxies that are believed about it. */
  BEHALF_CLIENT_CERTIFICATE_FROM: text.optional(),
  /** Where clients with certificates find the endpoints (RFC 8705 §5). */
  BEHALF_CLIENT_CERTIFICATE_ORIGIN: text.optional(),
  /** Agent instances may prove themselves by an attester (draft: may change). */
  BEHALF_ATTESTATION: z.enum(['0', '1']).default('0'),
  /** A refresh right after a server reported insufficient_scope is refused once: MCP SDK v1 then asks the user. */
  BEHALF_STEP_UP_BY_REFRESH: z.enum(['0', '1']).default('0'),
  /** The jwt-bearer grant: assertions of trusted issuers. */
  BEHALF_ASSERTION_GRANT: z.enum(['0', '1']).default('0'),
  /** After a signal: how long `/readyz` fails before no more connections are accepted. */
  BEHALF_SHUTDOWN_DELAY_SECONDS: z.coerce.number().int().min(0).max(300).default(0),
  /** How long a signing key signs before the next takes over; 0: until `behalf keys rotate`. */
  BEHALF_KEY_ROTATION_DAYS: z.coerce.number().int().min(0).max(3650).default(KEY_ROTATION_DAYS),
  /** How long a signing key is published before it signs: no verifier may cache keys for longer. */
  BEHALF_KEY_LEAD_SECONDS: z.coerce.number().int().min(60).max(604_800).default(KEY_LEAD_SECONDS),
  /** Refusals of unknown callers written one by one to the audit, for a network and minute. */
  BEHALF_AUDIT_REFUSALS_PER_MINUTE: z.coerce.number().int().min(1).max(1_000_000).optional(),
  /** For commands that go to a running broker's admin API: a service or agent that may administer. */
  BEHALF_ADMIN_CLIENT_ID: text.optional(),
  BEHALF_ADMIN_CLIENT_SECRET: text.optional(),
  /** The longest a user can let somebody act before being asked again. */
  BEHALF_DELEGATION_MAX_SECONDS: z.coerce
    .number()
    .int()
    .min(DELEGATION_MAX_RANGE.min)
    .max(DELEGATION_MAX_RANGE.max)
    .default(DELEGATION_MAX_DEFAULT_SECONDS),
  /** Actors in the longest chain; no more than verifiers take unasked. */
  BEHALF_ACT_DEPTH_MAX: z.coerce.number().int().min(1).max(ACT_DEPTH_MAX).default(ACT_DEPTH_MAX),
  /** Whose client ID metadata documents are believed: nobody's, those of some domains, anybody's. */
  BEHALF_CLIENT_DOCUMENTS: z.enum(['off', 'domains', 'open']).default('open'),
  /** Host names, by commas or spaces; `*.` and one: whatever is below it. */
  BEHALF_CLIENT_DOCUMENT_DOMAINS: text.optional(),
  ...registrationEnvironment,
  /** For `behalf token` only. */
  SECRET: text.optional(),
  BEHALF_LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error', 'silent']).default('info'),
});

export type Environment = z.infer<typeof environmentSchema>;
