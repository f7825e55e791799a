/** What needs what: declared once, complete, and checked when the server starts. */
import { isScopeToken } from '../../protocol/index.js';
import { type ParsedRequirement, parseRequirement, type Requirement } from '../requirement.js';
import { METHODS, type Noun } from './methods.js';
import { checkUriRules, findUriRule } from './uri-rules.js';

/** What lists show. */
export type ListMode =
  /** What the acting agent may ever use, even if the user has not allowed it yet: step-up works. */
  | 'filter-by-agent'
  /** What this very call may use. */
  | 'filter'
  /** Everything that has a policy. */
  | 'all';

type Requirements = Readonly<Record<string, Requirement>>;

/** What each tool, prompt, resource and method demands of its caller. */
export interface ToolPolicyInput<Tool extends string> {
  /** Every tool of the server. One that is not named here cannot be called or seen. */
  readonly tools: Readonly<Record<Tool, Requirement>>;
  /** Every prompt, by name. Without it `prompts/*` is refused, or decided by `methods`. */
  readonly prompts?: Requirements | undefined;
  /**
   * Resources by URI (or URI template); a last `*` takes everything that begins so, and the longest
   * rule counts. Without it `resources/*` is refused, or decided by `methods`.
   */
  readonly resources?: Requirements | undefined;
  /** Further methods to offer (`completion/complete`, `tasks/get`, …); others are refused. */
  readonly methods?: Requirements | undefined;
  /** Scopes a client should ask for at first: advertised, and in 401 challenges. Demands nothing. */
  readonly base?: readonly string[] | undefined;
  /** Default `filter-by-agent`. */
  readonly list?: ListMode | undefined;
}

/** A policy as it stands; one that is kept at the broker stands differently from time to time. */
export interface ToolPolicy<Tool extends string = string> {
  readonly toolNames: readonly Tool[];
  /** Undefined: not this policy's to decide name by name. */
  rulesFor(noun: Noun): ReadonlyMap<string, ParsedRequirement> | undefined;
  /** The requirement of one tool, prompt or resource; undefined: nobody may. */
  requirementOf(noun: Noun, name: string): ParsedRequirement | undefined;
  readonly methods: ReadonlyMap<string, ParsedRequirement>;
  readonly base: readonly string[];
  readonly list: ListMode;
  /**
   * Of a policy that is kept at the broker: resolves once what it says may be gone by.
   * @throws AuthError `temporarily_unavailable`
   */
  readonly load?: (() => Promise<void>) | undefined;
}

const LIST_MODES: readonly string[] = ['filter-by-agent', 'filter', 'all'] satisfies ListMode[];

export function parseRequirements(
  what: string,
  requirements: Requirements,
): ReadonlyMap<string, ParsedRequirement> {
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

/** The methods that a policy may name besides what it says of each prompt and resource. */
function checkMethods({ methods = {}, prompts, resources }: PolicyFrame): void {
  const ruled: Partial<Record<Noun, unknown>> = { tools: {}, prompts, resources };
  for (const method of Object.keys(methods)) {
    const rule = METHODS.get(method);
    const isOwn =
      rule?.kind === 'open' ||
      ((rule?.kind === 'named' || rule?.kind === 'list') && ruled[rule.noun] !== undefined);
    if (isOwn || method.startsWith('notifications/'))
      throw new TypeError(`the method "${method}" is not for a policy`);
  }
}

/** What of a policy is always said here. */
export type PolicyFrame = Omit<ToolPolicyInput<string>, 'tools' | 'base'>;

/** What may be different at every use. */
export interface LiveRules {
  readonly tools: () => ReadonlyMap<string, ParsedRequirement>;
  readonly base: () => readonly string[];
  readonly load?: ToolPolicy['load'];
}

/**
 * A policy whose tools are whatever `live` says at the time.
 *
 * @throws TypeError naming what demands nothing, cannot be met, or is nobody's to decide
 */
export function buildPolicy<Tool extends string>(
  frame: PolicyFrame,
  { tools, base, load }: LiveRules,
): ToolPolicy<Tool> {
  const { methods = {}, prompts, resources, list = 'filter-by-agent' } = frame;
  checkMethods(frame);
  if (!LIST_MODES.includes(list)) throw new TypeError(`list is one of ${LIST_MODES.join(', ')}`);
  const ruled = {
    prompts: prompts && parseRequirements('prompt', prompts),
    resources: resources && checkUriRules(parseRequirements('resource', resources)),
  };
  const rulesFor = (noun: Noun) => (noun === 'tools' ? tools() : ruled[noun]);
  return Object.freeze<ToolPolicy<Tool>>({
    get toolNames() {
      return [...tools().keys()] as Tool[];
    },
    rulesFor,
    requirementOf: (noun, name) =>
      noun === 'resources'
        ? findUriRule(ruled.resources ?? new Map(), name)
        : rulesFor(noun)?.get(name),
    methods: parseRequirements('method', methods),
    get base() {
      return base();
    },
    list,
    load,
  });
}

/**
 * Declares a tool policy. Deny is the default: what is not named is refused.
 *
 * @throws TypeError naming the tool whose requirement demands nothing or cannot be met
 */
export function defineToolPolicy<Tool extends string>(
  input: ToolPolicyInput<Tool>,
): ToolPolicy<Tool> {
  const { tools, base = [], ...frame } = input;
  const badScope = base.find((scope) => !isScopeToken(scope));
  if (badScope !== undefined) throw new TypeError(`base: "${badScope}" is not a scope-token`);
  if (Object.keys(tools).length === 0) throw new TypeError('a tool policy names at least one tool');
  const parsed = parseRequirements('tool', tools);
  const asked = Object.freeze([...base]);
  return buildPolicy(frame, { tools: () => parsed, base: () => asked });
}
