/**
 * The smallest change that would allow what was refused: candidates are single facts, each tried by
 * deciding again with the very functions that decide (`delegation/`, `exchange/`, `tokens/`). Pure.
 * Whatever is proposed does allow it, and nothing of it could be left out.
 */
import { decideDelegation, type TakenAway } from '../delegation/policy.js';
import { decideExchange } from '../exchange/policy.js';
import { decideOwn } from '../tokens/policy.js';
import { after } from './after.js';
import { candidatesFor, wantedIn } from './candidates.js';
import type { Change, Question } from './change.js';

export interface Explained {
  /** Everything that was asked for is granted as things are now. */
  readonly allowed: boolean;
  /** Why not, by the rule's name. */
  readonly rule?: string | undefined;
  readonly granted: readonly string[];
  readonly takenAway: readonly TakenAway[];
  /** Empty: nothing has to change. Absent: no change of these kinds allows it. */
  readonly change?: readonly Change[] | undefined;
}

export function explain(question: Question): Explained {
  const decision = decide(question);
  const allowed = isAllowed(question);
  return {
    allowed,
    rule: 'denied' in decision ? decision.denied : allowed ? undefined : 'taken_away',
    granted: 'denied' in decision ? [] : decision.granted,
    takenAway: decision.takenAway ?? [],
    change: smallestChange(question),
  };
}

function decide(question: Question) {
  switch (question.kind) {
    case 'delegation':
      if (question.over === true) return { denied: 'ended', takenAway: [] } as const;
      return decideDelegation(question.facts, question.request);
    case 'exchange':
      return decideExchange(question.facts, question.request);
    case 'own':
      return decideOwn(question.facts, question.asked);
  }
}

/** Whether everything that was asked for would be granted. */
export function isAllowed(question: Question): boolean {
  const decision = decide(question);
  if ('denied' in decision) return false;
  const wanted = wantedIn(question);
  return wanted.every((scope) => decision.granted.includes(scope));
}

export const afterAll = (question: Question, changes: readonly Change[]): Question =>
  changes.reduce(after, question);

/**
 * All candidates together, then without each one that is not needed. No right makes another smaller
 * (a property of the law), so what cannot be left out alone cannot be left out with others either.
 */
export function smallestChange(question: Question): readonly Change[] | undefined {
  if (isAllowed(question)) return [];
  let chosen = candidatesFor(question);
  if (!isAllowed(afterAll(question, chosen))) return undefined;
  for (const candidate of chosen) {
    const without = chosen.filter((one) => one !== candidate);
    if (isAllowed(afterAll(question, without))) chosen = without;
  }
  return chosen;
}
