import { defineConfig } from 'vitest/config';

// Where .ci/run wants the counts; unset everywhere else.
const report = process.env.CI_TEST_REPORT;

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    globalSetup: ['test/support/global-setup.ts'],
    // Processes, not threads: native add-ons and signal handling behave as in production.
    pool: 'forks',
    maxWorkers: 2,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Long enough for PostgreSQL and a browser to be stopped and their folders removed.
    teardownTimeout: 20_000,
  },
});
