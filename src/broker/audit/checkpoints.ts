/**
 * Signed checkpoints of the audit (M9): how far every chain had come, each naming the one before, by
 * a signing key whose private part no reader of the database has. Whoever keeps one outside (it is
 * logged) can later show that nothing up to it was cut off or written anew.
 */
import { createHash } from 'node:crypto';
import { CompactSign, compactVerify } from 'jose';
import { z } from 'zod';
import type { Database } from '../db/database.js';
import type { SigningKey, VerificationKey } from '../keys/store.js';
import type { ChainHead, Finding, Pins } from './chain.js';

const TYP = 'audit-checkpoint+jwt';

const claimsSchema = z.object({
  iss: z.string(),
  n: z.number().int().positive(),
  /** Milliseconds. */
  at: z.number().int(),
  /** SHA-256 (hex) of the checkpoint before; empty for the first. */
  previous: z.string(),
  /** chain → place and link */
  heads: z.record(z.string(), z.tuple([z.number().int(), z.string()])),
});
type Checkpoint = z.infer<typeof claimsSchema>;

const digest = (jws: string): string => createHash('sha256').update(jws).digest('hex');

interface LastRow {
  readonly n: string | number;
  readonly jws: string;
}

const HEADS = 'select id as chain, seq, head from audit_chains order by id';
const LAST = 'select n, jws from audit_checkpoints order by n desc limit 1';

export async function readHeads(db: Pick<Database, 'run'>): Promise<ChainHead[]> {
  const rows = await db.run<{ chain: number; seq: string | number; head: string }>(HEADS);
  return rows.map(({ chain, seq, head }) => ({ chain, seq: Number(seq), head }));
}

/**
 * Signs where the chains stand now, unless nothing was recorded since the last checkpoint, or another
 * process is first. Returns what was signed.
 */
export async function makeCheckpoint(
  db: Pick<Database, 'run'>,
  options: { readonly issuer: string; readonly key: SigningKey; readonly nowMs: number },
): Promise<string | undefined> {
  const [last] = await db.run<LastRow>(LAST);
  const heads = (await readHeads(db)).filter(({ seq }) => seq > 0);
  const written = Object.fromEntries(
    heads.map(({ chain, seq, head }) => [chain, [seq, head] as [number, string]]),
  );
  if (heads.length === 0 || isSame(last?.jws, written)) return undefined;
  const checkpoint: Checkpoint = {
    iss: options.issuer,
    n: Number(last?.n ?? 0) + 1,
    at: options.nowMs,
    previous: last === undefined ? '' : digest(last.jws),
    heads: written,
  };
  const { alg, kid, privateKey } = options.key;
  const jws = await new CompactSign(new TextEncoder().encode(JSON.stringify(checkpoint)))
    .setProtectedHeader({ alg, kid, typ: TYP })
    .sign(privateKey);
  const made = await db.run(
    'insert into audit_checkpoints (n, jws) values ($1, $2) on conflict do nothing returning 1',
    [checkpoint.n, jws],
  );
  return made.length === 0 ? undefined : jws;
}

const isSame = (jws: string | undefined, heads: Checkpoint['heads']): boolean =>
  jws !== undefined && JSON.stringify(unverified(jws)?.heads) === JSON.stringify(heads);

function unverified(jws: string): Checkpoint | undefined {
  try {
    const payload = Buffer.from(jws.split('.')[1] ?? '', 'base64url').toString('utf8');
    return claimsSchema.parse(JSON.parse(payload));
  } catch {
    return undefined;
  }
}

async function verified(
  jws: string,
  issuer: string,
  keys: readonly VerificationKey[],
): Promise<Checkpoint | undefined> {
  try {
    const { payload, protectedHeader } = await compactVerify(jws, (header) => {
      const key = keys.find(({ kid, alg }) => kid === header.kid && alg === header.alg);
      if (key === undefined) throw new Error('unknown key');
      return key.publicKey;
    });
    const checkpoint = claimsSchema.parse(JSON.parse(new TextDecoder().decode(payload)));
    return protectedHeader.typ === TYP && checkpoint.iss === issuer ? checkpoint : undefined;
  } catch {
    return undefined;
  }
}

export interface CheckedCheckpoints {
  readonly count: number;
  readonly pins: Pins;
  readonly findings: readonly Finding[];
}

/**
 * Checks stored checkpoints, oldest first, and any kept outside, and says where they pin the chains.
 *
 * @param kept checkpoints from outside the database: each must be among the stored ones
 */
export async function checkCheckpoints(
  stored: ReadonlyArray<{ readonly n: number; readonly jws: string }>,
  kept: readonly string[],
  by: { readonly issuer: string; readonly keys: readonly VerificationKey[] },
): Promise<CheckedCheckpoints> {
  const pins = new Map<number, Map<number, string>>();
  const findings: Finding[] = [];
  const finding = (says: string): void => void findings.push({ kind: 'checkpoint', says });
  const pin = (checkpoint: Checkpoint): void => {
    for (const [chain, [seq, link]] of Object.entries(checkpoint.heads)) {
      const places = pins.get(Number(chain)) ?? new Map<number, string>();
      pins.set(Number(chain), places.set(seq, link));
    }
  };
  let previous = '';
  let next = 1;
  for (const { n, jws } of stored) {
    const checkpoint = await verified(jws, by.issuer, by.keys);
    if (n !== next) finding(`checkpoints ${next} to ${n - 1} are gone`);
    if (checkpoint === undefined || checkpoint.n !== n) finding(`checkpoint ${n} is not ours`);
    else {
      if (n === next && checkpoint.previous !== previous) {
        finding(`checkpoint ${n} does not follow the one before it`);
      }
      pin(checkpoint);
    }
    previous = digest(jws);
    next = n + 1;
  }
  const known = new Set(stored.map(({ jws }) => jws));
  for (const jws of kept) {
    const checkpoint = await verified(jws, by.issuer, by.keys);
    if (checkpoint === undefined) finding('a checkpoint that was kept outside is not ours');
    else {
      if (!known.has(jws)) finding(`checkpoint ${checkpoint.n}, kept outside, is gone from here`);
      pin(checkpoint);
    }
  }
  return { count: stored.length, pins, findings };
}
