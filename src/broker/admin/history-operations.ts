/** The admin API's operations on what users allowed, and on what happened. */
import type { z } from 'zod';
import type { DelegationFilter } from '../delegation/queries.js';
import { displayText, strict, TEXT_CHARS_MAX } from '../registry/fields.js';
import { PAGE_DEFAULT } from '../registry/page.js';
import { invalid, notFound } from '../registry/refusal.js';
import type { Call, Operation } from './operation.js';
import { auditQuery, delegationQuery } from './query.js';
import * as views from './views.js';

const named = ({ params }: Call, name: string): string => params[name] as string;

const endSchema = strict({ reason: displayText(TEXT_CHARS_MAX).optional() });

function delegationFilter({ query }: Call): DelegationFilter {
  const { cursor, limit, user, agent, client, live } = query as z.infer<typeof delegationQuery>;
  const [at = '', id = ''] = (cursor ?? '').split('~');
  const before = cursor === undefined ? undefined : { createdAt: new Date(at), id };
  if (before !== undefined && (Number.isNaN(before.createdAt.getTime()) || id === '')) {
    throw invalid({ path: ['cursor'], message: 'is not a cursor of this list' });
  }
  return {
    userId: user,
    agentId: agent,
    clientId: client,
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

const ended = async (noun: string, id: string, done: Promise<boolean>): Promise<void> => {
  if (!(await done)) throw notFound(`live ${noun}`, id);
};

const delegations: readonly Operation[] = [
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
    method: 'post',
    path: '/consents/:id/end',
    scope: 'admin:security',
    summary: 'Withdraw a consent; everything it gave stops',
    body: endSchema,
    status: 204,
    run: (call) => {
      const { reason = 'ended by an administrator' } = call.body as z.infer<typeof endSchema>;
      const id = named(call, 'id');
      return ended('consent', id, call.services.endConsent(id, reason, call.by));
    },
  },
  {
    method: 'get',
    path: '/grants',
    scope: 'admin:read',
    summary: 'List authorizations, newest first',
    query: delegationQuery,
    view: views.pageSchema(views.grantViewSchema),
    status: 200,
    run: async (call) => {
      const filter = delegationFilter(call);
      const rows = await call.services.listGrants(filter);
      return views.pageView(newestFirst(rows, filter.limit), views.grantView);
    },
  },
  {
    method: 'post',
    path: '/grants/:id/end',
    scope: 'admin:security',
    summary: 'End one authorization; its tokens stop',
    body: endSchema,
    status: 204,
    run: (call) => {
      const { reason = 'ended by an administrator' } = call.body as z.infer<typeof endSchema>;
      const id = named(call, 'id');
      return ended('grant', id, call.services.endGrant(id, reason, call.by));
    },
  },
];

const audit: readonly Operation[] = [
  {
    method: 'get',
    path: '/audit',
    scope: 'admin:read',
    summary: 'What happened, newest first, each event with its sentence',
    query: auditQuery,
    view: views.pageSchema(views.eventViewSchema),
    status: 200,
    run: async (call) => {
      const query = call.query as z.infer<typeof auditQuery>;
      const before = query.cursor === undefined ? undefined : Number(query.cursor);
      if (before !== undefined && !Number.isSafeInteger(before)) {
        throw invalid({ path: ['cursor'], message: 'is not a cursor of this list' });
      }
      const limit = query.limit ?? PAGE_DEFAULT;
      const { type, sub, agent: agentId, client: clientId, resource, grant: grantId } = query;
      const filter = { type, sub, agentId, clientId, resource, grantId, before, limit };
      const events = await call.services.listEvents(filter);
      const sentences = await call.services.sentences(events);
      return {
        items: events.map((event, n) => views.eventView(event, sentences[n] ?? '')),
        next_cursor: events.length === limit ? String(events.at(-1)?.id) : null,
      };
    },
  },
];

export const HISTORY_OPERATIONS: readonly Operation[] = [...delegations, ...audit];
