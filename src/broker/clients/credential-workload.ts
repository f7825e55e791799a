/** Whether a workload's rule may be registered: of a platform that is trusted, and nobody else's. */
import { and, eq, isNull, sql } from 'drizzle-orm';
import { credentials } from '../../../schema/index.js';
import type { Executor } from '../db/database.js';
import { isSame } from '../registry/change.js';
import { conflict, type FieldPath, invalid } from '../registry/refusal.js';
import type { WorkloadRule } from './credential-schema.js';

export async function checkWorkload(
  tx: Executor,
  principal: string,
  rule: WorkloadRule,
  vouches: (db: Executor, issuer: string) => Promise<boolean>,
  at: FieldPath,
): Promise<void> {
  if (!(await vouches(tx, rule.issuer))) {
    const message = `names no issuer that is trusted for workloads: "${rule.issuer}"`;
    throw invalid({ path: [...at, 'issuer'], message });
  }
  const alike = await tx
    .select()
    .from(credentials)
    .where(
      and(
        eq(credentials.kind, 'workload'),
        isNull(credentials.removedAt),
        eq(sql`${credentials.rule} ->> 'issuer'`, rule.issuer),
        eq(sql`${credentials.rule} ->> 'subject'`, rule.subject),
      ),
    );
  for (const other of alike) {
    if (!isSame(other.rule, rule)) continue;
    throw conflict(
      at,
      other.principal === principal
        ? 'is already registered'
        : 'is another principal’s: a workload proves one identity only',
    );
  }
}
