/**
 * The scope algebra: sets of scope tokens under a hierarchy. A scope belongs to a resource, so a
 * hierarchy is always one resource's. Pure; nothing here knows who holds what.
 */

/** `implies` of one resource: a scope grants every scope it implies, transitively. */
export type ScopeHierarchy = Readonly<Record<string, readonly string[]>>;

/** RFC 6749 §3.3: scope-token = 1*( %x21 / %x23-5B / %x5D-7E ). */
const SCOPE_TOKEN = /^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/;

export const isScopeToken = (value: string): boolean => SCOPE_TOKEN.test(value);

/** Below this many, looking through a list is cheaper than a set of them. */
const FEW = 16;

/** Splits a space-delimited scope string; absent or empty is the empty list. Duplicates fall away. */
export function parseScope(value: string | undefined): string[] {
  if (value === undefined || value === '') return [];
  const parts = value.split(' ');
  if (parts.length > FEW) return [...new Set(parts.filter((token) => token !== ''))];
  return parts.filter((token, at) => token !== '' && parts.indexOf(token) === at);
}

/** Canonical form: sorted, single spaces, no duplicates. */
export const formatScope = (scopes: Iterable<string>): string =>
  [...new Set(scopes)].sort().join(' ');

/** The scopes together with everything they imply, in canonical order. Cycles are harmless. */
export function closure(scopes: Iterable<string>, hierarchy: ScopeHierarchy): string[] {
  const held = new Set<string>();
  const pending = [...scopes];
  for (let scope = pending.pop(); scope !== undefined; scope = pending.pop()) {
    if (held.has(scope)) continue;
    held.add(scope);
    if (Object.hasOwn(hierarchy, scope)) pending.push(...(hierarchy[scope] ?? []));
  }
  return [...held].sort();
}

export const isSubset = (inner: Iterable<string>, outer: Iterable<string>): boolean => {
  if (Array.isArray(outer) && outer.length <= FEW)
    return [...inner].every((one) => outer.includes(one));
  const held = new Set(outer);
  for (const scope of inner) if (!held.has(scope)) return false;
  return true;
};

export const difference = (from: Iterable<string>, taken: Iterable<string>): string[] => {
  const gone = new Set(taken);
  return [...from].filter((scope) => !gone.has(scope));
};

export interface ScopeLint {
  readonly scope: string;
  readonly problem: string;
}

/**
 * Refuses names that naive verifiers confuse: substring and prefix matching is common in the
 * field, so at one resource no scope may contain another.
 */
export function lintScopeNames(names: readonly string[]): ScopeLint[] {
  const problems: ScopeLint[] = [];
  for (const name of names) {
    if (!isScopeToken(name)) {
      problems.push({ scope: name, problem: 'is not a scope-token (RFC 6749 §3.3)' });
    }
    for (const other of names) {
      if (other !== name && other.includes(name)) {
        problems.push({ scope: name, problem: `is contained in "${other}"` });
      }
    }
  }
  return problems;
}
