/**
 * Settings: the only reader of `process.env`. Development fills in what is missing; production
 * refuses to start on any development default, and says everything that is wrong at once.
 */
import { z } from 'zod';
import { ACT_DEPTH_MAX } from '../protocol/index.js';
import { type DocumentTrust, documentProblems, LOOPBACK_HOSTS } from './document-rules.js';
import { type CertificateSettings, certificateProblems } from './http/client-certificate.js';
import {
  DELEGATION_MAX_DEFAULT_SECONDS,
  DELEGATION_MAX_RANGE,
  KEY_LEAD_SECONDS,
  KEY_ROTATION_DAYS,
  REFRESH_GRACE_SECONDS,
} from './limits.js';
import {
  type RegistrationSettings,
  registrationEnvironment,
  registrationSettings,
} from './registration-settings.js';
import { problemsOf } from './registry/refusal.js';

const text = z.string().min(1);
const SECRET_CHARS_MIN = 32;

const environmentSchema = z.object({
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

/** What a broker is made of, checked and complete. Times are in the unit their name says. */
export interface Config {
  /** Exact issuer identifier, no trailing slash. */
  readonly issuer: string;
  readonly host: string;
  readonly port: number;
  /** Absent: PGlite in `dataDir`. */
  readonly databaseUrl: string | undefined;
  readonly dataDir: string;
  /** Absent in development: generated into `dataDir`. */
  readonly secret: string | undefined;
  readonly previousSecret: string | undefined;
  readonly adminToken: string | undefined;
  readonly production: boolean;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  /** How many proxies in front are believed about a client's address; none by default. */
  readonly trustedProxies?: number | undefined;
  /** How token exchange names its errors; RFC 8693's words by default. */
  readonly exchangeErrors?: 'rfc8693' | 'actor-profile' | undefined;
  /** How long a refresh is answered again; 0: never. */
  readonly refreshGraceSeconds?: number | undefined;
  /** Every second use ends the authorization; nothing is answered again. */
  readonly strictReplay?: boolean | undefined;
  /** No DPoP proof without a nonce of ours. */
  readonly dpopRequiresNonce?: boolean | undefined;
  /** Whom to believe about certificates of clients; absent: nobody shows any. */
  readonly clientCertificates?: CertificateSettings | undefined;
  /** Whether attesters of agent instances are listened to. */
  readonly attestation?: boolean | undefined;
  /** The first refresh right after `insufficient_scope` is refused, so that the user is asked; never by default. */
  readonly stepUpByRefresh?: boolean | undefined;
  /** Whether assertions of trusted issuers are taken as a grant (RFC 7523 §2.1). */
  readonly assertionGrant?: boolean | undefined;
  readonly shutdownDelaySeconds?: number | undefined;
  /** 0: never by itself. */
  readonly keyRotationDays?: number | undefined;
  readonly keyLeadSeconds?: number | undefined;
  /** More refusals than this, of unknown callers from one network in one minute, are only counted. */
  readonly refusalsPerMinute?: number | undefined;
  /** Who a command is at a running broker's admin API; absent: the bearer of `adminToken`. */
  readonly adminClient?: { readonly id: string; readonly secret: string } | undefined;
  /** The longest a user can let somebody act; 30 days by default. */
  readonly delegationMaxSeconds?: number | undefined;
  /** Actors in the longest chain; 4 by default. */
  readonly actDepthMax?: number | undefined;
  /** Whose client ID metadata documents are believed; anybody's by default. */
  readonly clientDocuments?: DocumentTrust | undefined;
  readonly clientDocumentDomains?: readonly string[] | undefined;
  /** Who may register a client by themselves; anybody by default. */
  readonly registration?: RegistrationSettings | undefined;
  /** The secret of `behalf token`; no other command reads it. */
  readonly debugSecret?: string | undefined;
}

/** An error whose message lists every problem, one a line. */
export const configError = (problems: readonly string[]): Error =>
  new Error(`Behalf cannot start:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);

/**
 * The settings in an environment. Development fills in what is missing; production refuses to. Opens nothing.
 *
 * @throws Error naming every problem at once
 */
export function readConfig(environment: NodeJS.ProcessEnv = process.env): Config {
  const parsed = environmentSchema.safeParse(environment);
  if (!parsed.success) {
    throw configError(
      problemsOf(parsed.error).map(({ path, message }) => `${path.join('.')}: ${message}`),
    );
  }
  const env = parsed.data;
  const config: Config = {
    issuer: env.BEHALF_ISSUER ?? `http://localhost:${env.BEHALF_PORT}`,
    host: env.BEHALF_HOST,
    port: env.BEHALF_PORT,
    databaseUrl: env.DATABASE_URL,
    dataDir: env.BEHALF_DATA_DIR,
    secret: env.BEHALF_SECRET,
    previousSecret: env.BEHALF_SECRET_PREVIOUS,
    adminToken: env.BEHALF_ADMIN_TOKEN,
    production: env.BEHALF_ENV === 'production',
    logLevel: env.BEHALF_LOG_LEVEL,
    trustedProxies: env.BEHALF_TRUSTED_PROXIES,
    exchangeErrors: env.BEHALF_EXCHANGE_ERRORS,
    refreshGraceSeconds: env.BEHALF_REFRESH_GRACE_SECONDS,
    strictReplay: env.BEHALF_STRICT_REPLAY === '1',
    dpopRequiresNonce: env.BEHALF_DPOP_REQUIRE_NONCE === '1',
    clientCertificates: clientCertificates(env),
    attestation: env.BEHALF_ATTESTATION === '1',
    stepUpByRefresh: env.BEHALF_STEP_UP_BY_REFRESH === '1',
    assertionGrant: env.BEHALF_ASSERTION_GRANT === '1',
    shutdownDelaySeconds: env.BEHALF_SHUTDOWN_DELAY_SECONDS,
    keyRotationDays: env.BEHALF_KEY_ROTATION_DAYS,
    keyLeadSeconds: env.BEHALF_KEY_LEAD_SECONDS,
    refusalsPerMinute: env.BEHALF_AUDIT_REFUSALS_PER_MINUTE,
    adminClient: adminClient(env),
    delegationMaxSeconds: env.BEHALF_DELEGATION_MAX_SECONDS,
    actDepthMax: env.BEHALF_ACT_DEPTH_MAX,
    clientDocuments: env.BEHALF_CLIENT_DOCUMENTS,
    clientDocumentDomains: listIn(env.BEHALF_CLIENT_DOCUMENT_DOMAINS),
    registration: registrationSettings(env),
    debugSecret: env.SECRET,
  };
  const problems = configProblems(config, env.BEHALF_ACCEPT_PGLITE === '1');
  if (problems.length > 0) throw configError(problems);
  return config;
}

const adminClient = (env: z.infer<typeof environmentSchema>): Config['adminClient'] => {
  const { BEHALF_ADMIN_CLIENT_ID: id, BEHALF_ADMIN_CLIENT_SECRET: secret } = env;
  return id === undefined || secret === undefined ? undefined : { id, secret };
};

/** One of them alone is a mistake, said as such. */
function clientCertificates(env: z.infer<typeof environmentSchema>): Config['clientCertificates'] {
  const {
    BEHALF_CLIENT_CERTIFICATE_HEADER: header,
    BEHALF_CLIENT_CERTIFICATE_VERIFIED_HEADER: verifiedHeader,
    BEHALF_CLIENT_CERTIFICATE_FROM: from,
    BEHALF_CLIENT_CERTIFICATE_ORIGIN: origin,
  } = env;
  if (header ?? verifiedHeader ?? from ?? origin) {
    return { header: header ?? '', verifiedHeader, from: from?.split(/[\s,]+/) ?? [], origin };
  }
  return undefined;
}

/** The rules a table can hold; also used by tests. */
export function configProblems(config: Config, acceptPglite: boolean): string[] {
  const url = URL.canParse(config.issuer) ? new URL(config.issuer) : undefined;
  const loopback = url !== undefined && LOOPBACK_HOSTS.includes(url.hostname);
  const rules: ReadonlyArray<readonly [boolean, string]> = [
    [url === undefined, 'BEHALF_ISSUER must be an absolute URL'],
    [
      url !== undefined && !isPlainIssuer(config.issuer, url),
      'BEHALF_ISSUER must be a scheme, a host and at most a path of A-Z a-z 0-9 _ ~ . - and "/", written as a browser writes it, without a slash at its end',
    ],
    [
      url !== undefined && url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback),
      'BEHALF_ISSUER must be https, or http on a loopback host',
    ],
    [
      config.databaseUrl !== undefined && !/^postgres(ql)?:\/\//.test(config.databaseUrl),
      'DATABASE_URL must start with postgres://',
    ],
    [
      config.registration?.mode === 'domain' && config.registration.domains.length === 0,
      'BEHALF_REGISTRATION_DOMAINS must name a domain where BEHALF_REGISTRATION is domain',
    ],
    [config.production && config.secret === undefined, 'BEHALF_SECRET must be set in production'],
    [
      config.production && config.adminToken === undefined,
      'BEHALF_ADMIN_TOKEN must be set in production',
    ],
    [
      config.production && config.databaseUrl === undefined && !acceptPglite,
      'DATABASE_URL must be set in production (or BEHALF_ACCEPT_PGLITE=1: an embedded database does not survive power loss)',
    ],
  ];
  const { clientCertificates: certificates, trustedProxies = 0 } = config;
  return [
    ...rules.filter(([wrong]) => wrong).map(([, problem]) => problem),
    ...(certificates === undefined ? [] : certificateProblems(certificates, trustedProxies)),
    ...documentProblems(config),
  ];
}

const listIn = (value: string | undefined): readonly string[] =>
  (value ?? '').split(/[\s,]+/).filter((one) => one !== '');

/** Clients compare issuers as strings (RFC 8414 §3.3): there is one way to write each. */
const isPlainIssuer = (issuer: string, { origin, pathname }: URL): boolean =>
  issuer === `${origin}${pathname === '/' ? '' : pathname}` &&
  /^(\/|(\/[\w~-][\w.~-]*)+)$/.test(pathname);

/** Where every second use ends the authorization, none is answered again. */
export const refreshGraceOf = (
  config: Pick<Config, 'strictReplay' | 'refreshGraceSeconds'>,
): number =>
  config.strictReplay === true ? 0 : (config.refreshGraceSeconds ?? REFRESH_GRACE_SECONDS);
