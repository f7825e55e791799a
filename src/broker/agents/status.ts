/**
 * Steps between the states of an agent: the row, the fact that stops its tokens and the event, in
 * the caller's transaction. Which step does what stands in `policy.ts`.
 */
import type { CredentialSteps } from '../clients/credentials.js';
import { type Change, databaseNow } from '../registry/change.js';
import { conflict, invalid } from '../registry/refusal.js';
import type { Ended } from '../revocation/receipt.js';
import { factTime } from '../revocation/store.js';
import { type AgentFact, type AgentState, agentStep, needsReason } from './policy.js';
import type { AgentStatus } from './schema.js';
import { type AgentRow, updateAgent } from './store.js';

interface StatusDeps {
  readonly credentials: Pick<CredentialSteps, 'removeAll'>;
}

export interface StatusChange {
  readonly agent: AgentRow;
  readonly changed: boolean;
}

/** A status as an operator asks for it: who is stopped is told why. */
export function setStatus(
  deps: StatusDeps,
  change: Change,
  row: AgentRow,
  { status, reason }: AgentStatus,
): Promise<StatusChange> {
  if (needsReason(status) && reason === undefined) {
    throw invalid({ path: ['reason'], message: 'must say why' });
  }
  return step(deps, change, row, status, reason);
}

/** The last step of all; a plain DELETE carries no reason. */
export const retire = (deps: StatusDeps, change: Change, row: AgentRow): Promise<StatusChange> =>
  step(deps, change, row, 'retired', undefined);

async function step(
  deps: StatusDeps,
  change: Change,
  row: AgentRow,
  to: AgentState,
  reason: string | undefined,
): Promise<StatusChange> {
  const from = row.status as AgentState;
  const same = to === from && (!needsReason(to) || row.statusReason === (reason ?? null));
  if (same && to !== 'retired') return { agent: row, changed: false };
  const step = agentStep(from, to);
  if (step === undefined) {
    throw from === 'retired'
      ? conflict(['id'], `${row.id} is retired`)
      : conflict(['status'], `cannot become ${to}: ${row.id} is ${from}`);
  }
  const agent = await updateAgent(change.tx, row.id, {
    status: to,
    statusReason: reason ?? null,
    statusBy: change.by,
    statusAt: databaseNow,
  });
  // Since when is said last: nothing decided on what was before is newer (DESIGN §5).
  if (step.ends) {
    change.whenClosed(async () => {
      await updateAgent(change.tx, row.id, { notBefore: databaseNow });
    });
  }
  if (to === 'retired') await deps.credentials.removeAll(change, { noun: 'agent', id: row.id });
  await tell(change, row, to, step.fact, reason ?? `agent ${to}`);
  await change.recordStop({
    type: step.event,
    agentId: row.id,
    detail: {
      noun: 'agent',
      id: row.id,
      name: row.name,
      ...(reason === undefined ? {} : { reason }),
    },
  });
  return { agent, changed: true };
}

/**
 * The newest fact about a key is the one that counts. Resuming keeps the time of the pause's own fact,
 * which was stamped when the gate was closed: the row's time is older, and a token may be between.
 */
async function tell(
  change: Change,
  row: AgentRow,
  to: AgentState,
  fact: AgentFact,
  reason: string,
): Promise<void> {
  if (fact === 'none') return;
  const key = row.id;
  if (fact === 'all') {
    change.stop({ key, always: true, reason, ends: endOf(row, to) });
    return;
  }
  if (fact === 'before_now') {
    change.stop({ key, always: false, reason });
    return;
  }
  const at = await factTime(change.tx, key);
  // Forgotten: nothing from before the pause can be alive.
  if (at !== undefined) change.stop({ key, always: false, reason, at });
}

/** For the receipt: a pause lets grants wait, a block ends them, history ends consents too. */
const endOf = ({ id, notBefore: since }: AgentRow, to: AgentState): Ended => ({
  kind: 'agent',
  id,
  since,
  reach: to === 'paused' ? 'tokens' : to === 'blocked' ? 'grants' : 'consents',
});
