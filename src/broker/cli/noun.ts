/**
 * Commands of a noun as data: what it is called, what it shows, what may be filtered and set, what
 * can be done to it. The tables say what; this file alone says how a table becomes commands.
 */
import { text as readText } from 'node:stream/consumers';
import { type Command, Option } from 'commander';
import type { Operation } from '../admin/operation.js';
import { readConfig } from '../config.js';
import { type Admin, openAdmin } from './admin.js';
import { print, printLine } from './print.js';

/** `--flag <value>`: text, a comma-separated list, a number, a switch, or an instant as ISO 8601. */
export interface Field {
  /** As the admin API has it: `logo_uri` becomes `--logo-uri`. */
  readonly name: string;
  readonly kind?: 'text' | 'list' | 'number' | 'switch';
  readonly help?: string;
}

/** What a command asks of the admin API. */
export interface Asked {
  readonly method: Operation['method'];
  /** Without prefix; ids already encoded (`at`). */
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>> | undefined;
  readonly query?: Readonly<Record<string, string | undefined>> | undefined;
}

export interface Verb {
  /** `pause <id>`; arguments as commander writes them. */
  readonly usage: string;
  readonly alias?: string;
  /** What the noun by itself means: `behalf audit`. */
  readonly isDefault?: boolean;
  readonly summary: string;
  readonly fields?: readonly Field[];
  /** Also takes `--data <json>`, whose fields the named ones add to. */
  readonly data?: boolean;
  /** Of a table, when the answer is a list. */
  readonly columns?: readonly string[];
  /** Also takes `--format jsonl`: every item of every page, a line each. */
  readonly streams?: boolean;
  readonly ask: (args: readonly string[], values: Values) => Asked;
  /** An answer that is printed all the same, and exits with 1. */
  readonly isFailure?: (answer: unknown) => boolean;
}

/** What was given, by the API's field names; a field left out is not there. */
export type Values = Readonly<Record<string, unknown>>;

export interface Noun {
  readonly name: string;
  readonly summary: string;
  readonly verbs: readonly Verb[];
  /** Nouns that belong to this one: `behalf agent credential …`. */
  readonly nouns?: readonly Noun[];
}

/** A path below `/admin/v1` from parts that may hold anything. */
export const at = (...parts: readonly string[]): string =>
  parts.map((part) => `/${encodeURIComponent(part)}`).join('');

const PAGE: readonly Field[] = [{ name: 'limit' }, { name: 'cursor' }];

/** A list's query: filters, and where to go on. */
export const list = (
  path: string,
  columns: readonly string[],
  filters: readonly Field[],
  summary = 'list them, a page at a time',
): Verb => ({
  usage: 'list',
  summary,
  fields: [...filters, ...PAGE],
  columns,
  ask: (_args, values) => ({
    method: 'get',
    path,
    query: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)])),
  }),
});

export interface Common {
  readonly path: string;
  readonly columns: readonly string[];
  readonly filters: readonly Field[];
  /** What may be set when one is created, and changed later. */
  readonly fields: readonly Field[];
  /** What may only be set when one is created. */
  readonly first?: readonly Field[];
  readonly last?: 'retire' | 'remove';
}

/** list, show, create, change and retire, as most nouns have them. */
export const common = ({ path, columns, filters, fields, first = [], last }: Common): Verb[] => [
  list(path, columns, filters),
  {
    usage: 'show <id>',
    alias: 'get',
    summary: 'show one',
    ask: ([id = '']) => ({ method: 'get', path: path + at(id) }),
  },
  {
    usage: 'create',
    summary: 'create one; a generated secret is shown this once',
    fields: [...first, ...fields],
    data: true,
    ask: (_args, body) => ({ method: 'post', path, body }),
  },
  {
    usage: 'change <id>',
    summary: 'change the fields that are named',
    fields: [...fields, { name: 'clear', kind: 'list', help: 'fields to empty' }],
    data: true,
    ask: ([id = ''], { clear, ...body }) => ({
      method: 'patch',
      path: path + at(id),
      body: { ...body, ...Object.fromEntries(((clear ?? []) as string[]).map((f) => [f, null])) },
    }),
  },
  {
    usage: `${last ?? 'retire'} <id>`,
    summary: 'retire one, for good',
    ask: ([id = '']) => ({ method: 'delete', path: path + at(id) }),
  },
];

/** Adds the commands of these nouns to a program. */
export function addNouns(program: Command, nouns: readonly Noun[]): void {
  for (const noun of nouns) {
    const command = program.command(noun.name).description(noun.summary);
    for (const verb of noun.verbs) addVerb(command, verb);
    addNouns(command, noun.nouns ?? []);
  }
}

const FORMAT = new Option('--format <format>', 'jsonl: every page, a JSON object a line')
  .choices(['table', 'json', 'jsonl'])
  .default('table');

const flagOf = ({ name, kind = 'text' }: Field): string => {
  const flag = `--${name.replaceAll('_', '-')}`;
  return kind === 'switch' ? `${flag} [yes|no]` : `${flag} <${kind === 'list' ? 'a,b' : kind}>`;
};

const optionOf = ({ name }: Field): string =>
  name.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());

function addVerb(parent: Command, verb: Verb): void {
  const isDefault = verb.isDefault === true;
  const command = parent.command(verb.usage, { isDefault }).description(verb.summary);
  if (verb.alias !== undefined) command.alias(verb.alias);
  for (const field of verb.fields ?? []) command.option(flagOf(field), field.help ?? '');
  if (verb.streams === true) command.addOption(FORMAT);
  if (verb.data === true) command.option('--data <json>', 'fields of the admin API; - reads them');
  command.action(async (...all: unknown[]) => {
    // Commander appends the options and the command to the arguments.
    const self = all.at(-1) as Command;
    const options = all.at(-2) as Record<string, unknown>;
    const args = all.slice(0, -2).map(String);
    await run(self, verb, verb.ask(args, await valuesOf(verb, options)));
  });
}

async function valuesOf(verb: Verb, options: Readonly<Record<string, unknown>>): Promise<Values> {
  const given = (verb.fields ?? []).flatMap((field) => {
    const value = options[optionOf(field)];
    return value === undefined ? [] : [[field.name, read(field, value)] as const];
  });
  const { data } = options;
  const text = data === '-' ? await readInput() : data;
  const body = text === undefined ? {} : jsonOf('--data', String(text));
  return { ...body, ...Object.fromEntries(given) };
}

function read({ name, kind = 'text' }: Field, value: unknown): unknown {
  const text = String(value);
  if (kind === 'list') return text.split(',').filter((part) => part !== '');
  if (kind === 'switch') return value === true || text === 'yes' || text === 'true';
  if (kind === 'text') return text;
  if (!/^-?\d+$/.test(text)) throw new Error(`--${name.replaceAll('_', '-')} must be a number`);
  return Number(text);
}

/** What must not stand in a list of processes: a password, say. */
const readInput = (): Promise<string> => readText(process.stdin);

/** @throws Error naming the option */
export function jsonOf(option: string, text: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    throw new Error(`${option} must be JSON: ${text.slice(0, 60)}`);
  }
}

/** Asks, and prints the answer. */
async function run(
  command: Command,
  { columns, isFailure }: Verb,
  { method, path, body, query }: Asked,
): Promise<void> {
  const admin = await openAdmin(readConfig());
  const { json: wantsJson, format } = command.optsWithGlobals();
  try {
    if (format === 'jsonl') return await stream(admin, { method, path, query });
    const answer = await admin.call(method, path, {
      ...(body === undefined ? {} : { body }),
      ...(query === undefined ? {} : { query }),
    });
    const json = wantsJson === true || format === 'json';
    print(answer, { json, ...(columns === undefined ? {} : { columns }) });
    if (isFailure?.(answer) === true) process.exitCode = 1;
  } finally {
    await admin.close();
  }
}

/** Every page of a list, as it comes. */
async function stream(admin: Admin, { method, path, query }: Asked): Promise<void> {
  let cursor = query?.cursor;
  do {
    const page = (await admin.call(method, path, { query: { ...query, cursor } })) as {
      readonly items: readonly unknown[];
      readonly next_cursor: string | null;
    };
    for (const item of page.items) printLine(item);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
}
