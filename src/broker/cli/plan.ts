/** A plan of a world file, told to people: what each entry becomes, and what drifted from what. */
import { safeText } from '../audit/safe-text.js';

export interface PlanLine {
  readonly noun: string;
  readonly id: string;
  readonly action: string;
  readonly fields: readonly string[];
  readonly changes?: ReadonlyArray<{
    readonly field: string;
    readonly from?: unknown;
    readonly to?: unknown;
  }>;
}

const VALUE_CHARS_MAX = 300;

/** One line an entry, and below it one line a difference. */
export const describePlan = (plan: readonly PlanLine[]): string[] =>
  plan.flatMap(({ noun, id, action, changes = [] }) => [
    safeText(`${action.padEnd(10)} ${noun} ${id}`, VALUE_CHARS_MAX),
    ...changes.flatMap(describeChange),
  ]);

/** What is registered and the file does not name: told, and never touched. */
export interface LeftAlone {
  readonly unnamed?: ReadonlyArray<{ readonly noun: string; readonly id: string }>;
  readonly unnamed_left_out?: number;
}

export const describeUnnamed = ({ unnamed = [], unnamed_left_out: more = 0 }: LeftAlone) => {
  const lines = unnamed.map(({ noun, id }) =>
    safeText(`not in file   ${noun} ${id}`, VALUE_CHARS_MAX),
  );
  if (lines.length === 0) return [];
  const rest = more === 0 ? [] : [`not in file   ${more} more`];
  return [...lines, ...rest, 'What is not in the file is left alone: applying removes nothing.'];
};

type Change = NonNullable<PlanLine['changes']>[number];

function describeChange({ field, from, to }: Change): string[] {
  // A secret: that it differs is all there is to tell.
  if (from === undefined && to === undefined) return [`           ${field}`];
  if (!isRecord(from) || !isRecord(to)) return [line(field, from, to)];
  const names = [...new Set([...Object.keys(from), ...Object.keys(to)])];
  return names
    .filter((name) => JSON.stringify(from[name]) !== JSON.stringify(to[name]))
    .map((name) => line(`${field}.${name}`, from[name], to[name]));
}

const line = (field: string, from: unknown, to: unknown): string =>
  safeText(`           ${field}: ${told(from)} → ${told(to)}`, 2 * VALUE_CHARS_MAX + 200);

const told = (value: unknown): string =>
  value === undefined || value === null ? '–' : JSON.stringify(value).slice(0, VALUE_CHARS_MAX);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
