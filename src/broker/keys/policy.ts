/**
 * The life of a signing key: next (published, signs nothing yet), active (signs), retiring (verifies
 * what it signed), retired (gone from the published set). Pure: keys and a time in, steps out. There
 * is always a next key beside the active one, so that whoever verifies knows it before it signs.
 */
import type { SigningAlg } from '../../protocol/index.js';

export type KeyState = 'next' | 'active' | 'retiring' | 'retired';

/** A key as far as its life goes. */
export interface KeyFacts {
  readonly kid: string;
  readonly alg: SigningAlg;
  readonly state: KeyState;
  readonly createdAt: Date;
  readonly activatedAt: Date | null;
  readonly retiresAt: Date | null;
}

export interface RotationRules {
  /** How long a key signs before the next takes over; 0: until somebody says so. */
  readonly rotationDays: number;
  /** How long a key is published before it signs: longer than any verifier goes without reading. */
  readonly leadSeconds: number;
}

export type KeyStep =
  | { readonly step: 'create'; readonly alg: SigningAlg; readonly state: 'next' | 'active' }
  /** Signs from now on; the one before it, if any, only verifies. */
  | { readonly step: 'activate'; readonly key: KeyFacts; readonly before: KeyFacts | undefined }
  /** Everything it signed has run out. */
  | { readonly step: 'retire'; readonly key: KeyFacts };

const DAY_MS = 24 * 3600 * 1000;

const find = (keys: readonly KeyFacts[], alg: SigningAlg, state: KeyState): KeyFacts | undefined =>
  keys.find((key) => key.alg === alg && key.state === state);

/** When a key has been published for long enough to sign. */
export const readyAt = (key: KeyFacts, { leadSeconds }: RotationRules): Date =>
  new Date(key.createdAt.getTime() + leadSeconds * 1000);

/** What is due for the algorithms in use: missing keys, the rotation, keys whose last token is gone. */
export function dueSteps(
  keys: readonly KeyFacts[],
  algs: readonly SigningAlg[],
  nowMs: number,
  rules: RotationRules,
): KeyStep[] {
  const expired = keys
    .filter(({ state, retiresAt }) => state === 'retiring' && Number(retiresAt) <= nowMs)
    .map((key): KeyStep => ({ step: 'retire', key }));
  return [...algs.flatMap((alg) => dueFor(keys, alg, nowMs, rules)), ...expired];
}

function dueFor(
  keys: readonly KeyFacts[],
  alg: SigningAlg,
  nowMs: number,
  rules: RotationRules,
): KeyStep[] {
  const active = find(keys, alg, 'active');
  const next = find(keys, alg, 'next');
  // The first of its algorithm: nobody has read a set without it that had any use for it.
  if (active === undefined) return succession(alg, next, undefined);
  if (next === undefined) return [{ step: 'create', alg, state: 'next' }];
  const signsSinceMs = (active.activatedAt ?? active.createdAt).getTime();
  const isDue = rules.rotationDays > 0 && nowMs - signsSinceMs >= rules.rotationDays * DAY_MS;
  if (!isDue || readyAt(next, rules).getTime() > nowMs) return [];
  return succession(alg, next, active);
}

/** The next key takes over and another is published in its place; without one, a new key signs at once. */
export const succession = (
  alg: SigningAlg,
  next: KeyFacts | undefined,
  before: KeyFacts | undefined,
): KeyStep[] => [
  next === undefined
    ? { step: 'create', alg, state: 'active' }
    : { step: 'activate', key: next, before },
  { step: 'create', alg, state: 'next' },
];

/** Why the keys of some algorithms cannot change now; undefined when they can. */
export function rotationProblem(
  keys: readonly KeyFacts[],
  algs: readonly SigningAlg[],
  nowMs: number,
  rules: RotationRules,
): string | undefined {
  for (const alg of algs) {
    const next = find(keys, alg, 'next');
    if (next === undefined) return `there is no next ${alg} key yet: try again in a moment`;
    const ready = readyAt(next, rules);
    if (ready.getTime() > nowMs) {
      return `the next ${alg} key has not been published for long enough: whoever verifies knows it from ${ready.toISOString()} on`;
    }
  }
  return undefined;
}

/** The steps of a rotation asked for now. */
export const rotationSteps = (keys: readonly KeyFacts[], algs: readonly SigningAlg[]): KeyStep[] =>
  algs.flatMap((alg) => succession(alg, find(keys, alg, 'next'), find(keys, alg, 'active')));

/** Who takes over from a compromised key, at once and however young: nothing if it did not sign. */
export function replacementSteps(keys: readonly KeyFacts[], compromised: KeyFacts): KeyStep[] {
  const { alg, state } = compromised;
  const others = keys.filter(({ kid }) => kid !== compromised.kid);
  const next = find(others, alg, 'next');
  if (state === 'active') return succession(alg, next, undefined);
  return state === 'next' ? [{ step: 'create', alg, state: 'next' }] : [];
}
