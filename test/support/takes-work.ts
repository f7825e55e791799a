// The edge that most tests of exchanges need: the other agent takes work from the first.
import { eq, sql } from 'drizzle-orm';
import { agents, policyEpoch } from '../../schema/index.js';
import type { Database } from '../../src/broker/db/database.js';
import { AGENT, OTHER_AGENT } from './world.js';

/** As an operator would allow it; the epoch makes every process see it. */
export async function letTakeWork({ orm }: Pick<Database, 'orm'>): Promise<void> {
  await orm
    .update(agents)
    .set({ takesWorkFrom: [AGENT] })
    .where(eq(agents.id, OTHER_AGENT));
  await orm.update(policyEpoch).set({ epoch: sql`epoch + 1` });
}
