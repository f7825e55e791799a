/** Column kinds used everywhere, so that time and id mean the same thing in every table. */
import { text, timestamp } from 'drizzle-orm/pg-core';

/** Milliseconds, with time zone; the database's clock is the one that counts. */
export const instant = (name: string) =>
  timestamp(name, { withTimezone: true, precision: 3, mode: 'date' });

export const createdAt = () => instant('created_at').notNull().defaultNow();

/** A list of short strings; never null. */
export const textList = (name: string) => text(name).array().notNull().default([]);
