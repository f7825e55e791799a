/** What happened (audit, which is also the registry of issued tokens) and what was stopped. */
import { sql } from 'drizzle-orm';
import {
  bigint,
  bigserial,
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  serial,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import { instant } from './columns.js';

/** Append-only. A token exists only if its `token.issued` row does. */
export const auditEvents = pgTable(
  'audit_events',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    at: instant('at').notNull().default(sql`clock_timestamp()`),
    type: text('type').notNull(),
    /** Who caused it: an id, `admin`, or `system`. */
    by: text('by'),
    jti: text('jti'),
    sub: text('sub'),
    agentId: text('agent_id'),
    clientId: text('client_id'),
    resource: text('resource'),
    grantId: text('grant_id'),
    requestId: text('request_id'),
    detail: jsonb('detail').$type<Record<string, unknown>>().notNull().default({}),
    /** The chain it is a link of, and its place in it. Written by `behalf_record` only. */
    chain: integer('chain').notNull(),
    seq: bigint('seq', { mode: 'number' }).notNull(),
    /** On the last event written together: SHA-256 (hex) over the link before and all of them. */
    hash: text('hash'),
  },
  (t) => [
    uniqueIndex('audit_chain_seq').on(t.chain, t.seq),
    uniqueIndex('audit_issued_jti').on(t.jti).where(sql`type = 'token.issued'`),
    index('audit_at').on(t.at),
    index('audit_sub').on(t.sub),
    index('audit_agent').on(t.agentId),
    index('audit_grant').on(t.grantId),
    // When an agent was last described otherwise: among everything it ever did, a few rows.
    index('audit_agent_changed').on(t.agentId, t.at).where(sql`type = 'registry.changed'`),
    // What was exchanged from a token, for the receipt of its end: few have one.
    index('audit_parent')
      .on(sql`(${t.detail} ->> 'parent')`)
      .where(sql`${t.detail} ->> 'parent' is not null`),
  ],
);

/**
 * Heads of the audit's hash chains. A transaction takes one that nobody holds, so that writers never
 * wait for each other: there are as many as there were writers at once.
 */
export const auditChains = pgTable('audit_chains', {
  id: serial('id').primaryKey(),
  seq: bigint('seq', { mode: 'number' }).notNull().default(0),
  head: text('head').notNull().default(''),
});

/** Signed statements of how far every chain had come; each names the one before. */
export const auditCheckpoints = pgTable('audit_checkpoints', {
  n: bigint('n', { mode: 'number' }).primaryKey(),
  at: instant('at').notNull().default(sql`clock_timestamp()`),
  /** Compact JWS by a signing key. */
  jws: text('jws').notNull(),
});

/** A fact about a key. Ids are assigned under the gate's exclusive lock, so their order is the truth. */
export const revocations = pgTable(
  'revocations',
  {
    id: bigserial('id', { mode: 'number' }).primaryKey(),
    key: text('key').notNull(),
    revokedAt: instant('revoked_at').notNull(),
    /** Stops everything under the key, whenever issued: a path, a `kid`, or a block. */
    always: boolean('always').notNull(),
    /** Set when a block is lifted: the fact stays for what was issued before. */
    until: instant('until').notNull(),
    reason: text('reason').notNull(),
    by: text('by').notNull(),
  },
  (t) => [index('revocations_key').on(t.key), index('revocations_until').on(t.until)],
);

/**
 * What authenticated followers of the feed have applied: one row for each step they took, so that a
 * receipt can say since when. `at` is when the position was reached, `seenAt` when last heard of.
 */
export const feedFollowers = pgTable(
  'feed_followers',
  {
    clientId: text('client_id').notNull(),
    resource: text('resource').notNull(),
    /** One process of a resource server; several may share a client. */
    instance: text('instance').notNull(),
    /** Every fact up to this one is applied. */
    position: bigint('position', { mode: 'number' }).notNull(),
    at: instant('at').notNull().default(sql`clock_timestamp()`),
    seenAt: instant('seen_at').notNull().default(sql`clock_timestamp()`),
  },
  (t) => [
    primaryKey({ columns: [t.clientId, t.resource, t.instance, t.position] }),
    index('feed_followers_seen').on(t.seenAt),
  ],
);
