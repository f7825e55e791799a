/** What is different from what a person last decided, in the order the page says it. Pure. */
import type { ClientTerms, ScopeTerms, Terms } from '../delegation/terms.js';
import type { ChangedPart, ShownChange, ShownChanges } from '../http/page-model.js';

export interface EarlierDecision {
  /** Undefined for one from before terms were kept: then only scopes can be compared. */
  readonly terms: Terms | undefined;
  readonly offered: readonly string[];
  readonly granted: readonly string[];
}

export interface PresentOffer {
  readonly terms: Terms;
  readonly offered: readonly string[];
  /** Asked for and not possible, or not known to the resource any more. */
  readonly lost: readonly string[];
  /** What a scope is called, for those whose terms nobody kept. */
  readonly titleOf: (scope: string) => string;
}

export function changesSince(earlier: EarlierDecision, now: PresentOffer): ShownChanges {
  const title = (name: string): string =>
    now.terms.scopes[name]?.title ?? earlier.terms?.scopes[name]?.title ?? now.titleOf(name);
  const named = (names: readonly string[]) => names.map((name) => ({ name, title: title(name) }));
  const again = earlier.granted.filter((name) => now.offered.includes(name));
  return {
    added: named(now.offered.filter((name) => !earlier.offered.includes(name))),
    gone: named(earlier.granted.filter((name) => now.lost.includes(name))),
    changed:
      earlier.terms === undefined
        ? []
        : [
            ...partyChanges(earlier.terms, now.terms),
            ...again.flatMap((name) =>
              scopeChanges(title(name), earlier.terms?.scopes[name], now.terms.scopes[name]),
            ),
          ],
  };
}

type Value = string | readonly string[];

const words = (value: Value | undefined): readonly string[] =>
  value === undefined || value === '' ? [] : typeof value === 'string' ? [value] : value;

function compared(
  rows: ReadonlyArray<readonly [ChangedPart, Value | undefined, Value | undefined]>,
  scope?: string,
): ShownChange[] {
  return rows.flatMap(([part, was, is]) => {
    const [before, after] = [words(was), words(is)];
    const same = before.length === after.length && before.every((word, n) => word === after[n]);
    return same ? [] : [{ part, ...(scope === undefined ? {} : { scope }), before, after }];
  });
}

function partyChanges(was: Terms, is: Terms): ShownChange[] {
  const client = (part: ChangedPart, member: keyof ClientTerms) =>
    [part, was.client[member], is.client[member]] as const;
  return compared([
    ['agentName', was.agent?.name, is.agent?.name],
    ['agentOwner', was.agent?.owner, is.agent?.owner],
    ['agentPurpose', was.agent?.purpose, is.agent?.purpose],
    ['agentDescription', was.agent?.description, is.agent?.description],
    client('clientName', 'name'),
    client('clientRedirects', 'redirectUris'),
    client('clientDescription', 'description'),
    client('clientUri', 'clientUri'),
    client('clientLogo', 'logoUri'),
    client('clientPolicy', 'policyUri'),
    client('clientContact', 'contact'),
    client('clientProof', 'proof'),
    ['resourceName', was.resource?.name, is.resource?.name],
  ]);
}

/** Identity scopes have no terms: they mean the same everywhere. */
function scopeChanges(
  title: string,
  was: ScopeTerms | undefined,
  is: ScopeTerms | undefined,
): ShownChange[] {
  if (was === undefined || is === undefined) return [];
  return compared(
    [
      ['scopeTitle', was.title, is.title],
      ['scopeDescription', was.description, is.description],
      ['scopeRisk', was.risk, is.risk],
      ['scopeTools', was.tools, is.tools],
      ['scopeOnward', onward(was), onward(is)],
    ],
    title,
  );
}

const onward = ({ downstream }: ScopeTerms): readonly string[] =>
  Object.values(downstream)
    .flatMap(({ name, scopes }) => Object.values(scopes).map((there) => `${name}: ${there}`))
    .sort();
