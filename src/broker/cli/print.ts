/** Output: for people by default, JSON always on request. */
import { safeJson, safeText } from '../audit/safe-text.js';

/** A token has to fit. */
const LINE_CHARS_MAX = 20_000;

const text = (value: unknown): string => {
  if (value === null || value === undefined || value === '') return '–';
  if (Array.isArray(value)) return value.map(text).join(' ') || '–';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
};

const write = (lines: readonly string[]): void => {
  process.stdout.write(`${lines.map((line) => safeText(line, LINE_CHARS_MAX)).join('\n')}\n`);
};

/** A page as a table of some columns, an object as names and values. */
export function print(
  answer: unknown,
  options: { readonly json: boolean; readonly columns?: readonly string[] },
): void {
  if (options.json) {
    process.stdout.write(`${safeJson(answer ?? null, 2)}\n`);
    return;
  }
  write(linesOf(answer, options.columns));
}

export function linesOf(answer: unknown, wanted?: readonly string[]): string[] {
  if (answer === undefined || answer === null) return ['done'];
  const { items, next_cursor: next } = answer as {
    items?: Record<string, unknown>[];
    next_cursor?: string | null;
  };
  if (items === undefined) return Object.entries(answer as object).flatMap(linesOfEntry);
  if (items.length === 0) return ['none'];
  const columns = wanted ?? Object.keys(items[0] ?? {});
  const rows = [columns, ...items.map((item) => columns.map((name) => text(item[name])))];
  const widths = columns.map((_name, at) => Math.max(...rows.map((row) => (row[at] ?? '').length)));
  const padded = (row: readonly string[]) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0));
  const more = typeof next === 'string' ? [`more: --cursor ${next}`] : [];
  return [...rows.map((row) => padded(row).join('  ').trimEnd()), ...more];
}

/** What is in a value stands under its name, and each thing of a list in a line of its own. */
function linesOfEntry([name, value]: readonly [string, unknown]): string[] {
  if (isThing(value)) {
    const parts = Object.entries(value).flatMap(linesOfEntry);
    return parts.length === 0 ? [line(name, '–')] : [name, ...parts.map((part) => `  ${part}`)];
  }
  if (!Array.isArray(value) || !value.some(isThing)) return [line(name, text(value))];
  return value.map((one) => line(name, text(one)));
}

const line = (name: string, value: string): string => `${name.padEnd(18)} ${value}`;
const isThing = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** One value, one line. */
export const printLine = (value: unknown): void => {
  process.stdout.write(`${safeJson(value)}\n`);
};
