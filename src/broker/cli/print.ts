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
  if (items === undefined) {
    const entries = Object.entries(answer as Record<string, unknown>);
    return entries.map(([name, value]) => `${name.padEnd(18)} ${text(value)}`);
  }
  if (items.length === 0) return ['none'];
  const columns = wanted ?? Object.keys(items[0] ?? {});
  const rows = [columns, ...items.map((item) => columns.map((name) => text(item[name])))];
  const widths = columns.map((_name, at) => Math.max(...rows.map((row) => (row[at] ?? '').length)));
  const padded = (row: readonly string[]) => row.map((cell, at) => cell.padEnd(widths[at] ?? 0));
  const more = typeof next === 'string' ? [`more: --cursor ${next}`] : [];
  return [...rows.map((row) => padded(row).join('  ').trimEnd()), ...more];
}

/** One value, one line. */
export const printLine = (value: unknown): void => {
  process.stdout.write(`${safeJson(value)}\n`);
};
