/**
 * Workloads of the agents and services of a world file: which platform's tokens prove them. Looked at when
 * the platforms are there; all that are gone are removed before any is added, so that one may move.
 */
import type { WorkloadRule } from '../clients/credential-schema.js';
import type { CredentialOwner } from '../clients/credentials.js';
import { isSame } from '../registry/change.js';
import { invalid, isRefusal } from '../registry/refusal.js';
import type { WorldAgent, WorldClient } from './schema.js';
import type { Outcome, Run } from './steps.js';

type Entry = Pick<WorldAgent | WorldClient, 'id' | 'workloads'> & { readonly status?: unknown };

const ownerOf = ({ id }: Entry): CredentialOwner => ({
  noun: id.startsWith('agt_') ? 'agent' : 'client',
  id,
});

async function known({ registry, change }: Run, { id }: Entry) {
  const all = await registry.credentials.list(change.tx, id);
  return all.flatMap((one) => (one.kind === 'workload' ? [{ id: one.id, rule: one.rule }] : []));
}

const rulesOf = (some: readonly { readonly rule?: unknown }[]) => some.map(({ rule }) => rule);

/** Without a list they are left alone. */
export async function dropWorkloads(run: Run, entry: Entry): Promise<Outcome> {
  const { workloads } = entry;
  if (workloads === undefined || entry.status === 'retired') return [];
  const before = await known(run, entry);
  const isWanted = ({ rule }: { readonly rule?: unknown }): boolean =>
    workloads.some((one) => isSame(one, rule));
  for (const one of before.filter((some) => !isWanted(some))) {
    await run.registry.credentials.remove(run.change, ownerOf(entry), one.id);
  }
  return drift(rulesOf(before), rulesOf(before.filter(isWanted)));
}

export async function addWorkloads(run: Run, entry: Entry): Promise<Outcome> {
  const { workloads = [] } = entry;
  if (entry.status === 'retired') return [];
  const before = rulesOf(await known(run, entry));
  const fresh = (rule: WorkloadRule): boolean => !before.some((one) => isSame(one, rule));
  for (const [index, rule] of workloads.entries()) {
    if (!fresh(rule)) continue;
    const input = { kind: 'workload', rule } as const;
    await run.registry.credentials.add(run.change, ownerOf(entry), input).catch(inList(index));
  }
  return drift(before, [...before, ...workloads.filter(fresh)]);
}

const drift = (from: readonly unknown[], to: readonly unknown[]): Outcome =>
  from.length === to.length ? [] : [{ field: 'workloads', from, to }];

const inList =
  (index: number) =>
  (error: unknown): never => {
    if (!isRefusal(error)) throw error;
    throw invalid(
      ...error.problems.map((one) => ({ ...one, path: ['workloads', index, ...one.path] })),
    );
  };
