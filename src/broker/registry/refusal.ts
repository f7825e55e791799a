/**
 * Why the registry says no: a kind, and the fields that are wrong. The API, the world file and the
 * CLI each tell it in their own way; services only throw it. Nothing here knows HTTP.
 */
import type { z } from 'zod';

export type FieldPath = ReadonlyArray<string | number>;

export interface FieldProblem {
  /** Where in the input, in the services' own names (camelCase). */
  readonly path: FieldPath;
  readonly message: string;
}

export type RefusalKind = 'invalid' | 'not_found' | 'conflict';

export interface Refusal extends Error {
  readonly refusal: RefusalKind;
  readonly problems: readonly FieldProblem[];
}

const refuse = (refusal: RefusalKind, problems: readonly FieldProblem[]): Refusal => {
  const message = problems
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')} ${message}`))
    .join('; ');
  return Object.assign(new Error(message), { name: 'Refusal', refusal, problems });
};

export const invalid = (...problems: readonly FieldProblem[]): Refusal =>
  refuse('invalid', problems);

export const notFound = (noun: string, id: string): Refusal =>
  refuse('not_found', [{ path: [], message: `there is no ${noun} "${id}"` }]);

export const conflict = (path: FieldPath, message: string): Refusal =>
  refuse('conflict', [{ path, message }]);

export const isRefusal = (error: unknown): error is Refusal =>
  error instanceof Error && 'refusal' in error && 'problems' in error;

/** Throws the problems found, if any. */
export function throwIfAny(problems: readonly FieldProblem[]): void {
  if (problems.length > 0) throw invalid(...problems);
}

/** Every zod issue as the field it is about; an unknown field is named itself. */
export function problemsOf(error: z.ZodError): FieldProblem[] {
  return error.issues.flatMap((issue): FieldProblem[] => {
    const path = issue.path.map((part) => (typeof part === 'number' ? part : String(part)));
    if (issue.code !== 'unrecognized_keys') return [{ path, message: inWords(issue) }];
    return issue.keys.map((key) => ({ path: [...path, key], message: issue.message }));
  });
}

const KINDS: Readonly<Record<string, string>> = { int: 'whole number', record: 'object' };
const BOUNDS: Readonly<Record<string, string>> = {
  '>=': 'at least',
  '>': 'more than',
  '<=': 'at most',
  '<': 'less than',
};

/** What zod says when a schema has no words of its own, as what to do about it. */
function inWords({ message }: z.core.$ZodIssue): string {
  const [, expected = '', received] =
    /^Invalid input: expected (\w+), received (\w+)$/.exec(message) ?? [];
  if (received === 'undefined') return 'is required';
  const kind = KINDS[expected] ?? expected;
  if (kind !== '') return `must be ${/^[aeio]/.test(kind) ? 'an' : 'a'} ${kind}`;
  const bounded = /^Too (?:small|big): expected .*?([<>]=?)(\S+)(?: (\w+))?$/.exec(message);
  if (bounded === null) return message;
  const [, sign = '', bound, unit] = bounded;
  if (unit !== undefined && sign === '>=' && bound === '1') return 'must not be empty';
  const limit = `${BOUNDS[sign]} ${bound}`;
  return unit === undefined ? `must be ${limit}` : `must have ${limit} ${unit}`;
}
