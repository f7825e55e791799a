/**
 * Initial access tokens (RFC 7591 §3): each lets whoever holds it register one client, once. Made by
 * administrators, shown once, kept as a hash. Using one is part of the registration it is for
 * (`store.ts`): what fails burns none.
 */
import type { Database } from '../db/database.js';
import { newId, newSecret } from '../ids.js';
import { INITIAL_TOKEN_SECONDS } from '../limits.js';
import { type Change, narrowing, widening } from '../registry/change.js';
import { type Page, type PageRequest, pageBounds, pageOf } from '../registry/page.js';
import { invalid, notFound } from '../registry/refusal.js';
import {
  findInitialToken,
  type InitialTokenRow,
  insertInitialToken,
  listInitialTokens,
  removeInitialToken,
} from './initial-token-store.js';
import type { NewInitialToken } from './schema.js';

/** The one moment at which the token is known. */
export type AddedInitialToken = InitialTokenRow & { readonly token: string };

export type InitialTokens = ReturnType<typeof createInitialTokens>;

export function createInitialTokens(deps: {
  readonly db: Database;
  readonly hashSecret: (secret: string) => string;
}) {
  const { db, hashSecret } = deps;
  return {
    create: (by: string, input: NewInitialToken): Promise<AddedInitialToken> =>
      widening(db, by, async (change) => {
        const token = newSecret();
        return { ...(await create(change, input, hashSecret(token))), token };
      }),
    get: async (id: string): Promise<InitialTokenRow> => {
      const row = await findInitialToken(db.orm, id);
      if (row === undefined) throw notFound(NOUN, id);
      return row;
    },
    list: async (request: PageRequest = {}): Promise<Page<InitialTokenRow>> => {
      const { after, take } = pageBounds(request);
      return pageOf(await listInitialTokens(db.orm, after, take), take, ({ id }) => id);
    },
    remove: (by: string, id: string): Promise<void> =>
      narrowing(db, by, async (change) => {
        const removed = await removeInitialToken(change.tx, id);
        if (!removed) throw notFound(NOUN, id);
        await change.record({ type: 'registry.retired', detail: { noun: NOUN, id } });
      }),
  };
}

const NOUN = 'initial access token';

async function create(
  change: Change,
  { name, expiresAt }: NewInitialToken,
  tokenHash: string,
): Promise<InitialTokenRow> {
  const id = newId('iat');
  const row = await insertInitialToken(
    change.tx,
    { id, tokenHash, name: name ?? null, createdBy: change.by },
    expiresAt ?? { inSeconds: INITIAL_TOKEN_SECONDS.default },
  );
  const { expired, lifeSeconds } = row;
  if (expired) throw invalid({ path: ['expiresAt'], message: 'must be a time to come' });
  if (lifeSeconds > INITIAL_TOKEN_SECONDS.max) {
    throw invalid({ path: ['expiresAt'], message: 'must be within a year' });
  }
  const detail = { noun: NOUN, id, expires_at: row.expiresAt.toISOString() };
  await change.record({
    type: 'registry.created',
    detail: { ...detail, ...(name === undefined ? {} : { name }) },
  });
  return row;
}
