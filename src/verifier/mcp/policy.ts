/** Which tool needs what: declared once, complete, and checked when the server starts. */
import { isScopeToken } from '../../protocol/index.js';
import { type ParsedRequirement, parseRequirement, type Requirement } from '../requirement.js';
import { METHODS } from './methods.js';

/** What `tools/list` shows. */
export type ListMode =
  /** Tools the acting agent may ever use, even if the user has not allowed them yet: step-up works. */
  | 'filter-by-agent'
  /** Tools this very call may use. */
  | 'filter'
  /** Every tool that has a policy. */
  | 'all';

export interface ToolPolicyInput<Tool extends string> {
  /** Every tool of the server. One that is not named here cannot be called or seen. */
  readonly tools: Readonly<Record<Tool, Requirement>>;
  /** Further methods to offer (`resources/read`, `prompts/get`, …); those not named are refused. */
  readonly methods?: Readonly<Record<string, Requirement>> | undefined;
  /** Scopes a client should ask for at first: advertised, and in 401 challenges. Demands nothing. */
  readonly base?: readonly string[] | undefined;
  /** Default `filter-by-agent`. */
  readonly list?: ListMode | undefined;
}

export interface ToolPolicy<Tool extends string = string> {
  readonly toolNames: readonly Tool[];
  readonly tools: ReadonlyMap<string, ParsedRequirement>;
  readonly methods: ReadonlyMap<string, ParsedRequirement>;
  readonly base: readonly string[];
  readonly list: ListMode;
}

const LIST_MODES: readonly string[] = ['filter-by-agent', 'filter', 'all'] satisfies ListMode[];

function parseAll(
  what: string,
  requirements: Readonly<Record<string, Requirement>>,
): Map<string, ParsedRequirement> {
  const parsed = new Map<string, ParsedRequirement>();
  for (const [name, requirement] of Object.entries(requirements)) {
    try {
      parsed.set(name, parseRequirement(requirement));
    } catch (error) {
      throw new TypeError(`${what} "${name}": ${(error as Error).message}`);
    }
  }
  return parsed;
}

/**
 * Declares a tool policy. Deny is the default: what is not named is refused.
 *
 * @throws TypeError naming the tool whose requirement demands nothing or cannot be met
 */
export function defineToolPolicy<Tool extends string>(
  input: ToolPolicyInput<Tool>,
): ToolPolicy<Tool> {
  const { tools, methods = {}, base = [], list = 'filter-by-agent' } = input;
  const toolNames = Object.keys(tools) as Tool[];
  if (toolNames.length === 0) throw new TypeError('a tool policy names at least one tool');
  const taken = Object.keys(methods).find((name) => (METHODS.get(name) ?? 'policy') !== 'policy');
  if (taken !== undefined) throw new TypeError(`the method "${taken}" is not for a policy`);
  const badScope = base.find((scope) => !isScopeToken(scope));
  if (badScope !== undefined) throw new TypeError(`base: "${badScope}" is not a scope-token`);
  if (!LIST_MODES.includes(list)) throw new TypeError(`list is one of ${LIST_MODES.join(', ')}`);
  return Object.freeze({
    toolNames: Object.freeze(toolNames),
    tools: parseAll('tool', tools),
    methods: parseAll('method', methods),
    base: Object.freeze([...base]),
    list,
  });
}
