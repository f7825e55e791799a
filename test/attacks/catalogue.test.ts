// The catalogue itself: which classes of threats have a case, and that every case is its own.
import { describe, expect, it } from 'vitest';
import { type Attack, title } from './support/attack.js';
import { actors } from './tables/actors.js';
import { admin } from './tables/admin.js';
import { codes } from './tables/codes.js';
import { consentPage } from './tables/consent-page.js';
import { exchange } from './tables/exchange.js';
import { interaction } from './tables/interaction.js';
import { jose } from './tables/jose.js';
import { lifecycle } from './tables/lifecycle.js';
import { ownPages } from './tables/me.js';
import { parsing } from './tables/parsing.js';
import { redirects } from './tables/redirects.js';
import { refresh } from './tables/refresh.js';
import { requests } from './tables/requests.js';
import { smuggling } from './tables/smuggling.js';
import { terms } from './tables/terms.js';

const all: readonly Attack[] = [
  ...redirects,
  ...requests,
  ...codes,
  ...actors,
  ...consentPage,
  ...interaction,
  ...jose,
  ...lifecycle,
  ...parsing,
  ...refresh,
  ...smuggling,
  ...terms,
  ...admin,
  ...exchange,
  ...ownPages,
];

/** What the flows built so far can be attacked by; every further class belongs to what is not there yet. */
const DUE = {
  A: [1, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
  C: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  D: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  I: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14],
  J: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
  L: [1, 2, 3, 4, 6, 7, 10, 11],
  M: [1, 2, 3, 4, 6, 10, 11, 12],
  P: [1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 14, 15, 16],
  R: [1, 2, 3, 4, 5, 6, 7, 8, 9],
  X: Array.from({ length: 22 }, (_, n) => n + 1),
};

describe('the catalogue', () => {
  it('has a case for every class that is due, and a thousand in all', () => {
    const covered = new Set(all.map(({ id }) => id));
    const due = Object.entries(DUE).flatMap(([group, numbers]) =>
      numbers.map((n) => `${group}${n}`),
    );
    expect(due.filter((id) => !covered.has(id))).toEqual([]);
    expect(all.length).toBeGreaterThanOrEqual(1000);
  });

  it('says each thing once', () => {
    const counts = new Map<string, number>();
    for (const attack of all) counts.set(title(attack), (counts.get(title(attack)) ?? 0) + 1);
    expect([...counts].filter(([, count]) => count > 1)).toEqual([]);
  });

  it('says of whatever stays alive why it may, and of whatever is not audited why not', () => {
    const silent = all.filter(({ unaudited }) => unaudited !== undefined && unaudited.length < 15);
    const mute = all.filter(
      ({ legitimate }) => legitimate !== undefined && legitimate.because.length < 10,
    );
    expect([...silent, ...mute].map(title)).toEqual([]);
  });
});
