/**
 * How recent a sign-in has to be before a scope is granted (RFC 9470's other half: the broker asks by
 * itself). Pure: the engine's check, the consent form and the tests call the same two functions.
 */

/** What a resource says about it, by scope. */
export type FreshnessRules = Readonly<
  Record<string, { readonly reauthSeconds?: number | undefined }>
>;

/** Of these scopes the ones that ask for a recent sign-in. */
export const freshScopes = (rules: FreshnessRules, scopes: readonly string[]): string[] =>
  scopes.filter((scope) => rules[scope]?.reauthSeconds !== undefined);

/** Whether a sign-in of that time (both in seconds) may grant these scopes: the strictest decides. */
export function isFreshFor(
  rules: FreshnessRules,
  scopes: readonly string[],
  signedInAt: number,
  now: number,
): boolean {
  return freshScopes(rules, scopes).every(
    (scope) => now - signedInAt <= (rules[scope]?.reauthSeconds ?? 0),
  );
}
