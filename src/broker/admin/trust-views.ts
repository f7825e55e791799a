/** What administrators are shown of trusted issuers, and of whom they mean. */
import { identityViewSchema, trustedIssuerViewSchema } from '../trust/schema.js';
import { toSnake, toWire } from './wire.js';

type Row = Readonly<Record<string, unknown>>;

export const identityView = (row: object): Record<string, unknown> =>
  toWire(row as Row, Object.keys(identityViewSchema.shape));

/** Rules have names of ours below the first field. */
export function trustedIssuerView(row: object): Record<string, unknown> {
  const shown = toWire(row as Row, Object.keys(trustedIssuerViewSchema.shape));
  const rules = Object.entries(shown.rules as Record<string, object>);
  const told = rules.map(([purpose, rule]) => [toSnake(purpose), snakeNamed(rule)]);
  return { ...shown, rules: Object.fromEntries(told) };
}

const snakeNamed = (rule: object) =>
  Object.fromEntries(Object.entries(rule).map(([name, value]) => [toSnake(name), value]));

export { identityViewSchema, trustedIssuerViewSchema };
