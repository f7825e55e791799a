/** Who exists: agents, clients, users, their credentials, roles and permissions. */
import { sql } from 'drizzle-orm';
import { index, integer, jsonb, pgTable, primaryKey, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { createdAt, instant, textList } from './columns.js';

/** An agent is also an OAuth client with the same id. Rows stay for ever: ids are never reassigned. */
export const agents = pgTable('agents', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  description: text('description'),
  owner: text('owner').notNull(),
  purpose: text('purpose'),
  /** active | blocked */
  status: text('status').notNull().default('active'),
  statusReason: text('status_reason'),
  /** Nothing issued before this instant is good any more; set again on unblocking. */
  notBefore: instant('not_before').notNull().default(sql`'epoch'`),
  /** Clients that may front for this agent. */
  clients: textList('clients'),
  /** client_secret_basic | client_secret_post | private_key_jwt */
  auth: text('auth').notNull(),
  createdAt: createdAt(),
});

/** An OAuth client that is not an agent. */
export const clients = pgTable('clients', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  /** app (signs users in) | service (acts by itself) */
  kind: text('kind').notNull(),
  redirectUris: textList('redirect_uris'),
  /** none | client_secret_basic | client_secret_post | private_key_jwt */
  auth: text('auth').notNull(),
  /** active | retired */
  status: text('status').notNull().default('active'),
  notBefore: instant('not_before').notNull().default(sql`'epoch'`),
  createdAt: createdAt(),
});

/** One secret or one public key of an agent or a client. */
export const credentials = pgTable(
  'credentials',
  {
    id: text('id').primaryKey(),
    /** The agent's or client's id. */
    principal: text('principal').notNull(),
    /** secret | jwk */
    kind: text('kind').notNull(),
    /** SHA-256 of a 256-bit random secret, hex. */
    secretHash: text('secret_hash'),
    jwk: jsonb('jwk').$type<Record<string, unknown>>(),
    /** RFC 7638 thumbprint of the key. */
    thumbprint: text('thumbprint'),
    createdAt: createdAt(),
    removedAt: instant('removed_at'),
  },
  (t) => [index('credentials_principal').on(t.principal)],
);

/** A person. The id is always random and never reassigned, whatever happens to the e-mail address. */
export const users = pgTable(
  'users',
  {
    id: text('id').primaryKey(),
    email: text('email').notNull(),
    /** Case-folded address: sign-in and uniqueness go by it. */
    emailKey: text('email_key').notNull(),
    name: text('name').notNull(),
    /** argon2id, PHC string. */
    passwordHash: text('password_hash'),
    roles: textList('roles'),
    /** active | disabled */
    status: text('status').notNull().default('active'),
    notBefore: instant('not_before').notNull().default(sql`'epoch'`),
    createdAt: createdAt(),
  },
  (t) => [uniqueIndex('users_email_key').on(t.emailKey)],
);

export const roles = pgTable('roles', {
  name: text('name').primaryKey(),
  description: text('description'),
  createdAt: createdAt(),
});

/** Which scopes a principal may hold (agents, services) or delegate (users, roles) at a resource. */
export const permissions = pgTable(
  'permissions',
  {
    /** usr_… | agt_… | cli_… | role:<name> */
    principal: text('principal').notNull(),
    resource: text('resource').notNull(),
    scopes: textList('scopes'),
    createdAt: createdAt(),
  },
  (t) => [primaryKey({ columns: [t.principal, t.resource] })],
);

/** Failed sign-ins, counted per account and per address; keys are hashed. */
export const signInFailures = pgTable('sign_in_failures', {
  key: text('key').primaryKey(),
  failures: integer('failures').notNull(),
  expiresAt: instant('expires_at').notNull(),
});
