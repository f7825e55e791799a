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

describe('the scenarios', () => {
  it('are at least forty, each said once', () => {
    const titles = all.map(titleOf);
    expect(all.length).toBeGreaterThanOrEqual(40);
    expect(new Set(titles).size).toBe(titles.length);
  });

  it('deny for every reason there is a word for', () => {
    const used = new Set(all.flatMap(({ denied }) => denied.map(({ because }) => because)));
    expect(REASONS.filter((reason) => !used.has(reason))).toEqual([]);
  });
});

runScenarios(files);
