// The sections of the report, each in two sizes: `full` for numbers, `smoke` so that it cannot rot.
import { benchClientCredentials, benchExchange, benchReplica } from './broker.js';
import { benchExpress } from './express.js';
import type { Figure } from './figures.js';
import { benchReach } from './reach.js';
import { benchFeed, benchVerifiers } from './verifiers.js';

export type Size = 'full' | 'smoke';

export interface Section {
  readonly title: string;
  /** Starts more processes than a test run should pay for; what it is made of runs in others. */
  readonly fullOnly?: boolean;
  /** @param postgresUrl of a PostgreSQL server, started when a section asks for it */
  run(size: Size, postgresUrl: () => Promise<string>): Promise<readonly Figure[]>;
}

const VERIFIERS = {
  full: { tokens: 4_000, repeats: 100_000, rounds: 9, facts: 10_000 },
  smoke: { tokens: 2, repeats: 2, rounds: 1, facts: 2 },
} as const;

const BROKER = {
  full: { milliseconds: 3_000, rounds: 3, connections: 16, many: 2_000, subjects: 20_000 },
  smoke: { milliseconds: 0, rounds: 0, connections: 2, many: 3, subjects: 2 },
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
  express: {
    title: 'An Express server',
    fullOnly: true,
    run: (size) => benchExpress(BROKER[size]),
  },
  'client-credentials': {
    title: 'client_credentials with a resource, recorded and gated, on PostgreSQL',
    fullOnly: true,
    run: async (size, url) => benchClientCredentials(await url(), BROKER[size]),
  },
  exchange: {
    title: 'Token exchange, recorded and gated, on PostgreSQL',
    run: async (size, url) => benchExchange(await url(), BROKER[size]),
  },
  replica: {
    title: 'A second process on the same PostgreSQL',
    fullOnly: true,
    run: async (size, url) => benchReplica(await url(), BROKER[size]),
  },
  reach: {
    title: 'How far a stop reaches, and how soon',
    fullOnly: true,
    run: async (size, url) => benchReach(await url(), size === 'full' ? 50 : 1),
  },
};
