/**
 * Whose session (`Mcp-Session-Id`) and whose task is whose. They belong to (issuer, subject, agent,
 * client), not to a token, which is renewed while they last; and their ids are no credentials (MCP
 * transports, MCP tasks).
 */
import type { AuthContext } from '../context.js';

/** Oldest ones are forgotten beyond this; clients open a new session. */
const OWNED_MAX = 10_000;
const ID_MAX_CHARS = 256;

/** The principal of a context as one comparable string. */
export const principalKey = ({ issuer, subject, agent, client }: AuthContext): string =>
  JSON.stringify([issuer, subject.id, agent?.id ?? null, client.id]);

export interface Owners {
  /** Remembers whose this is; the first owner stays. */
  bind(id: string, context: AuthContext): void;
  /** Whether this is this caller's. What is not known is nobody's. */
  owns(id: string, context: AuthContext): boolean;
  forget(id: string): void;
}

export function createOwners(): Owners {
  const owners = new Map<string, string>();
  return {
    bind(id, context) {
      if (owners.has(id) || id.length > ID_MAX_CHARS) return;
      const oldest = owners.size >= OWNED_MAX ? owners.keys().next().value : undefined;
      if (oldest !== undefined) owners.delete(oldest);
      owners.set(id, principalKey(context));
    },
    owns: (id, context) => owners.get(id) === principalKey(context),
    forget: (id) => void owners.delete(id),
  };
}
