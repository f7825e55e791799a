// Scenarios as data (DESIGN §8c): through the pure policy, over HTTP and through the
// verifier, all three as the scenario says.
import { describe, expect, it } from 'vitest';
import { alone } from './alone.js';
import { consents } from './consents.js';
import { helpers } from './helpers.js';
import { onward } from './onward.js';
import { stops } from './stops.js';
import { runScenarios, titleOf } from './support/run.js';
import { REASONS } from './support/words.js';

const files = { helpers, onward, stops, consents, alone };
const all = Object.values(files).flat();

/** Of the last years, as far as they are about who acts for whom, where, and until when. */
const INCIDENTS = [
  'CVE-2026-9094',
  'CVE-2026-9097',
  'CVE-2024-47000',
  'CVE-2025-64521 deactivated service account',
  'CVE-2026-44428',
  'CVE-2025-69196',
  'CVE-2023-43645 circular delegation',
  'GHSA-7qjx-gp9h-65qj',
  'keycloak CVE-2026-8922 notBefore ignored',
  'keycloak#48104 exchange lost a check',
  'keycloak#52691 omitted actor',
  'better-auth GHSA-p2fr-6hmx-4528',
  'workers-oauth-provider 0.8.3',
];

describe('the scenarios', () => {
  it('are at least forty, each said once', () => {
    const titles = all.map(titleOf);
    expect(all.length).toBeGreaterThanOrEqual(40);
    expect(new Set(titles).size).toBe(titles.length);
  });

  it('have the incidents of delegation among them: what went wrong elsewhere', () => {
    const told = new Set(all.flatMap(({ refs = [] }) => refs));
    expect(INCIDENTS.filter((incident) => !told.has(incident))).toEqual([]);
  });

  it('deny for every reason there is a word for', () => {
    const used = new Set(all.flatMap(({ denied }) => denied.map(({ because }) => because)));
    expect(REASONS.filter((reason) => !used.has(reason))).toEqual([]);
  });
});

runScenarios(files);
