/**
 * What a resource's server says its tools are, beside what its registration says they need. Pure. It
 * decides nothing: a tool that is not mapped is refused, whatever is said of it here.
 */
import type { InventoriedTool } from '../../../schema/index.js';

export type Inventory = Readonly<Record<string, InventoriedTool>>;
/** tool → hash of its definition */
export type ToolHashes = Readonly<Record<string, string>>;
/** tool → scopes it needs */
export type MappedTools = Readonly<Record<string, readonly string[]>>;

export type ToolState =
  /** Mapped, and as it was when an operator mapped or accepted it. */
  | 'known'
  /** Published and not mapped: nobody can call it. */
  | 'new'
  /** Mapped, and another than the operator has seen. */
  | 'changed'
  /** Mapped and not there any more. */
  | 'removed'
  /** Mapped, and its server has never said anything. */
  | 'not_published';

export interface ToolReport {
  readonly tool: string;
  readonly state: ToolState;
  /** Null: not mapped. */
  readonly scopes: readonly string[] | null;
  readonly schemaHash: string | null;
  readonly acceptedHash: string | null;
  /** ISO 8601; null: its server has never said anything. */
  readonly since: string | null;
}

const own = <T>(record: Readonly<Record<string, T>>, name: string): T | undefined =>
  Object.hasOwn(record, name) ? record[name] : undefined;

/** The inventory after a server has said what it has: the first that is said of a mapped tool counts as seen. */
export function afterPublication(
  before: Inventory,
  hashes: ToolHashes,
  mapped: MappedTools,
  now: string,
): Inventory {
  const published = Object.entries(hashes).map(([tool, hash]): [string, InventoriedTool] => {
    const was = own(before, tool);
    const accepted = was?.accepted ?? (Object.hasOwn(mapped, tool) ? hash : null);
    return [tool, { hash, accepted, since: was?.hash === hash ? was.since : now }];
  });
  const gone = Object.entries(before)
    .filter(([tool]) => !Object.hasOwn(hashes, tool) && Object.hasOwn(mapped, tool))
    .map(([tool, was]): [string, InventoriedTool] => [
      tool,
      { hash: null, accepted: was.accepted, since: was.hash === null ? was.since : now },
    ]);
  return Object.fromEntries([...published, ...gone]);
}

/** The inventory after an operator has said what tools need: what is mapped now, was seen now. */
export function afterMapping(
  inventory: Inventory,
  before: MappedTools,
  after: MappedTools,
): Inventory {
  const entries = Object.entries(inventory).map(([tool, was]): [string, InventoriedTool] => {
    if (!Object.hasOwn(after, tool)) return [tool, { ...was, accepted: null }];
    return [tool, Object.hasOwn(before, tool) ? was : { ...was, accepted: was.hash }];
  });
  return Object.fromEntries(
    entries.filter(([tool, { hash }]) => hash !== null || Object.hasOwn(after, tool)),
  );
}

function stateOf(was: InventoriedTool | undefined, isMapped: boolean, isPublished: boolean) {
  if (!isMapped) return 'new';
  if (!isPublished) return 'not_published';
  if (was === undefined || was.hash === null) return 'removed';
  return was.hash === was.accepted ? 'known' : 'changed';
}

/** Every tool that is mapped or published, by name. `inventory` is undefined where nothing was said. */
export function reportOf(mapped: MappedTools, inventory: Inventory | undefined): ToolReport[] {
  const names = new Set([...Object.keys(mapped), ...Object.keys(inventory ?? {})]);
  return [...names].sort().map((tool) => {
    const was = own(inventory ?? {}, tool);
    const scopes = own(mapped, tool);
    return {
      tool,
      state: stateOf(was, scopes !== undefined, inventory !== undefined),
      scopes: scopes ?? null,
      schemaHash: was?.hash ?? null,
      acceptedHash: was?.accepted ?? null,
      since: was?.since ?? null,
    };
  });
}

export const isDrift = ({ state }: ToolReport): boolean =>
  state === 'new' || state === 'changed' || state === 'removed';

/** What one publication or acceptance changed, in names. */
export function inventoryChanges(before: Inventory, after: Inventory) {
  const there = (inventory: Inventory, tool: string) => own(inventory, tool)?.hash ?? null;
  const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort();
  const moved = names.filter((tool) => there(before, tool) !== there(after, tool));
  return {
    added: moved.filter((tool) => there(before, tool) === null),
    removed: moved.filter((tool) => there(after, tool) === null),
    altered: moved.filter((tool) => there(before, tool) !== null && there(after, tool) !== null),
  };
}
