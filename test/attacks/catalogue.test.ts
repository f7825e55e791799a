// The catalogue itself: which classes of threats have a case, and that every case is its own.
import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Attack, title } from './support/attack.js';
import { actors } from './tables/actors.js';
import { admin } from './tables/admin.js';
import { clientDocumentAttacks } from './tables/client-documents.js';
import { clientProofs } from './tables/client-proofs.js';
import { codes } from './tables/codes.js';
import { consentPage } from './tables/consent-page.js';
import { writtenDown } from './tables/dumped.js';
import { sharedEnds } from './tables/epochs.js';
import { exchange } from './tables/exchange.js';
import { interaction } from './tables/interaction.js';
import { jose } from './tables/jose.js';
import { lifecycle } from './tables/lifecycle.js';
import { ownPages } from './tables/me.js';
import { native } from './tables/native.js';
import { parsing } from './tables/parsing.js';
import { redirects } from './tables/redirects.js';
import { refresh } from './tables/refresh.js';
import { registration } from './tables/registration.js';
import { requests } from './tables/requests.js';
import { smuggling } from './tables/smuggling.js';
import { requestForgery } from './tables/ssrf.js';
import { terms } from './tables/terms.js';
import { atVerifier } from './tables/verifier.js';

const all: readonly Attack[] = [
  ...redirects,
  ...clientProofs,
  ...requests,
  ...native,
  ...registration,
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
  ...sharedEnds,
  ...writtenDown,
  ...atVerifier,
  ...clientDocumentAttacks,
  ...requestForgery,
];

/** How many classes each group of the threat catalogue has. */
const GROUPS = { A: 14, C: 11, D: 11, I: 14, J: 15, K: 14, L: 12, M: 16, P: 16, R: 9, S: 4, X: 22 };

/** Not a case here, and why: proved somewhere else, or nothing Behalf has. */
const EXCUSED: Readonly<Record<string, { readonly because: string; readonly at?: string }>> = {
  K2: {
    because: 'times tell nothing in a suite; what is compared, and by what, does',
    at: 'store/at-rest',
  },
  L5: { because: 'a tenant is a whole broker: to suspend it is to stop its process (DESIGN §10)' },
  L12: {
    because: 'there is no command yet that restores a backup, and so no epoch for it to raise',
  },
  M5: { because: 'parameters of a hash, which no request reaches', at: 'users/password' },
  M13: {
    because: 'there are no metrics yet, and the health pages say one word',
    at: 'engine/shutdown',
  },
  M14: {
    because: 'about the lock file and install scripts, not a running broker',
    at: 'repository',
  },
  M15: { because: 'private keys are sealed where they are stored', at: 'store/at-rest' },
  M16: { because: 'refused before anything listens', at: 'config' },
  P4: { because: 'Node closes slow connections after seconds that a suite cannot wait for' },
  P12: { because: 'every list is paged', at: 'admin/api' },
  P13: { because: 'a guess of 256 bits looks like any other dead token', at: 'rfc/introspection' },
};

describe('the catalogue', () => {
  const covered = new Set(all.map(({ id }) => id));
  const due = Object.entries(GROUPS).flatMap(([group, count]) =>
    Array.from({ length: count }, (_, n) => `${group}${n + 1}`),
  );

  it('has a case for every class, or a sentence why not; and a thousand in all', () => {
    expect(due.filter((id) => !covered.has(id) && EXCUSED[id] === undefined)).toEqual([]);
    expect(all.length).toBeGreaterThanOrEqual(1000);
  });

  it('excuses nothing that has a case, and nothing by a file that is not there', () => {
    const stale = Object.keys(EXCUSED).filter((id) => covered.has(id) || !due.includes(id));
    const lost = Object.values(EXCUSED).filter(
      ({ at }) => at !== undefined && !existsSync(new URL(`../${at}.test.ts`, import.meta.url)),
    );
    expect([stale, lost]).toEqual([[], []]);
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
