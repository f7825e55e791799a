/** What an operation demands, checked when it is declared rather than when it is used. */
import { isScopeToken, type PrincipalKind, parseScope } from '../protocol/index.js';
import type { Check } from './check-hook.js';

/** What the chain of actors must be like. Can only refuse: nobody gains a right by who came before. */
export interface ChainRule {
  /** Most actors, the current one included. */
  readonly maxDepth?: number;
  /** A human stands at the root of the call. */
  readonly humanRoot?: true;
  /** Ids of which every actor of the chain is one. Stricter than RFC 8693 §4.1 asks for. */
  readonly actors?: readonly string[];
}

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
      /** Scopes that the acting agent must hold itself, whether or not this call needs them. */
      readonly agentScopes?: readonly string[];
      readonly chain?: ChainRule;
      /** Ways of signing in of which the user's must be one (RFC 9470). */
      readonly acr?: readonly string[];
      /** How long ago the user may have signed in (RFC 9470). */
      readonly maxAuthAgeSeconds?: number;
      /** The issuer is asked whether the token is alive, with `introspection` to ask by (RFC 7662). */
      readonly sensitive?: boolean;
      /** A decision point of yours, asked when nothing on the agent's side is in the way. */
      readonly check?: Check;
    };

/** A {@link Requirement} in its long form. */
export interface ParsedRequirement {
  readonly all: readonly string[];
  readonly any: readonly string[];
  readonly principal: readonly PrincipalKind[] | undefined;
  readonly agents: readonly string[] | undefined;
  readonly agentScopes: readonly string[];
  readonly chain: ChainRule | undefined;
  readonly acr: readonly string[] | undefined;
  readonly maxAuthAgeSeconds: number | undefined;
  readonly sensitive: boolean;
  readonly check: Check | undefined;
}

const KINDS: readonly string[] = [
  'delegated',
  'agent',
  'service',
  'user',
] satisfies PrincipalKind[];
const MEMBERS = new Set([
  ...['all', 'any', 'principal', 'agents', 'agentScopes', 'chain', 'acr'],
  ...['maxAuthAgeSeconds', 'sensitive', 'check'],
]);
const CHAIN_MEMBERS = new Set(['maxDepth', 'humanRoot', 'actors']);

type RequirementObject = Exclude<Requirement, string>;

const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every((one) => typeof one === 'string' && one !== '');

function refuseUnknown(what: string, given: object, known: ReadonlySet<string>): void {
  const unknown = Object.keys(given).find((member) => !known.has(member));
  if (unknown !== undefined) throw new TypeError(`${what} has no member "${unknown}"`);
}

function checkChain(chain: ChainRule): void {
  if (typeof chain !== 'object' || chain === null) throw new TypeError('chain is an object');
  refuseUnknown('chain', chain, CHAIN_MEMBERS);
  const { maxDepth, humanRoot, actors } = chain;
  if (maxDepth !== undefined && !(Number.isSafeInteger(maxDepth) && maxDepth >= 1))
    throw new TypeError('chain.maxDepth is a positive number of actors');
  if (humanRoot !== undefined && humanRoot !== true)
    throw new TypeError('chain.humanRoot is true or left out');
  if (actors !== undefined && !(isTexts(actors) && actors.length > 0))
    throw new TypeError('chain.actors lists at least one id');
  if (Object.keys(chain).length === 0) throw new TypeError('chain demands something');
}

/** Members that are neither scopes nor lists of callers. */
function checkOthers({ acr, maxAuthAgeSeconds, sensitive, check, chain }: RequirementObject): void {
  if (chain !== undefined) checkChain(chain);
  if (acr !== undefined && !(isTexts(acr) && acr.length > 0))
    throw new TypeError('acr lists at least one way of signing in');
  if (acr?.some((value) => /\s/.test(value)))
    throw new TypeError('an acr has no spaces (RFC 9470)');
  if (
    maxAuthAgeSeconds !== undefined &&
    !(Number.isSafeInteger(maxAuthAgeSeconds) && maxAuthAgeSeconds >= 0)
  )
    throw new TypeError('maxAuthAgeSeconds is a whole number of seconds');
  if (sensitive !== undefined && typeof sensitive !== 'boolean')
    throw new TypeError('sensitive is true or false');
  if (check !== undefined && typeof check !== 'function')
    throw new TypeError('check is a function');
}

/**
 * Checks and expands a requirement.
 *
 * @throws TypeError when it demands nothing without saying so, or can never be met
 */
export function parseRequirement(requirement: Requirement): ParsedRequirement {
  const given: RequirementObject =
    typeof requirement === 'string' ? { all: parseScope(requirement) } : requirement;
  if (typeof given !== 'object' || given === null) throw new TypeError('not a requirement');
  refuseUnknown('a requirement', given, MEMBERS);
  const { all = [], any = [], principal, agents, agentScopes = [] } = given;
  for (const list of [all, any, principal ?? [], agents ?? [], agentScopes])
    if (!Array.isArray(list)) throw new TypeError('the members of a requirement are lists');
  if (Object.keys(given).length === 0 || (typeof requirement === 'string' && all.length === 0))
    throw new TypeError('a requirement that demands nothing is written { all: [] }');
  if (given.any?.length === 0) throw new TypeError('no caller holds one of no scopes');
  if (principal?.length === 0 || agents?.length === 0)
    throw new TypeError('an empty list of callers accepts nobody');
  const bad = [...all, ...any, ...agentScopes].find(
    (scope) => typeof scope !== 'string' || !isScopeToken(scope),
  );
  if (bad !== undefined) throw new TypeError(`"${String(bad)}" is not one scope (RFC 6749 §3.3)`);
  if (principal?.some((kind) => !KINDS.includes(kind)))
    throw new TypeError(`a principal is one of ${KINDS.join(', ')}`);
  checkOthers(given);
  const { chain, acr, maxAuthAgeSeconds, sensitive = false, check } = given;
  return Object.freeze({
    all: [...all],
    any: [...any],
    principal,
    agents,
    agentScopes: [...agentScopes],
    chain,
    acr,
    maxAuthAgeSeconds,
    sensitive,
    check,
  });
}
