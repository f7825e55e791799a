/**
 * What a user's earlier decision is still good for: which requests it answers without asking, and
 * whether a new decision adds to it or takes something back. Pure, like `policy.ts`, which decides
 * everything else.
 */
import { isSubset } from '../../protocol/index.js';

/** What was agreed to besides the names of scopes (`terms.ts`), as text that is equal or not. */
export interface TermsFacts {
  /** Agent, client and resource. */
  readonly parties: string;
  readonly scopes: Readonly<Record<string, string>>;
}

export interface ConsentFacts {
  readonly clientHash: string;
  readonly terms: TermsFacts;
  readonly offered: readonly string[];
  readonly granted: readonly string[];
  readonly expiresAtMs: number;
  readonly ended: boolean;
}

export type CoverageDenial =
  | 'no_consent'
  | 'ended'
  | 'expired'
  | 'client_changed'
  | 'terms_changed'
  | 'asks_more'
  | 'nothing_granted';

/** Whether agreeing to one was agreeing to the other, as far as these scopes go. */
export const sameTerms = (one: TermsFacts, other: TermsFacts, scopes: readonly string[]): boolean =>
  one.parties === other.parties &&
  scopes.every((scope) => one.scopes[scope] === other.scopes[scope]);

/**
 * Whether a stored consent covers a request without asking again: it stays within what was offered
 * (so everything in it was decided), the client still describes itself the same way, something of it
 * was granted, and that still means what it meant. What else is in the consent may change unasked.
 */
export function consentCovers(
  consent: ConsentFacts | undefined,
  request: {
    readonly scopes: readonly string[];
    readonly clientHash: string;
    readonly terms: TermsFacts;
    readonly nowMs: number;
  },
): { readonly covered: readonly string[] } | { readonly denied: CoverageDenial } {
  if (consent === undefined) return { denied: 'no_consent' };
  if (consent.ended) return { denied: 'ended' };
  if (consent.expiresAtMs <= request.nowMs) return { denied: 'expired' };
  if (consent.clientHash !== request.clientHash) return { denied: 'client_changed' };
  if (!isSubset(request.scopes, consent.offered)) return { denied: 'asks_more' };
  const covered = request.scopes.filter((scope) => consent.granted.includes(scope));
  if (covered.length === 0) return { denied: 'nothing_granted' };
  if (!sameTerms(consent.terms, request.terms, covered)) return { denied: 'terms_changed' };
  return { covered };
}

/** What of a decision can be taken back. */
export interface DecisionFacts {
  readonly clientHash: string;
  readonly terms: TermsFacts;
  readonly offered: readonly string[];
  readonly granted: readonly string[];
  /** How many actors may follow the agent. */
  readonly helpers: number;
}

/**
 * Whether a new decision takes nothing back: what was granted and is offered again stays ticked, no
 * fewer helpers may follow, and what was agreed to is the same. Otherwise the earlier consent ends,
 * with all it gave: the user's latest word is about what stands on the page now.
 */
export function onlyAdds(earlier: DecisionFacts, latest: DecisionFacts): boolean {
  const again = earlier.granted.filter((scope) => latest.offered.includes(scope));
  return (
    earlier.clientHash === latest.clientHash &&
    latest.helpers >= earlier.helpers &&
    isSubset(again, latest.granted) &&
    sameTerms(earlier.terms, latest.terms, again)
  );
}
