// Figures beside their goals (DESIGN §13). A goal that is missed is shown as missed, and fails nothing:
// the machine may be busy, and a number is for somebody to look at.

export interface Figure {
  readonly what: string;
  readonly value: number;
  /** Shown after the value: `×`, `MB`, `ms`. */
  readonly unit: string;
  /** `atLeast` or `atMost` of DESIGN §13, where it has one. */
  readonly atLeast?: number;
  readonly atMost?: number;
}

const isMissed = ({ value, atLeast = -Infinity, atMost = Infinity }: Figure): boolean =>
  !(value >= atLeast && value <= atMost);

/** 1.234 → `1.23`, 45.6 → `46`, 12345 → `12345`. */
const digits = (value: number): string =>
  Math.abs(value) < 10 ? value.toFixed(2) : Math.round(value).toString();

function goalOf({ atLeast, atMost, unit }: Figure): string {
  if (atLeast !== undefined) return `≥ ${atLeast} ${unit}`;
  return atMost === undefined ? '' : `≤ ${atMost} ${unit}`;
}

/** A section of the report, in columns. */
export function tableOf(title: string, figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.what,
    `${digits(figure.value)} ${figure.unit}`,
    goalOf(figure),
    goalOf(figure) === '' ? '' : isMissed(figure) ? 'missed' : 'met',
  ]);
  const widths = [0, 1, 2].map((n) => Math.max(...rows.map((row) => row[n]?.length ?? 0)));
  const lines = rows.map((row) =>
    row
      .map((cell, n) => (n === 1 ? cell.padStart(widths[n] ?? 0) : cell.padEnd(widths[n] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
  return [title, ...lines.map((line) => `  ${line}`)].join('\n');
}
