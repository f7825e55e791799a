// Walks what built code really imports, from an entry file outwards.
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { importsOf } from './syntax.js';

export interface ImportGraph {
  /** Files reached, from the build folder, with their sizes in bytes. */
  readonly files: ReadonlyMap<string, number>;
  /** Packages and built-ins reached. */
  readonly packages: ReadonlySet<string>;
  readonly bytes: number;
}

/**
 * `aliases` is the `imports` field of package.json: every condition of a `#name` is followed, so a
 * platform's own file counts as well.
 */
export function walkImports(
  built: string,
  entry: string,
  aliases: Readonly<Record<string, unknown>> = {},
): ImportGraph {
  const files = new Map<string, number>();
  const packages = new Set<string>();
  const queue = [join(built, entry)];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    const path = relative(built, file).split(sep).join('/');
    if (files.has(path)) continue;
    const text = readFileSync(file, 'utf8');
    files.set(path, Buffer.byteLength(text));
    for (const { specifier, isTypeOnly } of importsOf({ path, text })) {
      if (isTypeOnly) continue;
      if (specifier?.startsWith('.')) queue.push(join(dirname(file), specifier));
      else if (specifier?.startsWith('#')) {
        queue.push(...leavesOf(aliases[specifier]).map((leaf) => builtPath(built, leaf)));
      } else packages.add(specifier ?? '(computed)');
    }
  }
  const bytes = [...files.values()].reduce((sum, size) => sum + size, 0);
  return { files, packages, bytes };
}

function leavesOf(target: unknown): string[] {
  if (typeof target === 'string') return /\.d\.ts$/.test(target) ? [] : [target];
  if (typeof target !== 'object' || target === null) return [];
  return Object.values(target).flatMap(leavesOf);
}

function builtPath(built: string, leaf: string): string {
  const path = join(built, leaf.replace(/^\.\/dist\//, ''));
  if (!existsSync(path)) throw new Error(`package.json points at ${leaf}, which the build lacks`);
  return path;
}
