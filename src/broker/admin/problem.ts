/** RFC 9457 problem documents: what is wrong, with which field, and nothing about our insides. */
import type { Context } from 'koa';
import { OAuthError } from '../../protocol/index.js';
import { isUnavailable } from '../db/database.js';
import { isRefusal, type RefusalKind } from '../registry/refusal.js';
import { toSnake } from './operation.js';
import { missingScope } from './scopes.js';

export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly detail?: string | undefined;
  /** Field names as the wire has them. */
  readonly errors?: ReadonlyArray<{ readonly field: string; readonly message: string }>;
}

const STATUS: Record<RefusalKind, readonly [number, string]> = {
  invalid: [400, 'The request is not valid'],
  not_found: [404, 'There is no such thing'],
  conflict: [409, 'The request conflicts with what there is'],
};

/** Only the first part is a field of ours, unless it is told as written; below it may be names somebody chose. */
const fieldName = ([first = '', ...rest]: ReadonlyArray<string | number>): string => {
  const name = String(first);
  return [name.endsWith(' ') ? name.trimEnd() : toSnake(name), ...rest].join('.');
};

/** An error that is its own answer. */
export const httpProblem = (status: number, title: string): Error =>
  Object.assign(new Error(title), { problem: { status, title } satisfies Problem });

/** Undefined for what nobody foresaw: the boundary answers and logs that. */
export function problemOf(error: unknown): Problem | undefined {
  if (error instanceof Error && 'problem' in error) return error.problem as Problem;
  const scope = missingScope(error);
  if (scope !== undefined) return { status: 403, title: `This needs ${scope}` };
  if (isRefusal(error)) {
    const [status, title] = STATUS[error.refusal];
    const fields = error.problems.filter(({ path }) => path.length > 0);
    const errors = fields.map(({ path, message }) => ({ field: fieldName(path), message }));
    const [general] = error.problems.filter(({ path }) => path.length === 0);
    return { status, title, detail: general?.message, ...(errors.length > 0 ? { errors } : {}) };
  }
  if (error instanceof OAuthError) {
    return { status: error.status, title: error.description };
  }
  if (isUnavailable(error)) return { status: 503, title: 'The server cannot answer now' };
  return undefined;
}

export function sendProblem(ctx: Context, problem: Problem): void {
  ctx.status = problem.status;
  if (problem.status === 503) ctx.set('Retry-After', '1');
  ctx.body = { type: 'about:blank', ...problem };
  ctx.type = 'application/problem+json';
}
