/**
 * What a resource may call itself and how its scopes may hang together. Pure: the same rules for
 * the API, the world file and the CLI.
 */
import { closure, lintScopeNames } from '../../protocol/index.js';
import { hierarchyOf, type ScopeRule, type ScopeRules } from '../delegation/policy.js';
import { isSpecialKey } from '../registry/fields.js';
import type { FieldProblem } from '../registry/refusal.js';

const LOOPBACK_HOSTS = new Set(['127.0.0.1', '[::1]', 'localhost']);
/** OpenID Connect gives these a meaning of their own (OIDC Core §5.4, §11). */
const OIDC_SCOPES = new Set(['openid', 'profile', 'email', 'address', 'phone', 'offline_access']);

/** @returns what is wrong with an identifier (RFC 8707 §2), or `undefined` */
export function identifierProblem(identifier: string, issuer: string): string | undefined {
  if (identifier.includes('#')) return 'must not have a fragment (RFC 8707 §2)';
  if (!URL.canParse(identifier)) return 'must be an absolute URI';
  const url = new URL(identifier);
  if (
    url.protocol !== 'https:' &&
    !(url.protocol === 'http:' && LOOPBACK_HOSTS.has(url.hostname))
  ) {
    return 'must be https, or http on 127.0.0.1, [::1] or localhost';
  }
  if (url.username !== '' || url.password !== '') return 'must not hold a user name';
  if (identifier.includes('*')) return 'must not hold a wildcard';
  const bare = `${url.protocol}//${url.host}`;
  if (identifier !== url.href && identifier !== bare) return `must be written as ${url.href}`;
  // The issuer's own audience belongs to actor tokens and administration.
  if (isWithin(url, new URL(issuer))) return 'must not be at or under the issuer';
  return undefined;
}

const isWithin = (url: URL, { origin, pathname }: URL): boolean =>
  url.origin === origin &&
  (pathname === '/' || url.pathname === pathname || url.pathname.startsWith(`${pathname}/`));

/** The spelling that people confuse with this one: with, or without, its last slash. */
export const slashTwin = (identifier: string): string =>
  identifier.endsWith('/') ? identifier.slice(0, -1) : `${identifier}/`;

/** Everything wrong with a resource's scopes and the tools that need them. */
export function scopeProblems(
  scopes: ScopeRules,
  tools: Readonly<Record<string, readonly string[]>>,
): FieldProblem[] {
  const names = Object.keys(scopes);
  const named = lintScopeNames(names).map(({ scope, problem }) => ({
    path: ['scopes', scope],
    message: problem,
  }));
  const reserved = names
    .filter((name) => OIDC_SCOPES.has(name) || isSpecialKey(name))
    .map((name) => ({ path: ['scopes', name], message: 'is a reserved name' }));
  const ruled = Object.entries(scopes).flatMap(([name, rule]) => ruleProblems(scopes, name, rule));
  return [...named, ...reserved, ...ruled, ...toolProblems(scopes, tools)];
}

function ruleProblems(scopes: ScopeRules, name: string, rule: ScopeRule): FieldProblem[] {
  const problems = rule.implies.flatMap((implied, index): FieldProblem[] => {
    const path = ['scopes', name, 'implies', index];
    const other = Object.hasOwn(scopes, implied) ? scopes[implied] : undefined;
    if (other === undefined) return [{ path, message: `names no scope here: "${implied}"` }];
    if (implied === name) return [{ path, message: 'must not imply itself' }];
    // Otherwise everybody who may have the open one would hold the restricted one too.
    if (other.restricted && !rule.restricted) {
      return [{ path, message: `"${implied}" is restricted, so "${name}" must be too` }];
    }
    return [];
  });
  if (problems.length > 0 || !rule.base) return problems;
  // What a request gets without asking must be harmless, with all that comes along.
  const whole = closure([name], hierarchyOf(scopes)).map((scope) => scopes[scope]);
  return whole.some((part) => part?.restricted === true || part?.risk === 'destructive')
    ? [
        {
          path: ['scopes', name, 'base'],
          message: 'must not be set where restricted or destructive scopes come along',
        },
      ]
    : [];
}

const toolProblems = (
  scopes: ScopeRules,
  tools: Readonly<Record<string, readonly string[]>>,
): FieldProblem[] =>
  Object.entries(tools).flatMap(([tool, needed]) => [
    ...(isSpecialKey(tool) ? [{ path: ['tools', tool], message: 'is a reserved name' }] : []),
    ...needed.flatMap((scope, index) =>
      Object.hasOwn(scopes, scope)
        ? []
        : [{ path: ['tools', tool, index], message: `names no scope here: "${scope}"` }],
    ),
  ]);

/** Scopes that are not what they were to those who hold them: gone, or for fewer people. */
export const scopesTaken = (before: ScopeRules, after: ScopeRules): string[] =>
  Object.entries(before)
    .filter(([name, rule]) => {
      const now = ruleOf(after, name);
      return now === undefined || (now.restricted && !rule.restricted);
    })
    .map(([name]) => name);

/** Where this resource's server may go on to, and what becomes of its callers' scopes there. */
export interface Edge {
  readonly resource: string;
  readonly scopes: Readonly<Record<string, readonly string[]>>;
}

/** What can be said of a resource's edges without looking at the other ends. */
export function edgeListProblems(
  identifier: string,
  scopes: ScopeRules,
  downstream: readonly Edge[],
): FieldProblem[] {
  return downstream.flatMap((edge, index): FieldProblem[] => {
    const at = ['downstream', index];
    const path = [...at, 'resource'];
    const first = downstream.findIndex(({ resource }) => resource === edge.resource);
    const itself = edge.resource === identifier;
    return [
      ...(itself ? [{ path, message: 'must not be the resource itself' }] : []),
      ...(first < index ? [{ path, message: `is here twice: "${edge.resource}"` }] : []),
      ...Object.keys(edge.scopes)
        .filter((from) => !Object.hasOwn(scopes, from))
        .map((from) => ({
          path: [...at, 'scopes', from],
          message: `names no scope of ${identifier}: "${from}"`,
        })),
    ];
  });
}

const RISKS = ['read', 'write', 'destructive'] as const;

/** The greatest risk of a scope with all that comes along. */
const riskOf = (scopes: ScopeRules, name: string): number =>
  Math.max(
    ...closure([name], hierarchyOf(scopes)).map((scope) =>
      RISKS.indexOf(scopes[scope]?.risk ?? 'read'),
    ),
  );

export interface PairProblem {
  readonly from: string;
  readonly to: string;
  readonly message: string;
}

/**
 * What is wrong with one edge, both ends known: a scope there must exist, and going on makes nothing
 * more dangerous and nothing restricted open (DESIGN §8c: scope, life and reach only shrink).
 */
export function edgeProblems(edge: Edge, here: ScopeRules, there: ScopeRules): PairProblem[] {
  return Object.entries(edge.scopes).flatMap(([from, names]) =>
    names.flatMap((to) => {
      const message = pairProblem(here, from, there, to, edge.resource);
      return message === undefined ? [] : [{ from, to, message }];
    }),
  );
}

function pairProblem(
  here: ScopeRules,
  from: string,
  there: ScopeRules,
  to: string,
  other: string,
): string | undefined {
  const [source, target] = [ruleOf(here, from), ruleOf(there, to)];
  // Said already where the edge stands.
  if (source === undefined) return undefined;
  if (target === undefined) return `names no scope of ${other}: "${to}"`;
  if (target.restricted && !source.restricted) {
    return `"${to}" is restricted at ${other}, so "${from}" must be too`;
  }
  const [before, after] = [riskOf(here, from), riskOf(there, to)];
  return after > before
    ? `"${to}" is ${RISKS[after]} at ${other}, and "${from}" only ${RISKS[before]} here`
    : undefined;
}

const ruleOf = (scopes: ScopeRules, name: string): ScopeRule | undefined =>
  Object.hasOwn(scopes, name) ? scopes[name] : undefined;
