// What a whole run shares: one PostgreSQL server, and one folder in which the first browser test
// unpacks Chromium. Both are gone when the run is, even after a kill (see scratch.ts).
import type { TestProject } from 'vitest/node';
import { startPostgres } from './postgres-server.js';
import { createScratch } from './scratch.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The maintenance database of the run's PostgreSQL. */
    postgresUrl: string;
    /** A folder of this run, removed at its end. */
    scratchDir: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const scratch = createScratch('run');
  const server = await startPostgres().catch(async (error: unknown) => {
    await scratch.dispose();
    throw error;
  });
  project.provide('postgresUrl', server.url);
  project.provide('scratchDir', scratch.dir);
  return async () => {
    await server.stop();
    await scratch.dispose();
  };
}
