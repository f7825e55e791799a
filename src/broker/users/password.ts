/**
 * Passwords: argon2id, and nothing about an account to be learnt from how long an answer takes.
 * Owns hashing and how many hashes run at a time; knows no account.
 */
import { type Algorithm, hash, verify } from '@node-rs/argon2';

/** OWASP's first choice (M5): 19 MiB, two passes, one lane; about 20 ms. */
const PARAMETERS = {
  // The enum is ambient and has no value at run time; 2 is Argon2id.
  algorithm: 2 as Algorithm.Argon2id,
  memoryCost: 19_456,
  timeCost: 2,
  parallelism: 1,
  outputLen: 32,
};

export const PASSWORD_BYTES_MAX = 1024;

/** A hash of 32 random bytes that nobody kept: checked when there is no account to check. */
export const NOBODY =
  '$argon2id$v=19$m=19456,t=2,p=1$8d1kz/E+7jjlzyqrbXHAWw$QRoFSlBEBCOUZAQY6la/N4XD4bOktXqXEOvqhrcAuEg';

/** NIST SP 800-63B §3.1.1.2: the same password from another keyboard is the same password. */
const normalized = (password: string): Buffer => Buffer.from(password.normalize('NFKC'));

const isUsable = (bytes: Buffer): boolean => bytes.length > 0 && bytes.length <= PASSWORD_BYTES_MAX;

/** @throws RangeError for an empty password or one of more than 1024 bytes */
export async function hashPassword(password: string): Promise<string> {
  const bytes = normalized(password);
  if (!isUsable(bytes)) throw new RangeError('a password has 1 to 1024 bytes');
  return hash(bytes, PARAMETERS);
}

/**
 * Whether the password fits. Without a hash (no such account, or none with a password) the answer
 * is no and takes as long. A password out of bounds is refused unhashed, whoever it is for.
 */
export async function verifyPassword(stored: string | null, password: string): Promise<boolean> {
  const bytes = normalized(password.slice(0, PASSWORD_BYTES_MAX + 1));
  if (!isUsable(bytes)) return false;
  const fits = await verify(stored ?? NOBODY, bytes);
  return fits && stored !== null;
}

export interface WorkQueue {
  run<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * Lets few hashes run at once, in order: each holds 19 MiB and one of Node's four pool threads,
 * which also read files and resolve names. How many may wait is for the caller to bound.
 */
export function createWorkQueue(parallel: number): WorkQueue {
  const waiting: Array<() => void> = [];
  let running = 0;
  return {
    run: async (work) => {
      if (running >= parallel) await new Promise<void>((start) => waiting.push(start));
      else running += 1;
      try {
        return await work();
      } finally {
        // The place is handed on, not given up, so nobody can slip in between.
        const next = waiting.shift();
        if (next === undefined) running -= 1;
        else next();
      }
    },
  };
}
