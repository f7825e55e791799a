/** Protected resources: MCP servers and APIs, their scopes and tools. */
import { boolean, integer, jsonb, pgTable, text } from 'drizzle-orm/pg-core';
import { createdAt, instant } from './columns.js';

export interface ScopeRow {
  readonly title: string;
  readonly description?: string | undefined;
  readonly risk: 'read' | 'write' | 'destructive';
  /** Only for users and agents permitted by name or role. */
  readonly restricted: boolean;
  /** Granted along with this one. */
  readonly implies: readonly string[];
  /** Asked for when a request names no scope. */
  readonly base: boolean;
  /** Granting it asks for a sign-in no older than this. */
  readonly reauthSeconds?: number | undefined;
}

/** Where this resource's server may call onward for its callers, and what becomes of their scopes. */
export interface DownstreamRow {
  /** Identifier of the other resource. */
  readonly resource: string;
  /** scope here → scopes there */
  readonly scopes: Record<string, readonly string[]>;
}

export const resources = pgTable('resources', {
  /** Identifier URI = `aud`. */
  identifier: text('identifier').primaryKey(),
  name: text('name').notNull(),
  description: text('description'),
  scopes: jsonb('scopes').$type<Record<string, ScopeRow>>().notNull(),
  /** tool name → scopes it needs */
  tools: jsonb('tools').$type<Record<string, readonly string[]>>().notNull().default({}),
  /** The resource server's own client: may introspect and report decisions for this resource. */
  client: text('client'),
  /** When set, the only clients that may get tokens for this resource. */
  clients: text('clients').array(),
  downstream: jsonb('downstream').$type<readonly DownstreamRow[]>().notNull().default([]),
  /** A chain of actors here must begin with a user. */
  requireUser: boolean('require_user').notNull().default(false),
  signingAlg: text('signing_alg').notNull().default('ES256'),
  tokenTtlSeconds: integer('token_ttl_seconds').notNull().default(300),
  /** active | retired */
  status: text('status').notNull().default('active'),
  createdAt: createdAt(),
});

/** One tool of a resource's server, as it last said of itself and as an operator has seen it. */
export interface InventoriedTool {
  /** SHA-256 of its definition; null: it is mapped and not published any more. */
  readonly hash: string | null;
  /** The definition that was there when it was mapped, or accepted since; null: none was. */
  readonly accepted: string | null;
  /** ISO 8601: since when it is as it is. */
  readonly since: string;
}

/** What each resource's server last said its tools are. Decides nothing: `resources.tools` does. */
export const toolInventories = pgTable('tool_inventories', {
  resource: text('resource').primaryKey(),
  tools: jsonb('tools').$type<Record<string, InventoriedTool>>().notNull(),
  publishedAt: instant('published_at').notNull(),
  /** The client that published it. */
  publishedBy: text('published_by').notNull(),
});
