// Reads TypeScript as syntax, for the architecture tests: imports, functions, classes, names. The
// parser is the one vitest brings, because TypeScript 7 has no JavaScript API to parse with.
import { parseAst } from 'vitest/node';

export interface Source {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [member: string]: unknown;
}

export interface ImportedModule {
  /** What stands in the quotes; `undefined` where it is computed. */
  readonly specifier: string | undefined;
  /** Erased by the compiler as a whole: `import type`, `export type … from`, `import('x').T`. */
  readonly isTypeOnly: boolean;
  readonly line: number;
}

/** Every node of the file, outermost first. */
export function nodesOf(source: Source): SyntaxNode[] {
  const lang = /\.[jt]sx$/.test(source.path) ? 'tsx' : 'ts';
  const found: SyntaxNode[] = [];
  collect(parseAst(source.text, { lang }, source.path), found);
  return found;
}

function collect(value: unknown, found: SyntaxNode[]): void {
  if (Array.isArray(value)) {
    for (const item of value) collect(item, found);
  } else if (isNode(value)) {
    found.push(value);
    for (const member of Object.values(value)) collect(member, found);
  }
}

export function isNode(value: unknown): value is SyntaxNode {
  return (
    typeof value === 'object' && value !== null && typeof (value as SyntaxNode).type === 'string'
  );
}

/** Line of an offset, from 1. */
export function lineOf(source: Source, offset: number): number {
  let line = 1;
  for (let at = source.text.indexOf('\n'); at !== -1 && at < offset; line += 1) {
    at = source.text.indexOf('\n', at + 1);
  }
  return line;
}

/** All the ways in which one module reaches another. */
export function importsOf(source: Source): ImportedModule[] {
  return nodesOf(source).flatMap((node) => {
    const found = reach(node);
    return found === undefined ? [] : [{ ...found, line: lineOf(source, node.start) }];
  });
}

function reach(node: SyntaxNode): Omit<ImportedModule, 'line'> | undefined {
  switch (node.type) {
    case 'ImportDeclaration':
      return { specifier: literal(node.source), isTypeOnly: node.importKind === 'type' };
    case 'ExportAllDeclaration':
    case 'ExportNamedDeclaration':
      if (!isNode(node.source)) return undefined;
      return { specifier: literal(node.source), isTypeOnly: node.exportKind === 'type' };
    case 'ImportExpression':
      return { specifier: literal(node.source), isTypeOnly: false };
    case 'TSImportType':
      return { specifier: literal(node.source ?? node.argument), isTypeOnly: true };
    case 'TSExternalModuleReference':
      return { specifier: literal(node.expression), isTypeOnly: false };
    case 'CallExpression':
      if (nameOf(node.callee) !== 'require') return undefined;
      return { specifier: literal((node.arguments as unknown[])[0]), isTypeOnly: false };
    default:
      return undefined;
  }
}

function literal(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === 'TSLiteralType') return literal(node.literal);
  if (node.type === 'Literal' && typeof node.value === 'string') return node.value;
  if (node.type !== 'TemplateLiteral') return undefined;
  const quasis = node.quasis as { value: { cooked: string } }[];
  return quasis.length === 1 ? quasis[0]?.value.cooked : undefined;
}

/** `a` for the identifier a, `b` for x.b and x['b'], `undefined` for everything else. */
export function nameOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === 'MemberExpression') {
    return node.computed === true ? literal(node.property) : nameOf(node.property);
  }
  return node.type === 'Identifier' ? (node.name as string) : undefined;
}
