/** The signing keys of this process, and how it notices that a resource asks for another algorithm. */
import type { SigningAlg } from '../../protocol/index.js';
import type { Database } from '../db/database.js';
import type { Secrets } from './secrets.js';
import { ensureSigningKeys, loadSigningKeys, type SigningKey } from './store.js';

export interface KeyRing {
  /** Every key, published and signing. */
  keys(): readonly SigningKey[];
  /** @throws Error when there is none: `refresh` makes what resources ask for */
  keyFor(alg: SigningAlg): SigningKey;
  /** Makes and loads what is missing; true when the set changed. */
  refresh(): Promise<boolean>;
}

const fingerprint = (keys: readonly SigningKey[]): string =>
  keys.map(({ kid, state }) => `${kid} ${state}`).join();

export async function createKeyRing(db: Database, secrets: Secrets): Promise<KeyRing> {
  let loaded: readonly SigningKey[] = [];
  const ring: KeyRing = {
    keys: () => loaded,
    keyFor: (alg) => {
      const key = loaded.find((one) => one.alg === alg && one.state === 'active');
      if (key === undefined) throw new Error(`no signing key for ${alg}`);
      return key;
    },
    refresh: async () => {
      const rows = await db.orm.query.resources.findMany({ columns: { signingAlg: true } });
      const algs = new Set(['ES256', ...rows.map((row) => row.signingAlg)]);
      await ensureSigningKeys(db, secrets, [...algs] as SigningAlg[]);
      const keys = await loadSigningKeys(db, secrets);
      const changed = fingerprint(keys) !== fingerprint(loaded);
      if (changed) loaded = keys;
      return changed;
    },
  };
  await ring.refresh();
  return ring;
}
