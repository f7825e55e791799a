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
    if (issue.code !== 'unrecognized_keys') return [{ path, message: issue.message }];
    return issue.keys.map((key) => ({ path: [...path, key], message: issue.message }));
  });
}
