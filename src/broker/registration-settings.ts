/** Who may register a client by themselves (RFC 7591), as the environment says it. */
import { z } from 'zod';
import { REGISTRATIONS_PER_HOUR } from './limits.js';

/**
 * off: nobody. token: whoever has an initial access token. domain: whoever is answered on a listed
 * domain, or on the user's own device. open: anybody.
 */
export type RegistrationMode = 'off' | 'token' | 'domain' | 'open';

export interface RegistrationSettings {
  readonly mode: RegistrationMode;
  /** `claude.ai` is that host alone, `*.example.com` every host below. */
  readonly domains: readonly string[];
  /** In an hour, from one network (IPv4 address, IPv6 /64). */
  readonly perNetwork: number;
  /** In an hour, from everywhere. */
  readonly total: number;
}

const DOMAIN =
  /^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const hourly = z.coerce.number().int().min(1).max(1_000_000);

export const registrationEnvironment = {
  BEHALF_REGISTRATION: z.enum(['off', 'token', 'domain', 'open']).default('open'),
  /** Separated by spaces or commas. */
  BEHALF_REGISTRATION_DOMAINS: z
    .string()
    .default('')
    .transform((text) => text.split(/[\s,]+/).filter((domain) => domain !== ''))
    .pipe(z.array(z.string().regex(DOMAIN, 'must be domains such as claude.ai or *.example.com'))),
  BEHALF_REGISTRATIONS_PER_NETWORK: hourly.default(REGISTRATIONS_PER_HOUR.network),
  BEHALF_REGISTRATIONS_PER_HOUR: hourly.default(REGISTRATIONS_PER_HOUR.total),
};

const environmentSchema = z.object(registrationEnvironment);

export const registrationSettings = (
  env: z.infer<typeof environmentSchema>,
): RegistrationSettings => ({
  mode: env.BEHALF_REGISTRATION,
  domains: env.BEHALF_REGISTRATION_DOMAINS,
  perNetwork: env.BEHALF_REGISTRATIONS_PER_NETWORK,
  total: env.BEHALF_REGISTRATIONS_PER_HOUR,
});

/** Of a broker that is told nothing. */
export const registrationDefaults = (): RegistrationSettings =>
  registrationSettings(environmentSchema.parse({}));
