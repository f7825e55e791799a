/** The admin API's operations on what users allowed, and on what hangs on it. */
import { z } from 'zod';
import type { DelegationFilter } from '../delegation/queries.js';
import { isInstant, plainAscii, strict } from '../registry/fields.js';
import { PAGE_DEFAULT } from '../registry/page.js';
import { invalid, notFound } from '../registry/refusal.js';
import { IDENTIFIER_CHARS_MAX } from '../resources/schema.js';
import type { Receipt } from '../revocation/receipt.js';
import type { Call, Operation } from './operation.js';
import { delegationQuery, endQuery, grantQuery } from './query.js';
import * as views from './views.js';

/** Unless something better is said. */
const ENDED = 'ended by an administrator';

const id = ({ params }: Call): string => params.id as string;

function delegationFilter({ query }: Call): DelegationFilter {
  const { cursor, limit, live, ...named } = query as z.infer<typeof grantQuery>;
  const [at = '', last = ''] = (cursor ?? '').split('~');
  const before = cursor === undefined ? undefined : { createdAt: new Date(at), id: last };
  if (before !== undefined && (!isInstant(before.createdAt) || last === '')) {
    throw invalid({ path: ['cursor'], message: 'is not a cursor of this list' });
  }
  return {
    userId: named.user,
    agentId: named.agent,
    clientId: named.client,
    resource: named.resource,
    consentId: named.consent,
    live: live === undefined ? undefined : live === 'true',
    before,
    limit: limit ?? PAGE_DEFAULT,
  };
}

/** Newest first; the cursor is the instant and id of the last one shown. */
function newestFirst<Row extends { readonly createdAt: Date; readonly id: string }>(
  rows: readonly Row[],
  limit: number | undefined,
) {
  const last = rows.length === limit ? rows.at(-1) : undefined;
  const nextCursor = last === undefined ? null : `${last.createdAt.toISOString()}~${last.id}`;
  return { items: rows, nextCursor };
}

const found = <Row>(noun: string, name: string, row: Row | undefined): Row => {
  if (row === undefined) throw notFound(noun, name);
  return row;
};

async function ended(
  { params, query, by }: Call,
  noun: string,
  end: (id: string, reason: string, by: string) => Promise<Receipt | undefined>,
) {
  const { reason = ENDED } = query as z.infer<typeof endQuery>;
  const name = params.id as string;
  return views.receiptAnswer(found(`live ${noun}`, name, await end(name, reason, by)));
}

const consents: readonly Operation[] = [
  {
    method: 'get',
    path: '/consents',
    scope: 'admin:read',
    summary: 'List what users allowed, newest first',
    query: delegationQuery,
    view: views.pageSchema(views.consentViewSchema),
    status: 200,
    run: async (call) => {
      const filter = delegationFilter(call);
      const rows = await call.services.listConsents(filter);
      return views.pageView(newestFirst(rows, filter.limit), views.consentView);
    },
  },
  {
    method: 'get',
    path: '/consents/:id',
    scope: 'admin:read',
    summary: 'Show a consent, with what its page said',
    view: views.wholeConsentViewSchema,
    status: 200,
    run: async (call) =>
      views.wholeConsentView(found('consent', id(call), await call.services.findConsent(id(call)))),
  },
  {
    method: 'delete',
    path: '/consents/:id',
    scope: 'admin:security',
    summary: 'Withdraw a consent; everything it gave stops',
    query: endQuery,
    view: views.receiptAnswerSchema,
    status: 200,
    run: (call) => ended(call, 'consent', call.services.endConsent),
  },
];

const name = plainAscii(IDENTIFIER_CHARS_MAX).optional();
const bulkSchema = strict({
  user: name,
  agent: name,
  client: name,
  resource: name,
  reason: endQuery.shape.reason,
  dryRun: z.boolean().optional(),
});

const bulk: Operation = {
  method: 'post',
  path: '/consents/end',
  scope: 'admin:security',
  summary: 'End every consent of a user, agent, client or resource, or count what that would end',
  body: bulkSchema,
  view: views.bulkAnswerSchema,
  status: 200,
  run: async ({ services, body, by }) => {
    const { dryRun = false, reason = ENDED, ...named } = body as z.infer<typeof bulkSchema>;
    if (Object.values(named).every((value) => value === undefined)) {
      throw invalid({ path: [], message: 'name a user, agent, client or resource' });
    }
    const { user: userId, agent: agentId, client: clientId, resource } = named;
    const of = { userId, agentId, clientId, resource };
    const receipt = await (dryRun ? services.foreseeEnd(of) : services.endConsents(of, reason, by));
    return { dry_run: dryRun, ...views.receiptAnswer(receipt) };
  },
};

const grants: readonly Operation[] = [
  {
    method: 'get',
    path: '/grants',
    scope: 'admin:read',
    summary: 'List authorizations, newest first',
    query: grantQuery,
    view: views.pageSchema(views.grantViewSchema),
    status: 200,
    run: async (call) => {
      const filter = delegationFilter(call);
      const rows = await call.services.listGrants(filter);
      return views.pageView(newestFirst(rows, filter.limit), views.grantView);
    },
  },
  {
    method: 'get',
    path: '/grants/:id',
    scope: 'admin:read',
    summary: 'Show an authorization',
    view: views.grantViewSchema,
    status: 200,
    run: async (call) =>
      views.grantView(found('grant', id(call), await call.services.findGrant(id(call)))),
  },
  {
    method: 'delete',
    path: '/grants/:id',
    scope: 'admin:security',
    summary: 'End one authorization; its tokens stop',
    query: endQuery,
    view: views.receiptAnswerSchema,
    status: 200,
    run: (call) => ended(call, 'grant', call.services.endGrant),
  },
];

export const DELEGATION_OPERATIONS: readonly Operation[] = [...consents, bulk, ...grants];
