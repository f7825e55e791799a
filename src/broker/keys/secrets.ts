/**
 * Everything secret at rest hangs on one root secret: HKDF-SHA-256 with a label for each purpose,
 * AES-256-GCM for what must be read again. What the previous root sealed still opens.
 */
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One purpose, one label: a value sealed for one can never be opened as another. */
export type SecretLabel =
  | 'cookies'
  | 'forms'
  | 'signing-keys'
  | 'artifacts'
  | 'dpop-nonces'
  | 'attestation-challenges'
  | 'refresh-answers';

export interface Secrets {
  /** 32 bytes for one purpose; the second, if any, belongs to the previous root. */
  derive(label: SecretLabel): readonly Buffer[];
  seal(label: SecretLabel, plaintext: string): string;
  /** @throws Error when neither root opens it, or it was altered */
  open(label: SecretLabel, sealed: string): string;
  /** The same under the current root; undefined when it is already. @throws Error like `open` */
  reseal(label: SecretLabel, sealed: string): string | undefined;
  /** Whether the root is being changed. */
  readonly hasPrevious: boolean;
}

const IV_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

export function createSecrets(root: string, previousRoot?: string): Secrets {
  const roots = previousRoot === undefined ? [root] : [root, previousRoot];
  const cache = new Map<SecretLabel, readonly Buffer[]>();
  const derive = (label: SecretLabel): readonly Buffer[] => {
    const known = cache.get(label);
    if (known !== undefined) return known;
    const keys = roots.map((secret) =>
      Buffer.from(hkdfSync('sha256', secret, '', `behalf/v1/${label}`, KEY_BYTES)),
    );
    cache.set(label, keys);
    return keys;
  };
  const seal = (label: SecretLabel, plaintext: string): string => {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv('aes-256-gcm', derive(label)[0] as Buffer, iv);
    const sealed = Buffer.concat([iv, cipher.update(plaintext, 'utf8'), cipher.final()]);
    return Buffer.concat([sealed, cipher.getAuthTag()]).toString('base64url');
  };
  const open = (label: SecretLabel, sealed: string): string => {
    const bytes = Buffer.from(sealed, 'base64url');
    for (const key of derive(label)) {
      const plaintext = tryOpen(key, bytes);
      if (plaintext !== undefined) return plaintext;
    }
    throw new Error(
      `a sealed value (${label}) does not open: BEHALF_SECRET is not the one that sealed it`,
    );
  };
  return {
    derive,
    seal,
    open,
    reseal: (label, sealed) => {
      const isCurrent =
        tryOpen(derive(label)[0] as Buffer, Buffer.from(sealed, 'base64url')) !== undefined;
      return isCurrent ? undefined : seal(label, open(label, sealed));
    },
    hasPrevious: previousRoot !== undefined,
  };
}

function tryOpen(key: Buffer, bytes: Buffer): string | undefined {
  if (bytes.length < IV_BYTES + TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES));
  decipher.setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return (
      decipher.update(bytes.subarray(IV_BYTES, -TAG_BYTES), undefined, 'utf8') +
      decipher.final('utf8')
    );
  } catch {
    return undefined;
  }
}

/** SHA-256 as hex: how generated secrets, which carry 256 random bits, are stored. */
export const hashSecret = (secret: string): string =>
  createHash('sha256').update(secret).digest('hex');

/** Whether a presented secret has this hash; takes the same time whatever the answer. */
export function secretMatches(secret: string, hash: string): boolean {
  const presented = createHash('sha256').update(secret).digest();
  const stored = Buffer.from(hash, 'hex');
  return stored.length === presented.length && timingSafeEqual(presented, stored);
}

/**
 * Reads a secret kept in the data directory, or makes one (development only). Mode 0600.
 *
 * @param name file name in the directory: `secret`, `admin-token`
 */
export async function developmentSecret(dataDir: string, name: string): Promise<string> {
  const path = join(dataDir, name);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  try {
    await writeFile(path, randomBytes(KEY_BYTES).toString('base64url'), {
      flag: 'wx',
      mode: 0o600,
    });
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') throw error;
  }
  await chmod(path, 0o600);
  return (await readFile(path, 'utf8')).trim();
}
