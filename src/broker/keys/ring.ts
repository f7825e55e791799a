/** The signing keys of this process, and how it notices that they changed, or have to. */
import type { SigningAlg } from '../../protocol/index.js';
import type { Database } from '../db/database.js';
import type { Secrets } from './secrets.js';
import type { KeyService } from './service.js';
import { type LoadedKeys, loadKeys, type SigningKey } from './store.js';

export interface KeyRing {
  current(): LoadedKeys;
  /** @throws Error when there is none: `refresh` makes what resources ask for */
  keyFor(alg: SigningAlg): SigningKey;
  /** Does what is due and loads what changed. */
  refresh(): Promise<void>;
  /** Calls back whenever the set is another one. */
  onChange(listener: () => void): void;
}

const fingerprint = ({ published, hints }: LoadedKeys): string =>
  [...published, ...hints].map(({ kid, state }) => `${kid} ${state}`).join();

export interface KeyRingDeps {
  readonly db: Database;
  readonly secrets: Secrets;
  readonly service: Pick<KeyService, 'upkeep' | 'reseal'>;
}

/** @throws Error when BEHALF_SECRET is not the one that sealed the keys */
export async function createKeyRing(deps: KeyRingDeps): Promise<KeyRing> {
  let loaded: LoadedKeys = { published: [], hints: [] };
  const listeners: (() => void)[] = [];
  const load = async (): Promise<void> => {
    const keys = await loadKeys(deps.db, deps.secrets);
    if (fingerprint(keys) === fingerprint(loaded)) return;
    loaded = keys;
    for (const listener of listeners) listener();
  };
  const refresh = async (): Promise<void> => {
    // Sealed by a process that still had the root before the change: then this one's is the newer.
    if (deps.secrets.hasPrevious) await deps.service.reseal('system');
    await deps.service.upkeep();
    await load();
  };
  await load();
  await refresh();
  return {
    current: () => loaded,
    keyFor: (alg) => {
      const key = loaded.published.find((one) => one.alg === alg && one.state === 'active');
      if (key === undefined) throw new Error(`no signing key for ${alg}`);
      return key;
    },
    refresh: inTurn(refresh),
    onChange: (listener) => void listeners.push(listener),
  };
}

/**
 * One at a time: an older set never replaces a newer one. Whoever asks while one is under way gets
 * the next, which begins after they asked.
 */
function inTurn(work: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let waiting: Promise<void> | undefined;
  const start = (): Promise<void> => {
    running = work().finally(() => {
      running = undefined;
    });
    return running;
  };
  return () => {
    if (running === undefined) return start();
    waiting ??= running
      .catch(() => undefined)
      .then(() => {
        waiting = undefined;
        return start();
      });
    return waiting;
  };
}
