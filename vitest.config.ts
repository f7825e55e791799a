import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Where .ci/run wants the counts; unset everywhere else.
const report = process.env.CI_TEST_REPORT;

const source = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  // The examples import the package by its name, as users do; here that is the source.
  resolve: {
    alias: [
      { find: /^behalf$/, replacement: source('src/broker/index.ts') },
      { find: /^behalf\/(.+)$/, replacement: source('src/$1/index.ts') },
    ],
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  test: {
    include: ['test/**/*.test.{ts,tsx}'],
    globalSetup: ['test/support/global-setup.ts'],
    // Processes, not threads: native add-ons and signal handling behave as in production.
    pool: 'forks',
    maxWorkers: 2,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
    testTimeout: 30_000,
    // What a notice or the next second brings about may take a busy machine as long as it likes.
    expect: { poll: { timeout: 20_000 } },
    hookTimeout: 60_000,
    // Long enough for PostgreSQL and a browser to be stopped and their folders removed.
    teardownTimeout: 20_000,
  },
});
