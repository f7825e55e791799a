// The walls of DESIGN §10 as checks over source text. Each takes sources and returns sentences, one
// for each breach, so that the test can show that every check does catch what it is there for.
import { posix } from 'node:path';
import {
  type ImportedModule,
  importsOf,
  isNode,
  lineOf,
  nameOf,
  nodesOf,
  type Source,
  type SyntaxNode,
} from './syntax.js';

/** Where a folder's files may reach. Entries ending in `/` or `:` are prefixes. */
export interface Wall {
  readonly from: string;
  /** Repository paths and packages. */
  readonly may: readonly string[];
  /** The same, but only by `import type`. */
  readonly mayAsType?: readonly string[];
}

export interface SliceRules {
  /** The folder whose sub-folders are slices. */
  readonly root: string;
  /** Files and folders that name every slice: they may import anything below the root. */
  readonly composition: readonly string[];
  /** Folders and files every slice may import, which themselves import no slice. */
  readonly leaves: readonly string[];
  /** Folders and files whose types, but not code, every slice may import. */
  readonly typeLeaves: readonly string[];
  /** Single exceptions, each with its reason. */
  readonly exceptions: readonly { from: string; to: string; typeOnly: boolean; reason: string }[];
}

/** A class that may exist: in this place, and of this name or with this parent. */
export interface AllowedClass {
  readonly in: string;
  readonly name?: string;
  readonly parent?: string;
}

/** A repository path for relative specifiers, else the specifier as it stands. */
export function targetOf(from: string, imported: ImportedModule): string {
  const specifier = imported.specifier ?? '(computed)';
  if (!specifier.startsWith('.')) return specifier;
  return posix
    .join(posix.dirname(from), specifier)
    .replace(/\.js$/, '.ts')
    .replace(/\.jsx$/, '.tsx');
}

function matches(target: string, entry: string): boolean {
  if (entry.endsWith('/') || entry.endsWith(':')) return target.startsWith(entry);
  return target === entry || target.startsWith(`${entry}/`);
}

const anyOf = (target: string, entries: readonly string[]) =>
  entries.some((entry) => matches(target, entry));

export function breachesOfWalls(sources: readonly Source[], walls: readonly Wall[]): string[] {
  const longestFirst = [...walls].sort((a, b) => b.from.length - a.from.length);
  return sources.flatMap((source) => {
    const wall = longestFirst.find(({ from }) => source.path.startsWith(from));
    if (wall === undefined) return [`${source.path} stands in no folder that has a wall`];
    return importsOf(source).flatMap((imported) => {
      const target = targetOf(source.path, imported);
      if (anyOf(target, wall.may)) return [];
      if (imported.isTypeOnly && anyOf(target, wall.mayAsType ?? [])) return [];
      return [`${source.path}:${imported.line} imports ${target}, which ${wall.from} may not`];
    });
  });
}

export function breachesOfSlices(sources: readonly Source[], rules: SliceRules): string[] {
  const breaches: string[] = [];
  for (const source of sources) {
    if (!source.path.startsWith(rules.root) || anyOf(source.path, rules.composition)) continue;
    const home = sliceOf(source.path, rules);
    for (const imported of importsOf(source)) {
      const target = targetOf(source.path, imported);
      if (!target.startsWith(rules.root)) continue;
      const where = `${source.path}:${imported.line}`;
      if (anyOf(target, rules.composition)) {
        breaches.push(`${where} imports ${target}, a composition file`);
      } else if (!mayEnter(source.path, home, target, imported.isTypeOnly, rules)) {
        breaches.push(
          `${where} imports ${imported.isTypeOnly ? 'types of ' : ''}${target}, of another slice; take it as an argument`,
        );
      }
    }
  }
  return breaches;
}

function mayEnter(
  from: string,
  home: string | undefined,
  target: string,
  isTypeOnly: boolean,
  rules: SliceRules,
): boolean {
  const slice = sliceOf(target, rules);
  if (slice === undefined || slice === home || anyOf(target, rules.leaves)) return true;
  if (isTypeOnly && anyOf(target, rules.typeLeaves)) return true;
  return rules.exceptions.some(
    (edge) =>
      matches(from, edge.from) && matches(target, edge.to) && (isTypeOnly || !edge.typeOnly),
  );
}

/** The slice's folder, or undefined for a file that stands directly in the root. */
function sliceOf(path: string, rules: SliceRules): string | undefined {
  const rest = path.slice(rules.root.length);
  const slash = rest.indexOf('/');
  return slash === -1 ? undefined : rules.root + rest.slice(0, slash + 1);
}

/** policy.ts: what is pure itself, and types of its own slice. */
export function breachesOfPolicy(sources: readonly Source[], pure: readonly string[]): string[] {
  const isPure = (target: string) => pure.some((prefix) => target.startsWith(prefix));
  return sources
    .filter((source) => posix.basename(source.path) === 'policy.ts')
    .flatMap((source) =>
      importsOf(source).flatMap((imported) => {
        const target = targetOf(source.path, imported);
        const isOwn = posix.dirname(target) === posix.dirname(source.path);
        if (isPure(target) || (isOwn && imported.isTypeOnly)) return [];
        return [`${source.path}:${imported.line} imports ${target}; a policy is pure`];
      }),
    );
}

export function breachesOfSeam(sources: readonly Source[], internals: string): string[] {
  const files = sources.filter((source) =>
    importsOf(source).some(({ specifier }) => specifier?.startsWith(internals) === true),
  );
  if (files.length <= 1) return [];
  return [`${files.map((file) => file.path).join(', ')} all import ${internals}; one file may`];
}

export function breachesOfEnvironment(sources: readonly Source[], readers: readonly string[]) {
  return report(sources, readers, 'reads the environment', (node) => {
    if (node.type === 'MemberExpression') {
      return nameOf(node) === 'env' && nameOf(node.object) === 'process';
    }
    if (node.type === 'VariableDeclarator') {
      return nameOf(node.init) === 'process' && destructures(node.id, 'env');
    }
    if (node.type !== 'ImportDeclaration') return false;
    const { value } = node.source as { value: string };
    const specifiers = node.specifiers as SyntaxNode[];
    return /^(node:)?process$/.test(value) && specifiers.some((s) => nameOf(s.imported) === 'env');
  });
}

function destructures(pattern: unknown, name: string): boolean {
  if (!isNode(pattern) || pattern.type !== 'ObjectPattern') return false;
  return (pattern.properties as SyntaxNode[]).some((property) => nameOf(property.key) === name);
}

export function breachesOfConsole(sources: readonly Source[], speakers: readonly string[]) {
  return report(
    sources,
    speakers,
    'writes to the console',
    (node) => node.type === 'MemberExpression' && nameOf(node.object) === 'console',
  );
}

export function breachesOfClasses(sources: readonly Source[], allowed: readonly AllowedClass[]) {
  return sources.flatMap((source) =>
    report([source], [], 'defines a class', (node) => {
      if (node.type !== 'ClassDeclaration' && node.type !== 'ClassExpression') return false;
      const name = nameOf(node.id);
      const parent = nameOf(node.superClass);
      return !allowed.some(
        (entry) =>
          matches(source.path, entry.in) &&
          (entry.name === undefined || entry.name === name) &&
          (entry.parent === undefined || entry.parent === parent),
      );
    }),
  );
}

/**
 * Everything hangs on createBroker: a module keeps nothing that changes. A WeakMap may stand in a
 * module, since what it says of an object is reached, and forgotten, with that object.
 */
export function breachesOfModuleState(sources: readonly Source[]): string[] {
  return sources.flatMap((source) => {
    const program = nodesOf(source)[0];
    const body = (program?.body ?? []) as SyntaxNode[];
    return body.flatMap((statement) => {
      const declared = isNode(statement.declaration) ? statement.declaration : statement;
      if (declared.type !== 'VariableDeclaration') return [];
      const where = `${source.path}:${lineOf(source, declared.start)}`;
      if (declared.kind !== 'const') return [`${where} keeps state in the module`];
      const isEmptyCollection = (declared.declarations as SyntaxNode[]).some(
        ({ init }) =>
          isNode(init) &&
          init.type === 'NewExpression' &&
          /^(Map|Set)$/.test(nameOf(init.callee) ?? '') &&
          (init.arguments as unknown[]).length === 0,
      );
      return isEmptyCollection ? [`${where} keeps state in the module`] : [];
    });
  });
}

function report(
  sources: readonly Source[],
  allowed: readonly string[],
  sentence: string,
  isBreach: (node: SyntaxNode) => boolean,
): string[] {
  return sources
    .filter((source) => !anyOf(source.path, allowed))
    .flatMap((source) =>
      nodesOf(source)
        .filter(isBreach)
        .map((node) => `${source.path}:${lineOf(source, node.start)} ${sentence}`),
    );
}

export interface SizeLimits {
  readonly fileLinesMax: number;
  readonly functionLinesMax: number;
  /** Tables of data, which may be longer. */
  readonly longFiles: readonly string[];
}

export function breachesOfSize(sources: readonly Source[], limits: SizeLimits): string[] {
  return sources.flatMap((source) => {
    const lines = source.text.replace(/\n$/, '').split('\n').length;
    const tooLong =
      lines > limits.fileLinesMax && !limits.longFiles.includes(source.path)
        ? [`${source.path} has ${lines} lines; ${limits.fileLinesMax} are allowed`]
        : [];
    const functions = nodesOf(source).flatMap((node) => {
      if (!/^(Function|ArrowFunction)/.test(node.type)) return [];
      const first = lineOf(source, node.start);
      const length = lineOf(source, node.end) - first + 1;
      if (length <= limits.functionLinesMax) return [];
      return [`${source.path}:${first} is a function of ${length} lines`];
    });
    return [...tooLong, ...functions];
  });
}

/** A slice's policy.ts and store.ts open by saying what they are for. */
export function breachesOfCharter(sources: readonly Source[], names: readonly string[]): string[] {
  return sources
    .filter((source) => names.includes(posix.basename(source.path)))
    .filter((source) => !/^\s*\/[/*]/.test(source.text))
    .map((source) => `${source.path} does not open with a comment that says what it is for`);
}

/** Only what is named here talks to the network: whoever fetches goes through the one way out. */
export function breachesOfNetwork(sources: readonly Source[], speakers: readonly string[]) {
  const modules = /^(?:node:)?(?:https?|http2|net|tls|dgram|dns(?:\/promises)?)$/;
  const imported = sources
    .filter((source) => !anyOf(source.path, speakers))
    .flatMap((source) =>
      importsOf(source)
        .filter(({ specifier, isTypeOnly }) => !isTypeOnly && modules.test(specifier ?? ''))
        .map(({ specifier, line }) => `${source.path}:${line} imports ${specifier}`),
    );
  const fetched = report(
    sources,
    speakers,
    'fetches',
    (node) =>
      (node.type === 'CallExpression' &&
        (node.callee as SyntaxNode).type === 'Identifier' &&
        nameOf(node.callee) === 'fetch') ||
      (node.type === 'MemberExpression' &&
        nameOf(node) === 'fetch' &&
        nameOf(node.object) === 'globalThis'),
  );
  return [...imported, ...fetched];
}
