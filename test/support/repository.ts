// The repository as tests see it: its files, its manifest, and a build of its own.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import type { Source } from './syntax.js';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Manifest {
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, unknown>>>>;
  readonly imports?: Readonly<Record<string, unknown>>;
}

export function readManifest(): Manifest {
  return JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as Manifest;
}

/** All TypeScript below a folder of the repository; none while the folder does not exist. */
export function sourcesIn(folder: string): Source[] {
  const start = join(ROOT, folder);
  if (!existsSync(start)) return [];
  return readdirSync(start, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => ({
      path: relative(ROOT, path).split(sep).join('/'),
      text: readFileSync(path, 'utf8'),
    }));
}

/** A folder of this test file's own; the run removes it. */
export function scratchFolder(label: string): string {
  return mkdtempSync(join(inject('scratchDir'), `${label}-`));
}

/** The program that compiles, to be run with node. */
export function compilerPath(): string {
  const require = createRequire(import.meta.url);
  return join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
}

/** Compiles src and schema into a folder of this run. Types are not checked: `npm run types` does. */
export function compileUnchecked(): string {
  const out = scratchFolder('built');
  const args = ['-p', join(ROOT, 'tsconfig.build.json'), '--outDir', out];
  const asBuilt = ['--noCheck', '--declaration', 'false', '--removeComments'];
  execFileSync(process.execPath, [compilerPath(), ...args, ...asBuilt]);
  return out;
}
