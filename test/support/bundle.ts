// One file of a script and all of ours that it imports, for processes that are started again and again:
// compiling them each time would be most of their life. Packages stay where they are.
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/**
 * @param dir an empty folder: packages and migrations are found from it as from the source
 * @returns the path of the bundle
 */
export async function bundleScript(script: string, dir: string): Promise<string> {
  for (const name of ['node_modules', 'schema']) await symlink(join(ROOT, name), join(dir, name));
  // As deep as what looks for the migrations (src/broker/db).
  const outfile = join(dir, 'src', 'broker', 'db', 'bundle.mjs');
  await build({
    entryPoints: [script],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    logLevel: 'error',
  });
  return outfile;
}
