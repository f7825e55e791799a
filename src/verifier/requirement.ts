/** What an operation demands, checked when it is declared rather than when it is used. */
import { isScopeToken, type PrincipalKind, parseScope } from '../protocol/index.js';

/**
 * What an operation demands of its caller. A string is scopes, space-delimited, all needed. In an
 * object every member present must hold; `{ all: [] }` says openly that any valid token will do.
 */
export type Requirement =
  | string
  | {
      /** Scopes that are all needed. */
      readonly all?: readonly string[];
      /** Scopes of which one is enough. */
      readonly any?: readonly string[];
      /** Kinds of caller accepted. */
      readonly principal?: readonly PrincipalKind[];
      /** Ids of the agents accepted as current actor. */
      readonly agents?: readonly string[];
    };

/** A {@link Requirement} in its long form. */
export interface ParsedRequirement {
  readonly all: readonly string[];
  readonly any: readonly string[];
  readonly principal: readonly PrincipalKind[] | undefined;
  readonly agents: readonly string[] | undefined;
}

const KINDS: readonly string[] = [
  'delegated',
  'agent',
  'service',
  'user',
] satisfies PrincipalKind[];
const MEMBERS = new Set(['all', 'any', 'principal', 'agents']);

/**
 * Checks and expands a requirement.
 *
 * @throws TypeError when it demands nothing without saying so, or can never be met
 */
export function parseRequirement(requirement: Requirement): ParsedRequirement {
  const given = typeof requirement === 'string' ? { all: parseScope(requirement) } : requirement;
  if (typeof given !== 'object' || given === null) throw new TypeError('not a requirement');
  const { all = [], any = [], principal, agents } = given;
  const unknown = Object.keys(given).find((member) => !MEMBERS.has(member));
  if (unknown !== undefined) throw new TypeError(`a requirement has no member "${unknown}"`);
  for (const list of [all, any, principal ?? [], agents ?? []])
    if (!Array.isArray(list)) throw new TypeError('the members of a requirement are lists');
  if (Object.keys(given).length === 0 || (typeof requirement === 'string' && all.length === 0))
    throw new TypeError('a requirement that demands nothing is written { all: [] }');
  if (given.any?.length === 0) throw new TypeError('no caller holds one of no scopes');
  if (principal?.length === 0 || agents?.length === 0)
    throw new TypeError('an empty list of callers accepts nobody');
  const bad = [...all, ...any].find((scope) => typeof scope !== 'string' || !isScopeToken(scope));
  if (bad !== undefined) throw new TypeError(`"${String(bad)}" is not one scope (RFC 6749 §3.3)`);
  if (principal?.some((kind) => !KINDS.includes(kind)))
    throw new TypeError(`a principal is one of ${KINDS.join(', ')}`);
  return Object.freeze({ all: [...all], any: [...any], principal, agents });
}
