/** What registration stands on: handed over where the broker is put together. */
import type { CredentialOwner } from '../clients/credentials.js';
import type { SelfDescribed } from '../clients/self-described.js';
import type { Database } from '../db/database.js';
import type { FactsCache } from '../facts/store.js';
import type { Change } from '../registry/change.js';
import type { TrustVerifier } from '../trust/verify.js';
import type { AuthMethod, Rules } from './policy.js';
import type { Quotas } from './store.js';

/** A client to be, in the registry's words. */
export interface ClientInput {
  readonly id: string;
  readonly kind: 'app';
  readonly name: string;
  readonly redirectUris: string[];
  readonly auth: AuthMethod;
  readonly jwks?: SelfDescribed['jwks'];
  readonly mayExchange: false;
  readonly [word: string]: unknown;
}

export interface RegistrationDeps {
  readonly db: Database;
  readonly facts: FactsCache;
  readonly issuer: string;
  /** Signed words of others. */
  readonly trust: Pick<TrustVerifier, 'verify'>;
  readonly rules: Rules;
  readonly quotas: Quotas;
  readonly hashSecret: (secret: string) => string;
  /** What one subscriber holds. */
  readonly networkOf: (address: string) => string;
  /** Milliseconds. */
  readonly now: () => number;
  /** Of the clients' slice: the registry's own steps. */
  readonly clients: {
    readonly create: (
      change: Change,
      input: ClientInput,
      arrived: {
        readonly origin: 'registration';
        readonly softwareId: string | undefined;
        readonly softwareVersion: string | undefined;
        readonly detail: Readonly<Record<string, unknown>>;
      },
    ) => Promise<{ readonly credential: { readonly secret?: string } | undefined }>;
    readonly patch: (
      change: Change,
      id: string,
      patch: Readonly<Record<string, unknown>>,
    ) => Promise<{ readonly fields: readonly string[] }>;
    readonly retire: (change: Change, id: string, reason?: string) => Promise<void>;
    readonly syncKeys: (
      change: Change,
      owner: CredentialOwner,
      jwks: NonNullable<SelfDescribed['jwks']>,
    ) => Promise<boolean>;
  };
}
