/** The admin API's operations on what happened. */
import { z } from 'zod';
import { strict } from '../registry/fields.js';
import { PAGE_DEFAULT } from '../registry/page.js';
import { invalid, notFound } from '../registry/refusal.js';
import type { Operation } from './operation.js';
import { auditQuery, revocationQuery } from './query.js';
import * as views from './views.js';

/** A checkpoint names every chain: as many as there ever were writers at once. */
const CHECKPOINT_CHARS_MAX = 100_000;

/** The cursor of lists in the order of serial numbers is the last number. */
function numberOf(cursor: string | undefined): number | undefined {
  if (cursor === undefined) return undefined;
  if (/^[1-9]\d{0,15}$/.test(cursor) && Number.isSafeInteger(Number(cursor))) return Number(cursor);
  throw invalid({ path: ['cursor'], message: 'is not a cursor of this list' });
}

const cursorAfter = (rows: readonly { readonly id: number }[], limit: number): string | null =>
  rows.length === limit ? String(rows.at(-1)?.id) : null;

const revocations: Operation = {
  method: 'get',
  path: '/revocations',
  scope: 'admin:read',
  summary:
    'What is stopped, newest first: each fact for as long as anything alive could depend on it',
  query: revocationQuery,
  view: views.pageSchema(views.revocationViewSchema),
  status: 200,
  run: async ({ query, services }) => {
    const {
      cursor,
      limit = PAGE_DEFAULT,
      always,
      ...same
    } = query as z.infer<typeof revocationQuery>;
    const filter = { ...same, always: always === undefined ? undefined : always === 'true', limit };
    const facts = await services.listRevocations({ ...filter, before: numberOf(cursor) });
    return { items: facts.map(views.revocationView), next_cursor: cursorAfter(facts, limit) };
  },
};

const revocation: Operation = {
  method: 'get',
  path: '/revocations/:id',
  scope: 'admin:read',
  summary:
    'Show a fact, what its stop ended, which followers of the feed have confirmed it since when, and which have not',
  view: views.confirmedRevocationViewSchema,
  status: 200,
  run: async ({ params, services }) => {
    const id = params.id as string;
    const fact = /^[1-9]\d{0,14}$/.test(id) ? await services.findRevocation(Number(id)) : undefined;
    if (fact === undefined) throw notFound('revocation', id);
    const [receipt, followers] = await Promise.all([
      services.receiptOf(fact),
      services.confirmationsOf(fact.id),
    ]);
    return views.confirmedRevocationView(fact, receipt, followers);
  },
};

const audit: readonly Operation[] = [
  {
    method: 'get',
    path: '/audit',
    scope: 'admin:read',
    summary: 'What happened, newest first, each event with its sentence',
    query: auditQuery,
    view: views.pageSchema(views.eventViewSchema),
    status: 200,
    run: async ({ query, services }) => {
      const { cursor, limit = PAGE_DEFAULT, ...given } = query as z.infer<typeof auditQuery>;
      const { agent: agentId, client: clientId, grant: grantId, ...rest } = given;
      const { consent: consentId, request: requestId, ...same } = rest;
      const before = numberOf(cursor);
      const named = { agentId, clientId, grantId, consentId, requestId };
      const events = await services.listEvents({ ...same, ...named, before, limit });
      const sentences = await services.sentences(events);
      const items = events.map((event, n) => views.eventView(event, sentences[n] ?? ''));
      return { items, next_cursor: cursorAfter(events, limit) };
    },
  },
];

const verification: Operation = {
  method: 'post',
  path: '/audit/verify',
  scope: 'admin:read',
  summary: 'Whether anything of the audit was changed, removed, reordered or cut off',
  body: strict({ checkpoints: z.array(z.string().max(CHECKPOINT_CHARS_MAX)).max(100).optional() }),
  view: views.auditReportSchema,
  status: 200,
  run: ({ services, body }) => {
    const { checkpoints = [] } = body as { checkpoints?: readonly string[] };
    return services.verifyAudit(checkpoints);
  },
};

/** Ours are below 2 kB. */
const TOKEN_CHARS_MAX = 16_384;

const explanation: Operation = {
  method: 'post',
  path: '/explain',
  scope: 'admin:read',
  summary: 'Why an event or a token is what it is, and the smallest change that would allow it',
  body: strict({ of: z.string().min(1).max(TOKEN_CHARS_MAX) }),
  view: views.explanationSchema,
  status: 200,
  run: async ({ services, body }) =>
    views.explanationView(await services.explain((body as { of: string }).of)),
};

export const HISTORY_OPERATIONS: readonly Operation[] = [
  ...audit,
  verification,
  revocations,
  revocation,
  explanation,
];
