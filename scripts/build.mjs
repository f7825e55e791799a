// Builds dist/: compiled src and schema, the migrations, and assets that are not TypeScript.
// `--out DIR` builds elsewhere, so that a test can look at a build without touching dist/.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const { values } = parseArgs({ options: { out: { type: 'string', default: 'dist' } } });
const out = resolve(root, values.out);

rmSync(out, { recursive: true, force: true });

const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
/** Comments go into the types, where editors show them, and not into what a server loads. */
for (const more of [[], ['--noCheck', '--declaration', 'false', '--removeComments']]) {
  const args = ['-p', join(root, 'tsconfig.build.json'), '--outDir', out, ...more];
  const { status } = spawnSync(process.execPath, [tsc, ...args], { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

const migrations = join(root, 'schema', 'migrations');
if (existsSync(migrations)) {
  cpSync(migrations, join(out, 'schema', 'migrations'), { recursive: true });
}

const isAsset = /\.(?:css|svg|sql|txt)$/;
for (const entry of readdirSync(join(root, 'src'), { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !isAsset.test(entry.name)) continue;
  const from = join(entry.parentPath, entry.name);
  cpSync(from, join(out, from.slice(root.length + 1)));
}

const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
for (const path of Object.values(bin ?? {})) {
  const built = join(out, String(path).replace(/^\.\/dist\//, ''));
  if (existsSync(built)) chmodSync(built, 0o755);
}
