// The sections of the report, each in two sizes: `full` for numbers, `smoke` so that it cannot rot.
import type { Figure } from './figures.js';
import { benchFeed, benchVerifiers } from './verifiers.js';

export type Size = 'full' | 'smoke';

export interface Section {
  readonly title: string;
  run(size: Size): Promise<readonly Figure[]>;
}

const VERIFIERS = {
  full: { tokens: 4_000, repeats: 100_000, rounds: 3, facts: 10_000 },
  smoke: { tokens: 2, repeats: 2, rounds: 1, facts: 2 },
} as const;

export const SECTIONS: Readonly<Record<string, Section>> = {
  verifiers: {
    title: 'Verifiers, tokens never seen before (ES256)',
    run: (size) => benchVerifiers('ES256', VERIFIERS[size]),
  },
  'verifiers-rs256': {
    title: 'The same, RS256',
    run: (size) => benchVerifiers('RS256', VERIFIERS[size]),
  },
  'verifiers-eddsa': {
    title: 'The same, EdDSA',
    run: (size) => benchVerifiers('EdDSA', VERIFIERS[size]),
  },
  feed: {
    title: 'A verifier on the revocation feed',
    run: (size) => benchFeed(VERIFIERS[size]),
  },
};
