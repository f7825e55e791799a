/** The world file over the admin API: the same plan, the same all-or-nothing application. */
import { z } from 'zod';
import { strict } from '../registry/fields.js';
import { invalid } from '../registry/refusal.js';
import type { Applied } from '../world/service.js';
import { asWritten, type Operation } from './operation.js';

const worldSchema = strict({ text: z.string().max(200_000), dryRun: z.boolean().optional() });

const planSchema = z.object({
  plan: z.array(
    z.object({
      noun: z.string(),
      id: z.string(),
      action: z.enum(['create', 'change', 'unchanged']),
      fields: z.array(z.string()),
      /** With `change` only; a secret has no values. */
      changes: z
        .array(z.object({ field: z.string(), from: z.unknown(), to: z.unknown() }).partial())
        .optional(),
    }),
  ),
  secrets: z.record(z.string(), z.string()),
  /** With `dry_run` only: what there is and the file does not name. It is never touched. */
  unnamed: z
    .array(
      z.object({
        noun: z.enum(['role', 'client', 'agent', 'user', 'resource', 'permission']),
        id: z.string(),
      }),
    )
    .optional(),
  /** How many more of them there are; at most 1000 of a noun are listed. */
  unnamed_left_out: z.number().optional(),
});

export const WORLD_OPERATIONS: readonly Operation[] = [
  {
    method: 'post',
    path: '/world',
    scope: 'admin:write',
    // A file may hold anything: credentials, passwords, permissions to administer.
    alsoNeeds: async () => 'admin:security',
    summary:
      'Apply a world file (YAML); generated secrets are in this answer only. What the file does not name is never touched; a dry run tells what that is',
    body: worldSchema,
    view: planSchema,
    status: 200,
    run: async ({ services, by, body }) => {
      const { text, dryRun = false } = body as z.infer<typeof worldSchema>;
      const outcome = dryRun ? await services.planWorld(text) : await services.applyWorld(text, by);
      if ('problems' in outcome) {
        const at = ({ line, field }: { line: number; field: string }) =>
          [`line ${line}`, ...(field === '' ? [] : [field])].join(', ');
        throw invalid(
          ...outcome.problems.map((one) => ({ path: [asWritten(at(one))], message: one.message })),
        );
      }
      const secrets: Applied['secrets'] = 'secrets' in outcome ? (outcome as Applied).secrets : [];
      return {
        plan: outcome.plan,
        secrets: Object.fromEntries(secrets.map(({ principal, secret }) => [principal, secret])),
        ...('unnamed' in outcome
          ? { unnamed: outcome.unnamed, unnamed_left_out: outcome.unnamedLeftOut }
          : {}),
      };
    },
  },
];
