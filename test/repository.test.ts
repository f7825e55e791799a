// What a clone must be, before anything runs.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ROOT, readManifest } from './support/repository.js';

const EXACT = /^\d+\.\d+\.\d+(-[\w.]+)?$/;

interface Lock {
  readonly packages: Readonly<
    Record<string, { version?: string; resolved?: string; integrity?: string; link?: boolean }>
  >;
}

const lockText = readFileSync(join(ROOT, 'package-lock.json'), 'utf8');
const lock = JSON.parse(lockText) as Lock;
const manifest = readManifest();

it('names no registry in the lock file, and a hash for every package', () => {
  const packages = Object.entries(lock.packages).filter(([path]) => path !== '');
  expect(packages.filter(([, entry]) => entry.resolved !== undefined)).toEqual([]);
  expect(packages.filter(([, entry]) => entry.integrity === undefined)).toEqual([]);
  expect(lockText.match(/https?:\/\/[^"]*(registry|\.tgz)[^"]*/g)).toBeNull();
});

it('pins every direct dependency, and locks that very version', () => {
  const direct = { ...manifest.dependencies, ...manifest.devDependencies };
  expect(Object.entries(direct).filter(([, range]) => !EXACT.test(range))).toEqual([]);
  const locked = Object.keys(direct).map((name) => [
    name,
    lock.packages[`node_modules/${name}`]?.version,
  ]);
  expect(Object.fromEntries(locked)).toEqual(direct);
});

it('pins oidc-provider, whose internals the engine seam knows', () => {
  expect(manifest.dependencies['oidc-provider']).toBe('9.13.3');
});

it('runs the platform binary of esbuild without its install script', () => {
  const binary = join(ROOT, 'node_modules', 'esbuild', 'bin', 'esbuild');
  expect(execFileSync(binary, ['--version'], { encoding: 'utf8' }).trim()).toBe(
    manifest.devDependencies.esbuild,
  );
});

it('keeps the build out of version control', () => {
  const ignored = readFileSync(join(ROOT, '.gitignore'), 'utf8').split('\n');
  expect(ignored).toEqual(expect.arrayContaining(['node_modules/', 'dist/']));
  expect(existsSync(join(ROOT, '.npmrc'))).toBe(true);
});
