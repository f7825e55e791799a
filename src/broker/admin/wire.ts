/**
 * Names on the wire and in the services: snake_case there, camelCase here, at every depth at which
 * the fields are ours. Names somebody chose (scopes, tools) and names of other specifications (the
 * members of a JWK) stay as they are.
 */
import { z } from 'zod';
import type { FieldPath } from '../registry/refusal.js';

/** snake_case ↔ camelCase of one name. */
export const toSnake = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
export const toCamel = (name: string): string =>
  name.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());

/** Marks a name that is told as it was written; no field of ours ends in a space. */
export const asWritten = (name: string): string => `${name} `;

/** A schema without what is wrapped around it. */
function bare(schema: unknown): unknown {
  let inner = schema;
  while (
    inner instanceof z.ZodOptional ||
    inner instanceof z.ZodNullable ||
    inner instanceof z.ZodDefault
  ) {
    inner = inner.unwrap();
  }
  return inner;
}

/** The fields of an object, or of everything it may be; undefined for what has none of ours. */
function shapeOf(schema: unknown): Readonly<Record<string, unknown>> | undefined {
  if (schema instanceof z.ZodObject) return schema.shape;
  if (!(schema instanceof z.ZodUnion)) return undefined;
  const shapes = schema.options.flatMap((option) => shapeOf(bare(option)) ?? []);
  return shapes.length === 0 ? undefined : Object.assign({}, ...shapes);
}

/** What a schema says of one member of a value. */
function memberOf(schema: unknown, name: string | number): unknown {
  const inner = bare(schema);
  if (inner instanceof z.ZodRecord) return inner.valueType;
  return inner instanceof z.ZodArray ? inner.element : shapeOf(inner)?.[name];
}

/**
 * A body in the services' names. A field of ours that is not written in snake_case keeps its name
 * and is refused as unknown: there is one spelling on the wire.
 */
export function fromWire(schema: unknown, value: unknown): unknown {
  const inner = bare(schema);
  if (Array.isArray(value)) return value.map((one, n) => fromWire(memberOf(inner, n), one));
  if (typeof value !== 'object' || value === null) return value;
  const shape = shapeOf(inner);
  const entries = Object.entries(value).map(([name, member]) => {
    const own = shape === undefined ? name : ownName(shape, name);
    return [own, fromWire(memberOf(inner, own), member)] as const;
  });
  return Object.fromEntries(entries);
}

function ownName(shape: object, name: string): string {
  if (/[A-Z]/.test(name)) return asWritten(name);
  return Object.hasOwn(shape, name) ? name : toCamel(name);
}

/** Where a problem is, below its first field, in the names of the wire. */
export function wirePath(schema: unknown, path: FieldPath): FieldPath {
  let at: unknown = schema;
  return path.map((part, depth) => {
    const isOurs = depth > 0 && typeof part === 'string' && shapeOf(bare(at)) !== undefined;
    at = memberOf(at, part);
    if (!isOurs) return part;
    return part.endsWith(' ') ? part.trimEnd() : toSnake(part);
  });
}

/** A row's own fields as the wire has them; instants as ISO 8601. */
export function toWire(
  row: Readonly<Record<string, unknown>>,
  fields: readonly string[],
): Record<string, unknown> {
  const entries = fields.map((field) => {
    const value = row[toCamel(field)];
    return [field, value instanceof Date ? value.toISOString() : (value ?? null)] as const;
  });
  return Object.fromEntries(entries);
}
