#!/usr/bin/env node
/** The `behalf` command. Says what went wrong in one sentence, and exits with 1. */
import { createCli } from './cli.js';

// Whoever reads the output may have seen enough (`| head`): that is no failure of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

createCli()
  .parseAsync()
  .catch((error: unknown) => {
    process.stderr.write(`behalf: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
