// The package as others meet it: packed, unpacked somewhere else, imported by plain Node, and
// compiled against by a strict TypeScript project.
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { compilerPath, ROOT, readManifest, scratchFolder } from './support/repository.js';

const manifest = readManifest();
const subpaths = Object.keys(manifest.exports)
  .filter((path) => path !== './package.json')
  .map((path) => `behalf${path.slice(1)}`);

let consumer = '';

beforeAll(async () => {
  const staged = scratchFolder('staged');
  const build = [join(ROOT, 'scripts/build.mjs'), '--out', join(staged, 'dist')];
  await promisify(execFile)(process.execPath, build).catch((error: { stdout: string }) => {
    throw new Error(`The build failed, so there is nothing to pack.\n${error.stdout}`);
  });
  for (const name of ['package.json', 'README.md', 'LICENSE', '.npmrc']) {
    if (existsSync(join(ROOT, name))) cpSync(join(ROOT, name), join(staged, name));
  }
  const packed = execFileSync('npm', ['pack', '--ignore-scripts', '--json', '--offline'], {
    cwd: staged,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const { filename } = (JSON.parse(packed) as { filename: string }[])[0] ?? { filename: '' };
  consumer = scratchFolder('consumer');
  const home = join(consumer, 'node_modules', 'behalf');
  mkdirSync(home, { recursive: true });
  execFileSync('tar', ['-xzf', join(staged, filename), '--strip-components=1', '-C', home]);
  // Exactly what npm would install beside it: our dependencies, and what a Node project has.
  for (const name of [...Object.keys(manifest.dependencies), '@types/node']) {
    const link = join(consumer, 'node_modules', name);
    mkdirSync(dirname(link), { recursive: true });
    symlinkSync(join(ROOT, 'node_modules', name), link, 'dir');
  }
  writeFileSync(join(consumer, 'package.json'), '{ "type": "module", "private": true }\n');
}, 120_000);

describe('the packed package', () => {
  it('carries the migrations, and neither tests nor TypeScript sources', () => {
    const home = join(consumer, 'node_modules', 'behalf');
    expect(existsSync(join(home, 'dist/schema/migrations/meta/_journal.json'))).toBe(true);
    expect(existsSync(join(home, 'test'))).toBe(false);
    expect(existsSync(join(home, 'src'))).toBe(false);
  });

  it('has a command that starts with a line naming node', () => {
    const { bin } = JSON.parse(
      readFileSync(join(consumer, 'node_modules/behalf/package.json'), 'utf8'),
    ) as { bin: Record<string, string> };
    const command = join(consumer, 'node_modules/behalf', bin.behalf ?? '');
    expect(readFileSync(command, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  // The process must end by itself: importing opens nothing and starts nothing.
  it.each(subpaths)('imports %s in plain Node, and lets the process end', async (subpath) => {
    const script = `const m = await import('${subpath}'); console.log(Object.keys(m).length)`;
    const { stdout } = await promisify(execFile)(
      process.execPath,
      ['--input-type=module', '-e', script],
      { cwd: consumer, timeout: 15_000 },
    );
    expect(Number(stdout)).toBeGreaterThan(0);
  });

  // Libraries are checked too, but only what is said of our own files counts: a declaration of
  // ours that cannot be resolved would silently be `any` for whoever imports it.
  it.each(subpaths)('type-checks an outside module that imports %s', async (subpath) => {
    const folder = join(consumer, subpath.replaceAll('/', '-'));
    mkdirSync(folder, { recursive: true });
    const text = `import * as it from '${subpath}';\nexport const names: string[] = Object.keys(it);\n`;
    writeFileSync(join(folder, 'consumer.ts'), text);
    const compilerOptions = {
      strict: true,
      exactOptionalPropertyTypes: true,
      module: 'NodeNext',
      target: 'ES2023',
      types: ['node'],
      noEmit: true,
    };
    writeFileSync(
      join(folder, 'tsconfig.json'),
      JSON.stringify({ compilerOptions, include: ['consumer.ts'] }),
    );
    const output = await promisify(execFile)(
      process.execPath,
      [compilerPath(), '-p', folder, '--pretty', 'false'],
      { cwd: folder },
    ).then(
      ({ stdout }) => stdout,
      (error: { stdout: string }) => error.stdout,
    );
    const isOurs = (line: string) => /error TS/.test(line) && /behalf\/|consumer\.ts/.test(line);
    expect(output.split('\n').filter(isOurs)).toEqual([]);
  });
});
