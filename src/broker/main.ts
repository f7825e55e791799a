#!/usr/bin/env node
/** The `behalf` command. Says what went wrong in one sentence, and exits with 1. */
import { createCli } from './cli.js';

createCli()
  .parseAsync()
  .catch((error: unknown) => {
    process.stderr.write(`behalf: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  });
