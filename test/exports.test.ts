// Every export of the package says what it is, in its unit, and how it fails: read from the sources,
// outwards from each entry of package.json.
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readManifest, sourcesIn } from './support/repository.js';
import { isNode, nameOf, nodesOf, type Source, type SyntaxNode } from './support/syntax.js';

const sources = new Map(sourcesIn('src').map((source) => [source.path, source]));

const ENTRIES: Readonly<Record<string, string>> = Object.fromEntries(
  Object.keys(readManifest().exports)
    .filter((name) => name !== './package.json')
    .map((name) => [name, `src/${name === '.' ? 'broker' : name.slice(2)}/index.ts`]),
);

interface Exported {
  readonly name: string;
  readonly source: Source;
  /** The statement that declares it. */
  readonly statement: SyntaxNode;
  readonly declaration: SyntaxNode;
}

const statementsOf = (source: Source) => (nodesOf(source)[0]?.body ?? []) as SyntaxNode[];

function fileOf(from: string, specifier: unknown): Source {
  const { value } = specifier as { value: string };
  const path = posix.join(posix.dirname(from), value).replace(/\.js$/, '.ts');
  const source = sources.get(path);
  if (source === undefined) throw new Error(`${from} exports from ${value}, which is not ours`);
  return source;
}

const declaredBy = (declaration: SyntaxNode): string[] =>
  declaration.type === 'VariableDeclaration'
    ? (declaration.declarations as SyntaxNode[]).map(({ id }) => nameOf(id) ?? '')
    : [nameOf(declaration.id) ?? ''];

/** Where a name that a file exports is declared, through whatever it is passed on by. */
function find(source: Source, name: string): Exported {
  for (const statement of statementsOf(source)) {
    if (isNode(statement.declaration) && declaredBy(statement.declaration).includes(name))
      return { name, source, statement, declaration: statement.declaration };
    const specifiers = (statement.specifiers ?? []) as SyntaxNode[];
    const passed = specifiers.find((one) => nameOf(one.exported ?? one.local) === name);
    if (passed !== undefined && isNode(statement.source))
      return find(
        fileOf(source.path, statement.source),
        nameOf(passed.local ?? passed.imported) ?? '',
      );
  }
  throw new Error(`${source.path} does not say where ${name} comes from`);
}

function exportsOf(entry: string): Exported[] {
  const source = sources.get(entry);
  if (source === undefined) throw new Error(`package.json exports ${entry}, which is not there`);
  return statementsOf(source).flatMap((statement) =>
    ((statement.specifiers ?? []) as SyntaxNode[]).map((one) =>
      find(source, nameOf(one.exported) ?? ''),
    ),
  );
}

/** The comment that ends right before an offset; empty when there is none. */
function docBefore({ text }: Source, offset: number): string {
  const before = text.slice(0, offset).trimEnd();
  return before.endsWith('*/') ? before.slice(before.lastIndexOf('/**')) : '';
}

const where = ({ name, source }: Exported) => `${name} (${source.path})`;

/** Names that say what they count. */
const UNITS = /(Seconds|Ms|Bytes|Depth|status|count|port)$/;

/** Members of an exported shape that are numbers, or give one. */
function bareNumbers({ declaration, source, name }: Exported): string[] {
  return nodesOf({ path: source.path, text: source.text }).flatMap((node) => {
    const isInside = node.start >= declaration.start && node.end <= declaration.end;
    if (!isInside || node.type !== 'TSPropertySignature') return [];
    const key = nameOf(node.key) ?? '';
    const type = source.text.slice(node.start, node.end);
    if (!/:\s*(\(?\(\) => )?number\b/.test(type.replace(/\s+/g, ' '))) return [];
    const isSaid = UNITS.test(key) || docBefore(source, node.start) !== '';
    return isSaid ? [] : [`${name}.${key}`];
  });
}

const isFunction = ({ declaration }: Exported): boolean =>
  declaration.type === 'FunctionDeclaration' ||
  (declaration.type === 'VariableDeclaration' &&
    (declaration.declarations as SyntaxNode[]).some(
      ({ init }) => isNode(init) && init.type === 'ArrowFunctionExpression',
    ));

describe.each(Object.entries(ENTRIES))('%s (%s)', (_name, entry) => {
  const exported = exportsOf(entry);
  const docOf = (one: Exported) => docBefore(one.source, one.statement.start);

  it('says of every export what it is', () => {
    expect(exported.length).toBeGreaterThan(0);
    expect(exported.filter((one) => docOf(one).length < 20).map(where)).toEqual([]);
  });

  it('says of every function how it fails', () => {
    const silent = exported
      .filter(isFunction)
      .filter((one) => !/@throws|[Tt]hrows[\s*]+nothing/.test(docOf(one)));
    expect(silent.map(where)).toEqual([]);
  });

  it('gives every number its unit, in its name or beside it', () => {
    expect(exported.flatMap(bareNumbers)).toEqual([]);
  });
});

describe('the walk', () => {
  const source: Source = {
    path: 'src/agent/a.ts',
    text: '/** Says what. */\nexport interface A {\n  readonly life: number;\n  readonly lifeSeconds: number;\n  /** Bytes. */\n  readonly size: number;\n}\nexport const b = () => 1;\n',
  };
  it('sees what is not said', () => {
    const a = find(source, 'A');
    expect(docBefore(source, a.statement.start)).toBe('/** Says what. */');
    expect(bareNumbers(a)).toEqual(['A.life']);
    const b = find(source, 'b');
    expect([docBefore(source, b.statement.start), isFunction(b), isFunction(a)]).toEqual([
      '',
      true,
      false,
    ]);
  });
});
