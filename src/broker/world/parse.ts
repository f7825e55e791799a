/**
 * Reads a world file: YAML to data, and every problem to the line it is on. Decides nothing about
 * what the data means. Hostile input is bounded: size, aliases, special keys.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from 'yaml';
import { isSpecialKey } from '../registry/fields.js';
import { type FieldPath, type FieldProblem, problemsOf } from '../registry/refusal.js';
import { emailKeyOf } from '../users/schema.js';
import { type World, worldSchema } from './schema.js';

const WORLD_CHARS_MAX = 1_000_000;
const ALIASES_MAX = 100;

export interface WorldProblem {
  /** From 1. */
  readonly line: number;
  /** `agents.0.owner`; empty for the file itself. */
  readonly field: string;
  readonly message: string;
}

export interface ParsedWorld {
  readonly world: World;
  /** Puts a line to problems found later. */
  locate(problems: readonly FieldProblem[]): WorldProblem[];
}

export function parseWorld(
  text: string,
): ParsedWorld | { readonly problems: readonly WorldProblem[] } {
  if (text.length > WORLD_CHARS_MAX) {
    return wholeFile(`is longer than ${WORLD_CHARS_MAX} characters`);
  }
  try {
    return readDocument(text);
  } catch (error) {
    // Too many aliases, or nested too deeply for the parser.
    return wholeFile(`cannot be read: ${error instanceof Error ? error.message : 'unknown error'}`);
  }
}

const wholeFile = (message: string) => ({ problems: [{ line: 1, field: '', message }] });

function readDocument(text: string): ReturnType<typeof parseWorld> {
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    stringKeys: true,
  });
  const lineAt = (offset: number) => Math.max(1, lines.linePos(offset).line);
  const broken = [...document.errors, ...document.warnings].map((error) => ({
    line: lineAt(error.pos[0]),
    field: '',
    message: error.message,
  }));
  visit(document, {
    Pair: (_index, { key }) => {
      if (!isScalar(key) || !isSpecialKey(String(key.value))) return;
      const field = String(key.value);
      broken.push({ line: lineAt(key.range?.[0] ?? 0), field, message: 'is a reserved name' });
    },
  });
  if (broken.length > 0) return { problems: broken };
  const locate = (problems: readonly FieldProblem[]): WorldProblem[] =>
    problems
      .map(({ path, message }) => ({
        line: lineAt(offsetOf(document, path)),
        field: path.join('.'),
        message,
      }))
      .sort((a, b) => a.line - b.line);
  const parsed = worldSchema.safeParse(document.toJS({ maxAliasCount: ALIASES_MAX }) ?? {});
  if (!parsed.success) return { problems: locate(problemsOf(parsed.error)) };
  const repeated = repetitions(parsed.data);
  if (repeated.length > 0) return { problems: locate(repeated) };
  return { world: parsed.data, locate };
}

/** Where a path is in the text; if it leads nowhere (a missing field), where its parent is. */
function offsetOf(document: Document, path: FieldPath): number {
  let node: unknown = document.contents;
  let offset = document.contents?.range?.[0] ?? 0;
  for (const part of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (isMap(node)) {
      const pair = node.items.find(
        ({ key }) => isScalar(key) && String(key.value) === String(part),
      );
      if (pair === undefined) break;
      offset = (pair.key as Node).range?.[0] ?? offset;
      node = pair.value;
    } else if (isSeq(node)) {
      const item = node.items[Number(part)] as Node | undefined;
      if (item === undefined) break;
      offset = item.range?.[0] ?? offset;
      node = item;
    } else break;
  }
  return offset;
}

/** Things the file names twice: which of them would count is anybody's guess. */
function repetitions(world: World): FieldProblem[] {
  const twice = <Entry>(
    section: keyof World,
    field: string,
    entries: readonly Entry[] | null | undefined,
    keyOf: (entry: Entry) => string,
  ): FieldProblem[] => {
    const seen = new Set<string>();
    return (entries ?? []).flatMap((entry, index) => {
      const key = keyOf(entry);
      if (seen.has(key)) {
        return [{ path: [section, index, field], message: `is here twice: "${key}"` }];
      }
      seen.add(key);
      return [];
    });
  };
  return [
    ...twice('roles', 'name', world.roles, ({ name }) => name),
    ...twice('clients', 'id', world.clients, ({ id }) => id),
    ...twice('agents', 'id', world.agents, ({ id }) => id),
    ...twice('users', 'email', world.users, ({ email }) => emailKeyOf(email)),
    ...twice('resources', 'identifier', world.resources, ({ identifier }) => identifier),
    ...twice('trustedIssuers', 'issuer', world.trustedIssuers, ({ issuer }) => issuer),
    ...twice('permissions', 'principal', world.permissions, ({ principal, resource }) =>
      [principal, resource].join(' at '),
    ),
  ];
}
