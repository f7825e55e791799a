/** The admin API's operations on initial access tokens (RFC 7591 §3). */

import {
  initialTokenViewSchema,
  type NewInitialToken,
  newInitialTokenSchema,
  newInitialTokenViewSchema,
} from '../registration/schema.js';
import type { PageRequest } from '../registry/page.js';
import { type Operation, toWire } from './operation.js';
import { pageQuery } from './query.js';
import { pageSchema, pageView } from './views.js';

const view =
  ({ shape }: typeof initialTokenViewSchema) =>
  (row: object): Record<string, unknown> =>
    toWire(row as Readonly<Record<string, unknown>>, Object.keys(shape));

export const REGISTRATION_OPERATIONS: readonly Operation[] = [
  {
    method: 'post',
    path: '/initial-access-tokens',
    scope: 'admin:security',
    summary: 'Let somebody register one client, once; the token is in this answer only',
    body: newInitialTokenSchema,
    view: newInitialTokenViewSchema,
    status: 201,
    run: async ({ services, by, body }) =>
      view(newInitialTokenViewSchema)(
        await services.registry.initialTokens.create(by, body as NewInitialToken),
      ),
  },
  {
    method: 'get',
    path: '/initial-access-tokens',
    scope: 'admin:read',
    summary: 'List initial access tokens and what they were used for, never the tokens themselves',
    query: pageQuery,
    view: pageSchema(initialTokenViewSchema),
    status: 200,
    run: async ({ services, query }) =>
      pageView(
        await services.registry.initialTokens.list(query as PageRequest),
        view(initialTokenViewSchema),
      ),
  },
  {
    method: 'get',
    path: '/initial-access-tokens/:id',
    scope: 'admin:read',
    summary: 'Show an initial access token, never the token itself',
    view: initialTokenViewSchema,
    status: 200,
    run: async ({ services, params }) =>
      view(initialTokenViewSchema)(await services.registry.initialTokens.get(params.id as string)),
  },
  {
    method: 'delete',
    path: '/initial-access-tokens/:id',
    scope: 'admin:security',
    summary: 'Remove an initial access token; a client registered with it stays',
    status: 204,
    run: ({ services, by, params }) =>
      services.registry.initialTokens.remove(by, params.id as string),
  },
];
