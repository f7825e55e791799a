/** What users decided (consents) and what hangs on it (grants). */
import { sql } from 'drizzle-orm';
import { index, integer, jsonb, pgTable, text, uniqueIndex } from 'drizzle-orm/pg-core';
import { createdAt, instant, textList } from './columns.js';

/** A user's durable decision for (user, client as it described itself, agent, resource). */
export const consents = pgTable(
  'consents',
  {
    id: text('id').primaryKey(),
    userId: text('user_id').notNull(),
    clientId: text('client_id').notNull(),
    /** SHA-256 of what the client said of itself; another description is another consent. */
    clientHash: text('client_hash').notNull(),
    /** Empty: no agent acts, the client is an ordinary OAuth client. */
    agentId: text('agent_id').notNull().default(''),
    /** Empty: identity only (userinfo). */
    resource: text('resource').notNull().default(''),
    offered: textList('offered'),
    granted: textList('granted'),
    /** How many actors may follow the agent in a chain. */
    helpers: integer('helpers').notNull().default(0),
    /** SHA-256 of everything the page said besides the scopes asked for: a change asks again. */
    termsHash: text('terms_hash').notNull().default(''),
    /** What was agreed to, as it was shown: what a later page compares with. */
    terms: jsonb('terms').$type<Record<string, unknown>>().notNull().default({}),
    createdAt: createdAt(),
    expiresAt: instant('expires_at').notNull(),
    endedAt: instant('ended_at'),
    endedReason: text('ended_reason'),
    endedBy: text('ended_by'),
  },
  (t) => [
    uniqueIndex('consents_live')
      .on(t.userId, t.clientId, t.agentId, t.resource)
      .where(sql`ended_at is null`),
    index('consents_user').on(t.userId),
    index('consents_agent').on(t.agentId),
    index('consents_client').on(t.clientId),
    index('consents_created').on(t.createdAt, t.id),
  ],
);

/** One authorization under one consent; its id is the oidc-provider Grant's id. Never shared. */
export const grants = pgTable(
  'grants',
  {
    id: text('id').primaryKey(),
    consentId: text('consent_id')
      .notNull()
      .references(() => consents.id),
    userId: text('user_id').notNull(),
    clientId: text('client_id').notNull(),
    agentId: text('agent_id').notNull().default(''),
    resource: text('resource').notNull().default(''),
    scopes: textList('scopes'),
    /** The credential behind the last proof of the actor; its removal asks for a fresh one. */
    actorCredentialId: text('actor_credential_id'),
    /** How the actor was proved last: token | client_auth | client_binding | none. */
    actorProof: text('actor_proof'),
    /** The browser session it was given in; `user_sessions.id`. */
    sessionId: text('session_id'),
    authTime: instant('auth_time'),
    acr: text('acr'),
    createdAt: createdAt(),
    expiresAt: instant('expires_at').notNull(),
    endedAt: instant('ended_at'),
    endedReason: text('ended_reason'),
    endedBy: text('ended_by'),
  },
  (t) => [
    index('grants_consent').on(t.consentId),
    index('grants_user').on(t.userId),
    index('grants_agent').on(t.agentId),
    index('grants_client').on(t.clientId),
    index('grants_created').on(t.createdAt, t.id),
  ],
);
