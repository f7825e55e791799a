// Signing keys as an operator sees and handles them, over the admin API.
import type { Database } from '../../src/broker/db/database.js';
import { createSecrets } from '../../src/broker/keys/secrets.js';
import { loadKeys, type SigningKey } from '../../src/broker/keys/store.js';
import { ADMIN_TOKEN, type Answer, ROOT_SECRET, type TestBroker } from './broker.js';

export interface ShownKey {
  readonly kid: string;
  readonly alg: string;
  readonly state: 'next' | 'active' | 'retiring' | 'retired';
  readonly created_at: string;
  readonly activated_at: string | null;
  readonly retires_at: string | null;
  readonly retired_reason: string | null;
}

export async function admin(
  { issuer }: Pick<TestBroker, 'issuer'>,
  method: string,
  path: string,
  body?: object,
): Promise<Answer> {
  const response = await fetch(`${issuer}/admin/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

const inState =
  (state: ShownKey['state']) =>
  (keys: readonly ShownKey[], alg = 'ES256'): ShownKey => {
    const key = keys.find((one) => one.alg === alg && one.state === state);
    if (key === undefined) throw new Error(`no ${state} ${alg} key in ${JSON.stringify(keys)}`);
    return key;
  };
export const activeKey = inState('active');
export const nextKey = inState('next');

export const listKeys = async (t: Pick<TestBroker, 'issuer'>): Promise<ShownKey[]> =>
  (await admin(t, 'GET', '/keys')).body.items;

/** Key ids in the published set, in no order. */
export async function publishedKids({ issuer }: Pick<TestBroker, 'issuer'>): Promise<string[]> {
  const response = await fetch(`${issuer}/.well-known/jwks.json`);
  const { keys } = (await response.json()) as { keys: { kid: string }[] };
  return keys.map(({ kid }) => kid).sort();
}

/** The very key that signs: what is refused then is refused for what the token says. */
export async function signingKeyOf(db: Database, alg = 'ES256'): Promise<SigningKey> {
  const { published } = await loadKeys(db, createSecrets(ROOT_SECRET));
  const key = published.find((one) => one.state === 'active' && one.alg === alg);
  if (key === undefined) throw new Error('there is no signing key');
  return key;
}
