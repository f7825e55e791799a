/**
 * Pages of a list. A cursor is nothing but the last key of the page before, encoded: forging one
 * only chooses where to start (P12, P14).
 */
import { type AnyColumn, type SQL, sql } from 'drizzle-orm';
import { z } from 'zod';
import { invalid } from './refusal.js';

export const PAGE_DEFAULT = 50;
export const PAGE_MAX = 200;

export interface PageRequest {
  readonly cursor?: string | undefined;
  readonly limit?: number | undefined;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** `null` on the last page. */
  readonly nextCursor: string | null;
}

/** Query parameters of every list. */
export const pageFields = {
  cursor: z.string().max(1500).optional(),
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).optional(),
};

/** The key to start after, and how many rows to ask for (one more than the page, to know the end). */
export function pageBounds(request: PageRequest): { after: string; take: number } {
  const take = Math.min(request.limit ?? PAGE_DEFAULT, PAGE_MAX) + 1;
  if (request.cursor === undefined) return { after: '', take };
  const after = Buffer.from(request.cursor, 'base64url').toString('utf8');
  const genuine = Buffer.from(after, 'utf8').toString('base64url') === request.cursor;
  if (!genuine || after === '' || after.includes('\0')) {
    throw invalid({ path: ['cursor'], message: 'is not a cursor of this list' });
  }
  return { after, take };
}

export function pageOf<Item>(
  rows: readonly Item[],
  take: number,
  key: (item: Item) => string,
): Page<Item> {
  const items = rows.slice(0, take - 1);
  const last = items.at(-1);
  const more = rows.length >= take && last !== undefined;
  return { items, nextCursor: more ? Buffer.from(key(last), 'utf8').toString('base64url') : null };
}

/** Part of a name, whatever its case; no character of it is a pattern. */
export const nameHas = (column: AnyColumn, part: string): SQL =>
  sql`strpos(lower(${column}), lower(${part}::text)) > 0`;
