/** The admin API's operations on signing keys. */
import { z } from 'zod';
import { keyViewSchema, retireKeySchema, rotateKeysSchema } from '../keys/schema.js';
import { type Operation, toWire } from './operation.js';
import { pageSchema, stoppedSchema, stoppedView } from './views.js';

const keyView = (row: object) =>
  toWire(row as Record<string, unknown>, Object.keys(keyViewSchema.shape));
/** A handful, whatever the years: one page. */
const keyPage = (rows: readonly object[]) => ({ items: rows.map(keyView), next_cursor: null });

export const KEY_OPERATIONS: readonly Operation[] = [
  {
    method: 'get',
    path: '/keys',
    scope: 'admin:read',
    summary: 'List signing keys, newest first',
    view: pageSchema(keyViewSchema),
    status: 200,
    run: async ({ services }) => keyPage(await services.keys.list()),
  },
  {
    method: 'post',
    path: '/keys/rotate',
    scope: 'admin:security',
    summary: 'Let the next signing keys take over, of one algorithm or of all in use',
    body: rotateKeysSchema,
    view: pageSchema(keyViewSchema),
    status: 200,
    run: async ({ services, by, body }) => {
      const { alg } = body as z.infer<typeof rotateKeysSchema>;
      return keyPage(await services.keys.rotate(by, alg));
    },
  },
  {
    method: 'post',
    path: '/keys/:kid/retire',
    scope: 'admin:security',
    summary: 'Stop everything a compromised signing key signed; another takes over at once',
    body: retireKeySchema,
    view: stoppedSchema(keyViewSchema),
    status: 200,
    run: async ({ services, by, params, body }) => {
      const { reason } = body as z.infer<typeof retireKeySchema>;
      return stoppedView(await services.keys.retire(by, params.kid as string, reason), keyView);
    },
  },
  {
    method: 'post',
    path: '/keys/reseal',
    scope: 'admin:security',
    summary: 'Seal under BEHALF_SECRET what BEHALF_SECRET_PREVIOUS sealed',
    view: z.object({ resealed: z.number() }),
    status: 200,
    run: async ({ services, by }) => ({ resealed: await services.keys.reseal(by) }),
  },
];
