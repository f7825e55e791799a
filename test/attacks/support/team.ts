// A party with more people in it: a helper with an edge, one without, and a file server that may go
// on to the notes. What exchanges are attacked with.
import { createHash, randomBytes } from 'node:crypto';
import { sql } from 'drizzle-orm';
import * as tables from '../../../schema/index.js';
import { FILES, FILES_CLIENT, NOTES } from '../../support/world.js';
import type { Answer, Fields } from './http.js';
import type { Party } from './party.js';
import type { AttackWorld } from './world.js';

export const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';

export interface Team extends Party {
  /** Takes work from the agent. */
  readonly helper: string;
  /** Takes work from nobody. */
  readonly loner: string;
  /** A fresh access token of the user's, for the agent. */
  hers(): Promise<string>;
}

const opened = new WeakMap<AttackWorld, Promise<void>>();

/** Somebody of their own, with as many helpers as they like. */
export async function castTeam(w: AttackWorld): Promise<Team> {
  const ready = opened.get(w) ?? openNotes(w);
  opened.set(w, ready);
  await ready;
  const party = await w.cast();
  const [helper, loner] = [`${party.agent}-helper`, `${party.agent}-loner`];
  const { agent, client } = party;
  await w.honestly(() =>
    w.db.transaction(async (tx) => {
      for (const id of [helper, loner]) {
        const secret = randomBytes(32).toString('base64url');
        w.secrets[id] = secret;
        w.canaries.add(`secret of ${id}`, secret);
        await tx.insert(tables.agents).values({
          id,
          name: id,
          owner: 'Ops',
          clients: [client],
          // Back again, too: so that a loop is refused for being one.
          takesWorkFrom: id === helper ? [agent] : [],
          auth: 'client_secret_basic',
        });
        await tx
          .insert(tables.permissions)
          .values({ principal: id, resource: FILES, scopes: ['files:read'] });
        const secretHash = createHash('sha256').update(secret).digest('hex');
        await tx
          .insert(tables.credentials)
          .values({ id: `crd_${id}`, principal: id, kind: 'secret', secretHash });
      }
      await tx.execute(
        sql`update agents set takes_work_from = array[${helper}]::text[] where id = ${agent}`,
      );
      await tx.execute(sql`update consents set helpers = 3 where user_id = ${party.user.id}`);
      await tx.update(tables.policyEpoch).set({ epoch: sql`epoch + 1` });
    }),
  );
  return {
    ...party,
    helper,
    loner,
    hers: async () => (await party.tokens()).access_token,
  };
}

/** The file server's way to the notes, there before anybody consents. */
async function openNotes(w: AttackWorld): Promise<void> {
  const downstream = [{ resource: NOTES, scopes: { 'files:read': ['notes:read'] } }];
  await w.db.transaction(async (tx) => {
    await tx.execute(
      sql`update resources set downstream = ${JSON.stringify(downstream)}::text::jsonb where identifier = ${FILES}`,
    );
    await tx.execute(sql`update resources set clients = null where identifier = ${NOTES}`);
    await tx
      .insert(tables.permissions)
      .values({ principal: FILES_CLIENT, resource: NOTES, scopes: ['notes:read'] });
    await tx.update(tables.policyEpoch).set({ epoch: sql`epoch + 1` });
  });
}

export const exchangeAs = (
  w: AttackWorld,
  as: string | undefined,
  fields: Fields,
  headers: Record<string, string> = {},
): Promise<Answer> =>
  w.post('/token', { grant_type: GRANT, subject_token_type: ACCESS_TOKEN, ...fields }, as, headers);

/** An exchange that is as it should be. */
export const exchanged = (w: AttackWorld, as: string, fields: Fields): Promise<string> =>
  w.honestly(async () => {
    const { status, body, text } = await exchangeAs(w, as, fields);
    if (status !== 200) throw new Error(`not exchanged: ${status} ${text}`);
    return body.access_token as string;
  });
