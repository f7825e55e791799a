/** Who exists: agents, clients, users, their credentials, roles and permissions. */
import { sql } from 'drizzle-orm';
import {
  boolean,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
} from 'drizzle-orm/pg-core';
import { createdAt, instant, textList } from './columns.js';

/** An agent is also an OAuth client with the same id. Rows stay for ever: ids are never reassigned. */
export const agents = pgTable('agents', {
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  description: text('description'),
  /** Answers for the agent. */
  owner: text('owner').notNull(),
  /** Stands in for the owner. */
  sponsor: text('sponsor'),
  purpose: text('purpose'),
  vendor: text('vendor'),
  model: text('model'),
  version: text('version'),
  logoUri: text('logo_uri'),
  contact: text('contact'),
  /** Its name in the operator's other systems. */
  externalId: text('external_id'),
  tags: textList('tags'),
  /** draft | active | paused | blocked | retired */
  status: text('status').notNull().default('active'),
  statusReason: text('status_reason'),
  /** Who set the status, and when. */
  statusBy: text('status_by'),
  statusAt: instant('status_at'),
  /** Nothing issued before this instant is good any more; set again on unblocking. */
  notBefore: instant('not_before').notNull().default(sql`'epoch'`),
  /** Clients that may front for this agent. */
  clients: textList('clients'),
  /** Where answers go when the agent is itself the OAuth client of a code flow; none: it is not. */
  redirectUris: textList('redirect_uris'),
  /** RFC 9126 §6, RFC 9101 §10.5: as of clients, where the agent is one. */
  requirePar: boolean('require_par').notNull().default(false),
  requireSignedRequest: boolean('require_signed_request').notNull().default(false),
  /** RFC 8693: whether it may exchange tokens. */
  mayExchange: boolean('may_exchange').notNull().default(true),
  /** RFC 9449 §5.2: only DPoP-bound tokens. */
  dpopBound: boolean('dpop_bound').notNull().default(false),
  /** RFC 8705 §3.4: only certificate-bound tokens. */
  certificateBound: boolean('certificate_bound').notNull().default(false),
  /** FAPI 2.0 security profile: what it demands, of every request. */
  fapi: boolean('fapi').notNull().default(false),
  /** Agents it takes work from. */
  takesWorkFrom: textList('takes_work_from'),
  /** client_secret_basic | client_secret_post | private_key_jwt | … (`clients/credentials.ts`) */
  auth: text('auth').notNull(),
  createdAt: createdAt(),
});

/** An OAuth client that is not an agent. */
export const clients = pgTable('clients', {
  /** cli_…, or the URL of its metadata document. */
  id: text('id').primaryKey(),
  name: text('name').notNull(),
  /** Who put it here: operator | registration (RFC 7591) | document (client ID metadata document) */
  origin: text('origin').notNull().default('operator'),
  /** RFC 7591 §2: what it says it is a copy of. */
  softwareId: text('software_id'),
  softwareVersion: text('software_version'),
  /** app (signs users in) | service (acts by itself) */
  kind: text('kind').notNull(),
  /** What the client says of itself, shown to users as its own words. */
  description: text('description'),
  clientUri: text('client_uri'),
  logoUri: text('logo_uri'),
  policyUri: text('policy_uri'),
  contact: text('contact'),
  redirectUris: textList('redirect_uris'),
  /** The agent this client always acts as (`client_binding`); absent: it asks for one, or none. */
  agentId: text('agent_id'),
  /** RFC 9126 §6: only pushed requests. */
  requirePar: boolean('require_par').notNull().default(false),
  /** RFC 9101 §10.5: only signed request objects. */
  requireSignedRequest: boolean('require_signed_request').notNull().default(false),
  /** RFC 8693: whether it may exchange tokens; a public client never may. */
  mayExchange: boolean('may_exchange').notNull().default(true),
  /** RFC 9449 §5.2: only DPoP-bound tokens. */
  dpopBound: boolean('dpop_bound').notNull().default(false),
  /** RFC 8705 §3.4: only certificate-bound tokens. */
  certificateBound: boolean('certificate_bound').notNull().default(false),
  /** FAPI 2.0 security profile: what it demands, of every request. */
  fapi: boolean('fapi').notNull().default(false),
  /** none | client_secret_basic | client_secret_post | private_key_jwt | … (`clients/credentials.ts`) */
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
    /** secret | jwk | certificate | workload */
    kind: text('kind').notNull(),
    /** What operators call it. */
    name: text('name'),
    /** SHA-256 of a 256-bit random secret, hex. */
    secretHash: text('secret_hash'),
    jwk: jsonb('jwk').$type<Record<string, unknown>>(),
    /** RFC 7638 thumbprint of the key; RFC 8705 x5t#S256 of the certificate. */
    thumbprint: text('thumbprint'),
    /** What proves it besides a key: names in a certificate, or claims of a platform's token. */
    rule: jsonb('rule').$type<Record<string, unknown>>(),
    createdAt: createdAt(),
    createdBy: text('created_by'),
    /** Proves nothing from then on; absent: never. */
    expiresAt: instant('expires_at'),
    /** To the minute, at the latest. */
    lastUsedAt: instant('last_used_at'),
    removedAt: instant('removed_at'),
  },
  (t) => [
    index('credentials_principal').on(t.principal),
    index('credentials_thumbprint').on(t.thumbprint),
  ],
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
    statusReason: text('status_reason'),
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

/** A browser in which a user is signed in: what the user sees and can end. */
export const userSessions = pgTable(
  'user_sessions',
  {
    id: text('id').primaryKey(),
    /** Hash of the engine's session uid; the engine keeps the session itself. */
    uid: text('uid').notNull(),
    userId: text('user_id').notNull(),
    userAgent: text('user_agent'),
    address: text('address'),
    signedInAt: instant('signed_in_at').notNull().default(sql`clock_timestamp()`),
    lastSeenAt: instant('last_seen_at').notNull().default(sql`clock_timestamp()`),
    expiresAt: instant('expires_at').notNull(),
    endedAt: instant('ended_at'),
    endedReason: text('ended_reason'),
  },
  (t) => [
    uniqueIndex('user_sessions_uid').on(t.uid),
    index('user_sessions_user').on(t.userId),
    index('user_sessions_expires').on(t.expiresAt),
  ],
);
