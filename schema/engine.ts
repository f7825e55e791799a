/** What oidc-provider keeps (as hashes), signing keys, and the policy epoch. */
import { sql } from 'drizzle-orm';
import { bigint, index, integer, jsonb, pgTable, primaryKey, text } from 'drizzle-orm/pg-core';
import { createdAt, instant } from './columns.js';

/**
 * Codes, refresh tokens, sessions, interactions, pushed requests, replay markers. `id` is a hash of
 * model and value: the table yields no usable token.
 */
export const artifacts = pgTable(
  'artifacts',
  {
    model: text('model').notNull(),
    id: text('id').notNull(),
    payload: jsonb('payload').$type<Record<string, unknown>>().notNull(),
    grantId: text('grant_id'),
    /** Hash of a session's uid. */
    uid: text('uid'),
    consumedAt: instant('consumed_at'),
    /** Refresh grace: the answer given for this token, sealed under a key derived from it. */
    successorSealed: text('successor_sealed'),
    /** How often that answer was given again. */
    successorUses: integer('successor_uses').notNull().default(0),
    expiresAt: instant('expires_at').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.model, t.id] }),
    index('artifacts_grant').on(t.grantId),
    index('artifacts_uid').on(t.uid),
    index('artifacts_expires').on(t.expiresAt),
    index('artifacts_kept').on(t.consumedAt).where(sql`successor_sealed is not null`),
  ],
);

export const signingKeys = pgTable('signing_keys', {
  kid: text('kid').primaryKey(),
  alg: text('alg').notNull(),
  publicJwk: jsonb('public_jwk').$type<Record<string, unknown>>().notNull(),
  /** Encrypted under a key derived from BEHALF_SECRET. */
  privateSealed: text('private_sealed').notNull(),
  /** next (published, not used) | active (signs) | retiring (verifies only) | retired */
  state: text('state').notNull().default('active'),
  createdAt: createdAt(),
  /** When it became the one that signs. */
  activatedAt: instant('activated_at'),
  /** When its last token has run out: no longer published from then on. */
  retiresAt: instant('retires_at'),
  retiredReason: text('retired_reason'),
});

/** One row: two counters that move in the transactions they count. */
export const policyEpoch = pgTable('policy_epoch', {
  id: integer('id').primaryKey(),
  /** Every change that may alter a decision counts it up. */
  epoch: bigint('epoch', { mode: 'number' }).notNull(),
  /** Id of the newest revocation fact ever written: how far the feed has come. */
  lastFact: bigint('last_fact', { mode: 'number' }).notNull().default(0),
});
