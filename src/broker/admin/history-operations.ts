/** The admin API's operations on what happened. */
import { z } from 'zod';
import { strict } from '../registry/fields.js';
import { PAGE_DEFAULT } from '../registry/page.js';
import { invalid } from '../registry/refusal.js';
import type { Operation } from './operation.js';
import { auditQuery } from './query.js';
import * as views from './views.js';

/** A checkpoint names every chain: as many as there ever were writers at once. */
const CHECKPOINT_CHARS_MAX = 100_000;

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

export const HISTORY_OPERATIONS: readonly Operation[] = [...audit, verification];
