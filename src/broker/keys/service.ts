/**
 * What is done to signing keys: kept up (missing ones made, due ones rotated, expired ones retired),
 * rotated by hand, stopped in an emergency, sealed anew. One function an operation; the API, the CLI
 * and every process's own upkeep call the same ones.
 */
import { kidKey, type SigningAlg } from '../../protocol/index.js';
import type { Database } from '../db/database.js';
import type { Stopped } from '../registry/change.js';
import { conflict, notFound } from '../registry/refusal.js';
import { addReceipts, narrowTold, receiptFor } from '../revocation/receipt.js';
import {
  dueSteps,
  type KeyFacts,
  type KeyStep,
  type RotationRules,
  replacementSteps,
  rotationProblem,
  rotationSteps,
} from './policy.js';
import type { Secrets } from './secrets.js';
import {
  algsInUse,
  type KeyRow,
  lockKeys,
  makeSpares,
  readKeys,
  resealKeys,
  retireCompromised,
  takeSteps,
} from './store.js';

export interface KeyDeps {
  readonly db: Database;
  /** Asked for only when something must be sealed or opened. */
  readonly secrets: () => Promise<Secrets>;
  readonly rules: RotationRules;
}

export interface KeyService {
  /** Every key, newest first. */
  list(): Promise<readonly KeyRow[]>;
  /** Makes, rotates and retires what is due for the algorithms in use. */
  upkeep(): Promise<void>;
  /** @throws Refusal when a next key has not been published for long enough */
  rotate(by: string, alg?: SigningAlg): Promise<readonly KeyRow[]>;
  /** Emergency: nothing this key signed is good any more, and another signs from now on. */
  retire(by: string, kid: string, reason: string): Promise<Stopped<KeyRow>>;
  /** Seals under the current root what the previous one sealed; how many keys that were. */
  reseal(by: string): Promise<number>;
}

type Keys = readonly KeyFacts[];

export function createKeyService(deps: KeyDeps): KeyService {
  const { db } = deps;
  return {
    list: async () => (await readKeys(db.orm)).keys.reverse(),
    upkeep: async () => {
      const algs = await algsInUse(db.orm);
      const due = (keys: Keys, nowMs: number) => dueSteps(keys, algs, nowMs, deps.rules);
      await change(deps, 'system', due);
    },
    rotate: async (by, alg) => {
      const algs = alg === undefined ? await algsInUse(db.orm) : [alg];
      await change(deps, by, (keys, nowMs) => {
        const inUse = algs.filter((one) => keys.some(isActive(one)));
        if (alg !== undefined && inUse.length === 0) {
          throw conflict(['alg'], `no resource asks for ${alg}: there is no such key`);
        }
        const problem = rotationProblem(keys, inUse, nowMs, deps.rules);
        if (problem !== undefined) throw conflict(alg === undefined ? [] : ['alg'], problem);
        return rotationSteps(keys, inUse);
      });
      return (await readKeys(db.orm)).keys.reverse();
    },
    retire: (by, kid, reason) => retire(deps, { by, kid, reason }),
    reseal: async (by) => resealKeys(db, await deps.secrets(), by),
  };
}

const isActive =
  (alg: SigningAlg) =>
  (key: KeyFacts): boolean =>
    key.alg === alg && key.state === 'active';

/**
 * Decides once to see whether anything is to be done and to make key pairs in peace, and again,
 * with what another process may have done meanwhile, under the lock.
 */
async function change(
  { db, secrets }: KeyDeps,
  by: string,
  decide: (keys: Keys, nowMs: number) => readonly KeyStep[],
): Promise<void> {
  const before = await readKeys(db.orm);
  const foreseen = decide(before.keys, before.nowMs);
  if (foreseen.length === 0) return;
  const opened = await secrets();
  const spares = await makeSpares(foreseen);
  await db.transaction(async (tx) => {
    const { keys, nowMs } = await lockKeys(tx);
    const steps = decide(keys, nowMs);
    if (steps.length > 0) await takeSteps(tx, { secrets: opened, steps, spares, by });
  });
}

async function retire(
  { db, secrets }: KeyDeps,
  { by, kid, reason }: { readonly by: string; readonly kid: string; readonly reason: string },
): Promise<Stopped<KeyRow>> {
  const found = (keys: readonly KeyRow[]): KeyRow => {
    const key = keys.find((one) => one.kid === kid);
    if (key === undefined) throw notFound('signing key', kid);
    if (key.state === 'retired') throw conflict(['kid'], 'is retired already');
    return key;
  };
  const { keys: before, nowMs } = await readKeys(db.orm);
  const spares = await makeSpares(replacementSteps(before, found(before)));
  const opened = await secrets();
  // No index finds what a key signed: an hour of everything is looked through while tokens are still
  // issued, and only what was under way then when they are not.
  const at = new Date(nowMs - UNDER_WAY_MS);
  const settled = await receiptFor(db.orm, [{ kind: 'key', kid, until: at }]);
  return narrowTold(db, async (tx) => {
    const { keys } = await lockKeys(tx);
    const key = found(keys);
    const latest = await receiptFor(tx, [{ kind: 'key', kid, after: at }]);
    const retired = await retireCompromised(tx, key, reason, by);
    const steps = replacementSteps(keys, key);
    await takeSteps(tx, { secrets: opened, steps, spares, by });
    const result = (await readKeys(tx)).keys.find((one) => one.kid === kid) as KeyRow;
    return {
      stops: [{ key: kidKey(kid), always: true, reason, by }],
      receipt: addReceipts(settled, latest),
      events: [retired],
      result,
    };
  });
}

/** Longer than the gate takes to record a batch by far. */
const UNDER_WAY_MS = 10_000;
