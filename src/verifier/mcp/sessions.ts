/**
 * Who opened which `Mcp-Session-Id`. A session belongs to (issuer, subject, agent, client), not to
 * a token, which is renewed while the session lasts; and it is no credential (MCP transports).
 */
import type { AuthContext } from '../context.js';

/** Oldest sessions are forgotten beyond this; their clients open a new one. */
const SESSIONS_MAX = 10_000;
const SESSION_ID_MAX_CHARS = 256;

/** The principal of a context as one comparable string. */
export const principalKey = ({ issuer, subject, agent, client }: AuthContext): string =>
  JSON.stringify([issuer, subject.id, agent?.id ?? null, client.id]);

export interface SessionOwners {
  /** Remembers whose session this is; the first owner stays. */
  bind(sessionId: string, context: AuthContext): void;
  /** Whether this caller opened the session. Unknown sessions are nobody's. */
  owns(sessionId: string, context: AuthContext): boolean;
  forget(sessionId: string): void;
}

export function createSessionOwners(): SessionOwners {
  const owners = new Map<string, string>();
  return {
    bind(sessionId, context) {
      if (owners.has(sessionId) || sessionId.length > SESSION_ID_MAX_CHARS) return;
      const oldest = owners.size >= SESSIONS_MAX ? owners.keys().next().value : undefined;
      if (oldest !== undefined) owners.delete(oldest);
      owners.set(sessionId, principalKey(context));
    },
    owns: (sessionId, context) => owners.get(sessionId) === principalKey(context),
    forget: (sessionId) => void owners.delete(sessionId),
  };
}
