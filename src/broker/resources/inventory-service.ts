/**
 * Tool inventories: published by a resource's own server, compared with the registration, accepted by
 * operators. What changes is one transaction with one audit event; the same said again costs a read
 * and a write.
 */
import { record } from '../audit/store.js';
import type { Database, Executor } from '../db/database.js';
import { type Change, isSame, widening } from '../registry/change.js';
import { conflict, invalid, notFound } from '../registry/refusal.js';
import {
  afterMapping,
  afterPublication,
  inventoryChanges,
  isDrift,
  type MappedTools,
  reportOf,
  type ToolHashes,
  type ToolReport,
} from './inventory.js';
import {
  findInventory,
  type InventoryRow,
  keepInventory,
  lockInventory,
  openInventory,
  saveInventory,
  touchInventory,
} from './inventory-store.js';
import { findResource, type ResourceRow } from './store.js';

/** Names of tools in one audit event. */
const NAMED_MAX = 100;

export interface ToolsReport {
  readonly resource: string;
  /** Null: its server has never said anything. */
  readonly publishedAt: Date | null;
  readonly publishedBy: string | null;
  /** How many tools are new, changed or removed. */
  readonly drift: number;
  readonly items: readonly ToolReport[];
}

async function requireLive(db: Executor, identifier: string): Promise<ResourceRow> {
  const row = await findResource(db, identifier);
  if (row === undefined) throw notFound('resource', identifier);
  if (row.status === 'retired') throw conflict(['identifier'], `${identifier} is retired`);
  return row;
}

/**
 * @param known the resource as it was a moment ago: enough to see that nothing new is said
 * @throws Refusal when there is no such resource in use
 */
export async function publishInventory(
  { db, now: clock }: { readonly db: Database; readonly now: () => number },
  by: string,
  known: Pick<ResourceRow, 'identifier' | 'tools'>,
  hashes: ToolHashes,
): Promise<void> {
  const { identifier: resource } = known;
  const said = await findInventory(db.orm, resource);
  const now = new Date(clock()).toISOString();
  const again = said && isSame(afterPublication(said.tools, hashes, known.tools, now), said.tools);
  if (again === true) return touchInventory(db.orm, resource, by);
  // No change of the registry: nothing that decides is touched, and no cache has to start anew.
  await db.transaction(async (tx) => {
    await openInventory(tx, resource, by);
    const before = (await lockInventory(tx, resource))?.tools ?? {};
    const { tools: mapped, name } = await requireLive(tx, resource);
    const after = afterPublication(before, hashes, mapped, now);
    await saveInventory(tx, resource, after, by);
    const changes = inventoryChanges(before, after);
    const event = eventOf({ resource, name, field: 'tool_inventory', ...changes });
    await record(tx, { ...event, by });
  });
}

interface InventoryEvent extends Partial<ReturnType<typeof inventoryChanges>> {
  readonly resource: string;
  readonly name: string;
  readonly field: string;
}

function eventOf({ resource, name, field, ...changes }: InventoryEvent) {
  const named = Object.entries(changes).filter(([, tools]) => tools.length > 0);
  const lists = named.map(([what, tools]) => [what, tools.slice(0, NAMED_MAX)]);
  const detail = { noun: 'resource', id: resource, name, fields: [field] };
  return {
    type: 'registry.changed',
    resource,
    detail: { ...detail, ...Object.fromEntries(lists) },
  } as const;
}

/** For a change of what tools need: the tools it maps are seen as they are published now. */
export async function noteMapping(
  change: Change,
  resource: string,
  before: MappedTools,
  after: MappedTools,
): Promise<void> {
  const said = await lockInventory(change.tx, resource);
  if (said === undefined) return;
  const tools = afterMapping(said.tools, before, after);
  if (!isSame(tools, said.tools)) await keepInventory(change.tx, resource, tools);
}

/** @throws Refusal when there is no such resource */
export async function reportTools(db: Executor, identifier: string): Promise<ToolsReport> {
  const row = await findResource(db, identifier);
  if (row === undefined) throw notFound('resource', identifier);
  return toolsReport(row, await findInventory(db, identifier));
}

export function toolsReport(
  { identifier, tools }: Pick<ResourceRow, 'identifier' | 'tools'>,
  said: InventoryRow | undefined,
): ToolsReport {
  const items = reportOf(tools, said?.tools);
  return {
    resource: identifier,
    publishedAt: said?.publishedAt ?? null,
    publishedBy: said?.publishedBy ?? null,
    drift: items.filter(isDrift).length,
    items,
  };
}

/**
 * An operator has seen a changed tool, as exactly this definition.
 *
 * @throws Refusal when it is not mapped, or is another one meanwhile
 */
export const acceptTool = (
  db: Database,
  by: string,
  identifier: string,
  { tool, schemaHash }: { readonly tool: string; readonly schemaHash: string },
): Promise<ToolsReport> =>
  widening(db, by, async (change) => {
    const { tools: mapped, name } = await requireLive(change.tx, identifier);
    const inventory = (await lockInventory(change.tx, identifier))?.tools ?? {};
    const was = Object.hasOwn(inventory, tool) ? inventory[tool] : undefined;
    if (!Object.hasOwn(mapped, tool))
      throw invalid({ path: ['tool'], message: `is not mapped: "${tool}"` });
    if (was === undefined || was.hash !== schemaHash)
      throw conflict(['schemaHash'], `is not what ${tool} is now: look at it again`);
    if (was.accepted !== schemaHash) {
      const tools = { ...inventory, [tool]: { ...was, accepted: schemaHash } };
      await keepInventory(change.tx, identifier, tools);
      const field = 'accepted_tools';
      await change.record(eventOf({ resource: identifier, name, field, added: [tool] }));
    }
    return reportTools(change.tx, identifier);
  });
