/** Clients that came by themselves (RFC 7591, client ID metadata documents), and whom else we believe. */
import { sql } from 'drizzle-orm';
import { index, jsonb, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { createdAt, instant, textList } from './columns.js';

/** A client that registered itself; its row among the clients is what decisions are made from. */
export const clientRegistrations = pgTable(
  'client_registrations',
  {
    clientId: text('client_id').primaryKey(),
    /** What it registered, as it is answered again (RFC 7591 §3.2.1). Never a secret. */
    metadata: jsonb('metadata').$type<Record<string, unknown>>().notNull(),
    /** SHA-256 of everything it said and by what right: the same again is the same client. */
    fingerprint: text('fingerprint').notNull(),
    /** SHA-256 of the registration access token (RFC 7592); each use of it may bring another. */
    tokenHash: text('token_hash'),
    /** The initial access token it came with. */
    initialTokenId: text('initial_token_id'),
    /** Hash of the network it came from: quotas count by it. */
    networkHash: text('network_hash'),
    createdAt: createdAt(),
    /** Last seen at the authorization or token endpoint; null: never used. */
    lastUsedAt: instant('last_used_at'),
    /** An unused one is gone from then on; null: it was used. */
    expiresAt: instant('expires_at'),
    deletedAt: instant('deleted_at'),
  },
  (t) => [
    uniqueIndex('client_registrations_live').on(t.fingerprint).where(sql`deleted_at is null`),
    index('client_registrations_network').on(t.networkHash, t.createdAt),
    index('client_registrations_expires').on(t.expiresAt).where(sql`deleted_at is null`),
  ],
);

/** RFC 7591 §3: lets somebody register one client, once. */
export const initialAccessTokens = pgTable('initial_access_tokens', {
  id: text('id').primaryKey(),
  /** SHA-256 of a 256-bit random token, hex. */
  tokenHash: text('token_hash').notNull().unique(),
  /** What operators call it. */
  name: text('name'),
  createdAt: createdAt(),
  createdBy: text('created_by'),
  expiresAt: instant('expires_at').notNull(),
  usedAt: instant('used_at'),
  /** The client it was used for. */
  usedBy: text('used_by'),
  removedAt: instant('removed_at'),
});

/** A client ID metadata document as it was last fetched and accepted: the kept snapshot. */
export const clientDocuments = pgTable('client_documents', {
  /** The client id. */
  url: text('url').primaryKey(),
  document: jsonb('document').$type<Record<string, unknown>>().notNull(),
  /** SHA-256 of what of it was accepted. */
  hash: text('hash').notNull(),
  fetchedAt: instant('fetched_at').notNull(),
  /** Not fetched again before then; what its server allows, within our bounds. */
  freshUntil: instant('fresh_until').notNull(),
});

/** Others whose signed word we take, each for what it is trusted with and nothing else. */
export const trustedIssuers = pgTable('trusted_issuers', {
  /** Exact `iss`. */
  issuer: text('issuer').primaryKey(),
  name: text('name').notNull(),
  /** software_statement | id_jag | workload | attestation */
  purposes: textList('purposes'),
  /** Its public keys, or where they are. */
  jwks: jsonb('jwks').$type<{ readonly keys: readonly Record<string, unknown>[] }>(),
  jwksUri: text('jwks_uri'),
  /** What each purpose needs besides, by its name (`trust/schema.ts`). */
  rules: jsonb('rules').$type<Record<string, unknown>>().notNull().default({}),
  /** active | retired */
  status: text('status').notNull().default('active'),
  notBefore: instant('not_before').notNull().default(sql`'epoch'`),
  createdAt: createdAt(),
});

/** Whom another issuer means by a subject. */
export const userIdentities = pgTable(
  'user_identities',
  {
    issuer: text('issuer').notNull(),
    subject: text('subject').notNull(),
    userId: text('user_id').notNull(),
    createdAt: createdAt(),
    createdBy: text('created_by'),
  },
  (t) => [
    primaryKey({ columns: [t.issuer, t.subject] }),
    index('user_identities_user').on(t.userId),
  ],
);
