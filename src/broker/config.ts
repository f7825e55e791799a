/**
 * Settings: the only reader of `process.env`. Development fills in what is missing; production
 * refuses to start on any development default, and says everything that is wrong at once.
 */
import { configProblems } from './config-rules.js';
import type { DocumentTrust } from './document-rules.js';
import { type Environment, environmentSchema } from './environment.js';
import type { CertificateSettings } from './http/client-certificate.js';
import { REFRESH_GRACE_SECONDS } from './limits.js';
import { type RegistrationSettings, registrationSettings } from './registration-settings.js';
import { problemsOf } from './registry/refusal.js';

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

const listIn = (value: string | undefined): readonly string[] =>
  (value ?? '').split(/[\s,]+/).filter((one) => one !== '');

const adminClient = (env: Environment): Config['adminClient'] => {
  const { BEHALF_ADMIN_CLIENT_ID: id, BEHALF_ADMIN_CLIENT_SECRET: secret } = env;
  return id === undefined || secret === undefined ? undefined : { id, secret };
};

/** One of them alone is a mistake, said as such. */
function clientCertificates(env: Environment): Config['clientCertificates'] {
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

/** Where every second use ends the authorization, none is answered again. */
export const refreshGraceOf = (
  config: Pick<Config, 'strictReplay' | 'refreshGraceSeconds'>,
): number =>
  config.strictReplay === true ? 0 : (config.refreshGraceSeconds ?? REFRESH_GRACE_SECONDS);
