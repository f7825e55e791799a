/** From the configuration to what the keys need, for the running broker and the CLI alike. */
import { KEY_LEAD_SECONDS, KEY_ROTATION_DAYS } from '../limits.js';
import type { RotationRules } from './policy.js';
import { createSecrets, developmentSecret, type Secrets } from './secrets.js';

export interface KeySettings {
  readonly secret: string | undefined;
  readonly previousSecret: string | undefined;
  readonly dataDir: string;
  readonly keyRotationDays?: number | undefined;
  readonly keyLeadSeconds?: number | undefined;
}

/** Of the configured root secret, or the one generated for development. */
export const secretsOf = async (settings: KeySettings): Promise<Secrets> =>
  createSecrets(
    settings.secret ?? (await developmentSecret(settings.dataDir, 'secret')),
    settings.previousSecret,
  );

/** The secret is read when it is first needed: listing keys makes no file. */
export const keyDepsOf = (
  settings: KeySettings,
): { readonly secrets: () => Promise<Secrets>; readonly rules: RotationRules } => ({
  secrets: () => secretsOf(settings),
  rules: {
    rotationDays: settings.keyRotationDays ?? KEY_ROTATION_DAYS,
    leadSeconds: settings.keyLeadSeconds ?? KEY_LEAD_SECONDS,
  },
});
