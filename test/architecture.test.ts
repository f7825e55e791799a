// DESIGN §10 as tests: who may import whom, how long things may be, where state and I/O may live.
// The tables come first: a change of shape is a change of data here, seen in review.
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { walkImports } from './support/import-graph.js';
import { compileUnchecked, ROOT, readManifest, sourcesIn } from './support/repository.js';
import type { Source } from './support/syntax.js';
import * as walls from './support/walls.js';

const manifest = readManifest();

/** protocol ← verifier, protocol ← agent, protocol ← broker → schema. */
const WALLS: readonly walls.Wall[] = [
  { from: 'src/protocol/', may: ['src/protocol/'] },
  {
    from: 'src/verifier/',
    may: ['src/verifier/', 'src/protocol/', 'jose', 'node:', '#'],
  },
  {
    from: 'src/verifier/mcp/',
    may: ['src/verifier/', 'src/protocol/', 'jose', 'node:'],
    mayAsType: ['@modelcontextprotocol'],
  },
  { from: 'src/agent/', may: ['src/agent/', 'src/protocol/', 'jose', 'node:'] },
  {
    from: 'src/testing/',
    may: ['src/testing/', 'src/protocol/', 'jose', 'node:'],
    mayAsType: ['src/verifier/'],
  },
  {
    from: 'src/broker/',
    may: [
      'src/broker/',
      'src/protocol/',
      'schema/',
      'node:',
      ...Object.keys(manifest.dependencies),
    ],
    mayAsType: Object.keys(manifest.devDependencies).filter((name) => name.startsWith('@types/')),
  },
  { from: 'schema/', may: ['schema/', 'drizzle-orm'] },
];

/**
 * Slices meet in the composition files, and stand on shared ground: the databases, HTTP, what is
 * recorded (audit), stopped (revocation) and known (facts), the keys, the law, the issuer of tokens.
 * A file of the ground may use other ground, never a slice above it.
 */
const SLICES: walls.SliceRules = {
  root: 'src/broker/',
  composition: [
    'src/broker/app.ts',
    'src/broker/self-registration.ts',
    'src/broker/assemble-engine.ts',
    // Where the engine looks for a client: the registry and the documents behind it.
    'src/broker/find-client.ts',
    'src/broker/parts.ts',
    'src/broker/main.ts',
    'src/broker/cli.ts',
    'src/broker/index.ts',
    'src/broker/sweeper.ts',
    // The pages of several slices, put together.
    'src/broker/pages.ts',
    'src/broker/cli/',
    // Any decision of any slice, made again.
    'src/broker/explain/',
    // The registry's operations wired to each other; the API and the world file that call them.
    'src/broker/admin/',
    'src/broker/world/',
    // The engine assembled from the grants and hooks of the slices.
    'src/broker/provider/engine.ts',
  ],
  leaves: [
    'src/broker/db/',
    'src/broker/http/',
    'src/broker/audit/store.ts',
    'src/broker/revocation/store.ts',
    'src/broker/revocation/receipt.ts',
    'src/broker/revocation/followers.ts',
    'src/broker/facts/',
    // Whatever is fetched from elsewhere.
    'src/broker/outbound/',
    // Whose signed word is taken, and whether it is theirs.
    'src/broker/trust/policy.ts',
    'src/broker/trust/schema.ts',
    'src/broker/trust/verify.ts',
    'src/broker/keys/',
    // The words every registry slice speaks: fields, refusals, changes, pages of a list; and the
    // kinds of fields that several nouns have (credentials, redirects, identifiers, roles).
    'src/broker/registry/',
    'src/broker/clients/client-id-schema.ts',
    'src/broker/clients/credential-schema.ts',
    'src/broker/clients/credentials.ts',
    'src/broker/clients/credential-store.ts',
    'src/broker/clients/profile.ts',
    'src/broker/clients/public-key.ts',
    'src/broker/clients/redirect-uri-schema.ts',
    // What a client may be by its own word: of registration, and of metadata documents.
    'src/broker/clients/self-described.ts',
    'src/broker/resources/schema.ts',
    'src/broker/users/schema.ts',
    // Who is signed in where: written at sign-in, read by the engine and by the user's own pages.
    'src/broker/sessions/policy.ts',
    'src/broker/sessions/store.ts',
    // Consents and grants, and the one function that decides about them.
    'src/broker/delegation/policy.ts',
    'src/broker/delegation/coverage.ts',
    'src/broker/delegation/freshness.ts',
    'src/broker/delegation/terms.ts',
    'src/broker/delegation/denials.ts',
    'src/broker/delegation/load.ts',
    'src/broker/delegation/store.ts',
    'src/broker/delegation/approve.ts',
    'src/broker/delegation/background.ts',
    'src/broker/delegation/story.ts',
    'src/broker/delegation/ends.ts',
    'src/broker/tokens/access-tokens.ts',
    'src/broker/tokens/answer.ts',
    'src/broker/tokens/client-secret.ts',
    // Resource servers that speak for themselves: what they decided, how far they followed.
    'src/broker/tokens/resource-server.ts',
    'src/broker/tokens/issue.ts',
    'src/broker/tokens/binding.ts',
    'src/broker/tokens/fapi.ts',
    'src/broker/provider/errors.ts',
    'src/broker/provider/internals.ts',
  ],
  typeLeaves: [
    'src/broker/delegation/actor-proof.ts',
    'src/broker/audit/',
    'src/broker/provider/broker-provider.ts',
    'src/broker/provider/browser-session.ts',
    'src/broker/users/',
  ],
  exceptions: [],
};

/** What a policy may use: values and checks without I/O, clock or database. */
const PURE = [
  'src/protocol/',
  'src/broker/delegation/policy.ts',
  'src/broker/delegation/freshness.ts',
  // What an exchange is decided on: types only.
  'src/broker/exchange/facts.ts',
  'src/broker/exchange/policy.ts',
  'src/broker/exchange/scopes.ts',
  'src/broker/tokens/policy.ts',
  // Shapes of what an operator says, as types.
  'src/broker/trust/schema.ts',
  'src/broker/explain/after.ts',
  'src/broker/explain/candidates.ts',
  'src/broker/registry/fields.ts',
  'src/broker/registry/refusal.ts',
];

const PROVIDER_INTERNALS = 'oidc-provider/lib/';
const ENVIRONMENT_READERS = ['src/broker/config.ts'];
const SPEAKERS = ['src/broker/cli.ts', 'src/broker/main.ts', 'src/broker/cli/'];
/** Who may open a connection, or listen: what others name is fetched by the one way out (S1). */
const NETWORKERS = [
  'src/broker/outbound/',
  'src/broker/http/server.ts',
  'src/broker/cli/',
  // Tell addresses apart.
  'src/broker/users/throttle.ts',
  'src/broker/http/client-certificate.ts',
  'src/broker/provider/certificates.ts',
  // Asks as the operator, whatever the operator names.
  'src/broker/doctor/',
];
const CHARTERED = ['policy.ts', 'store.ts'];

const CLASSES: readonly walls.AllowedClass[] = [
  { in: 'src/protocol/', name: 'OAuthError' },
  { in: 'src/verifier/', name: 'AuthError' },
  { in: 'src/broker/provider/', name: 'BrokerProvider' },
  { in: 'src/broker/', parent: 'ExternalSigningKey' },
];

const SIZES: walls.SizeLimits = { fileLinesMax: 250, functionLinesMax: 60, longFiles: [] };

/** What a tool server pays for importing us, before compression. */
const CLOSURE_BYTES_MAX = 120_000;

const src = sourcesIn('src');
const broker = src.filter(({ path }) => path.startsWith('src/broker/'));
const everything = [...src, ...sourcesIn('schema')];

/** One file as a literal, for the nearest breach of each rule. */
const file = (path: string, text: string): Source[] => [{ path, text }];

describe('imports', () => {
  it('keeps the walls between protocol, verifier, agent, broker and schema', () => {
    expect(walls.breachesOfWalls(everything, WALLS)).toEqual([]);
  });

  it.each([
    ['src/protocol/a.ts', "import { createHash } from 'node:crypto';"],
    ['src/protocol/a.ts', "import type { Database } from '../broker/db/database.js';"],
    ['src/verifier/a.ts', "export { openPostgres } from '../broker/db/postgres.js';"],
    ['src/verifier/a.ts', "const z = await import('zod');"],
    ['src/verifier/a.ts', 'const z = await import(name);'],
    ['src/verifier/a.ts', "import type { Tool } from '@modelcontextprotocol/sdk/types.js';"],
    ['src/verifier/mcp/a.ts', "import { Tool } from '@modelcontextprotocol/sdk/types.js';"],
    ['src/agent/a.ts', "type Z = import('zod').ZodType;"],
    ['src/agent/a.ts', "import { joseLike } from 'josefine';"],
    ['src/agent/a.ts', "const z = require('zod');"],
    ['src/broker/a.ts', "import { createVerifier } from '../verifier/index.js';"],
    ['src/elsewhere/a.ts', ''],
  ])('notices, in %s: %s', (path, text) => {
    expect(walls.breachesOfWalls(file(path, text), WALLS)).toHaveLength(1);
  });

  it('lets slices meet only in the composition files', () => {
    expect(walls.breachesOfSlices(src, SLICES)).toEqual([]);
  });

  it.each([
    ['src/broker/exchange/grant.ts', "import { findAgent } from '../agents/store.js';"],
    ['src/broker/exchange/grant.ts', "import type { Agent } from '../agents/store.js';"],
    ['src/broker/exchange/grant.ts', "import { sentence } from '../audit/sentence.js';"],
    ['src/broker/exchange/grant.ts', "import { createBroker } from '../app.js';"],
    ['src/broker/db/database.ts', "import { findAgent } from '../agents/store.js';"],
    ['src/broker/limits.ts', "import { findAgent } from './agents/store.js';"],
  ])('notices, in %s: %s', (path, text) => {
    expect(walls.breachesOfSlices(file(path, text), SLICES)).toHaveLength(1);
  });

  it('allows the shared leaves, and everything in app.ts', () => {
    const allowed = [
      ...file('src/broker/exchange/grant.ts', "import { a } from '../db/database.js';"),
      ...file('src/broker/exchange/grant.ts', "import type { a } from '../audit/store.js';"),
      ...file('src/broker/exchange/grant.ts', "import { decide } from './policy.js';"),
      ...file('src/broker/app.ts', "import { findAgent } from './agents/store.js';"),
    ];
    expect(walls.breachesOfSlices(allowed, SLICES)).toEqual([]);
  });

  it('keeps every policy pure', () => {
    expect(walls.breachesOfPolicy(broker, PURE)).toEqual([]);
  });

  it.each([
    "import { findAgent } from './store.js';",
    "import { randomBytes } from 'node:crypto';",
    "import type { Context } from 'koa';",
    "import type { Rule } from '../agents/policy.js';",
  ])('notices, in a policy.ts: %s', (text) => {
    const policy = file('src/broker/exchange/policy.ts', text);
    expect(walls.breachesOfPolicy(policy, PURE)).toHaveLength(1);
  });

  it('reaches the internals of oidc-provider from one file only', () => {
    expect(walls.breachesOfSeam(src, PROVIDER_INTERNALS)).toEqual([]);
    const text = "import nanoid from 'oidc-provider/lib/helpers/nanoid.js';";
    const two = [...file('src/broker/provider/a.ts', text), ...file('src/broker/b.ts', text)];
    expect(walls.breachesOfSeam(two, PROVIDER_INTERNALS)).toHaveLength(1);
  });
});

describe('what code may touch', () => {
  it('reads the environment in config.ts only', () => {
    expect(walls.breachesOfEnvironment(src, ENVIRONMENT_READERS)).toEqual([]);
  });

  it.each([
    'const port = process.env.PORT;',
    "const port = globalThis.process['env'].PORT;",
    'const { env } = process;',
    "import { env } from 'node:process';",
  ])('notices %s', (text) => {
    const found = walls.breachesOfEnvironment(file('src/broker/a.ts', text), ENVIRONMENT_READERS);
    expect(found).toHaveLength(1);
  });

  it('writes to the console in the command line only', () => {
    expect(walls.breachesOfConsole(src, SPEAKERS)).toEqual([]);
    const spoken = file('src/agent/a.ts', "console.log('here');");
    expect(walls.breachesOfConsole(spoken, SPEAKERS)).toHaveLength(1);
    const quoted = file('src/agent/a.ts', "// console.log('x')\nconst a = 'console.log(1)';");
    expect(walls.breachesOfConsole(quoted, SPEAKERS)).toEqual([]);
  });

  it('opens connections in the one way out only', () => {
    expect(walls.breachesOfNetwork(broker, NETWORKERS)).toEqual([]);
  });

  it.each([
    "await fetch('https://a.example');",
    'const get = globalThis.fetch;',
    "import { request } from 'node:https';",
    "import { connect } from 'net';",
    "const { lookup } = await import('node:dns/promises');",
  ])('notices %s', (text) => {
    expect(walls.breachesOfNetwork(file('src/broker/a.ts', text), NETWORKERS)).toHaveLength(1);
  });

  it('has no classes but the few that are asked for', () => {
    expect(walls.breachesOfClasses(src, CLASSES)).toEqual([]);
  });

  it.each([
    ['src/broker/agents/store.ts', 'export class AgentStore {}'],
    ['src/broker/agents/store.ts', 'export class OAuthError extends Error {}'],
    ['src/broker/agents/store.ts', 'const Store = class {};'],
    ['src/broker/agents/store.ts', 'class P extends Provider {}'],
  ])('notices, in %s: %s', (path, text) => {
    expect(walls.breachesOfClasses(file(path, text), CLASSES)).toHaveLength(1);
  });

  it('keeps no state in modules', () => {
    expect(walls.breachesOfModuleState(src)).toEqual([]);
    for (const text of ['let count = 0;', 'export const cache = new Map<string, string>();']) {
      expect(walls.breachesOfModuleState(file('src/agent/a.ts', text))).toHaveLength(1);
    }
    const constant = file(
      'src/agent/a.ts',
      "const NAMES = new Set(['a']); function f() { let a; }",
    );
    expect(walls.breachesOfModuleState(constant)).toEqual([]);
  });
});

describe('size and words', () => {
  it('keeps files and functions short enough to read', () => {
    expect(walls.breachesOfSize(src, SIZES)).toEqual([]);
    const lines = (count: number) => 'a();\n'.repeat(count);
    const long = file('src/agent/a.ts', lines(251));
    expect(walls.breachesOfSize(long, SIZES)).toHaveLength(1);
    expect(walls.breachesOfSize(file('src/agent/a.ts', lines(250)), SIZES)).toEqual([]);
    for (const [head, tail] of [
      ['function f() {\n', '}'],
      ['const f = () => {\n', '};'],
      ['const o = { f() {\n', '} };'],
    ]) {
      const of = (count: number) => file('src/agent/a.ts', head + lines(count) + tail);
      expect(walls.breachesOfSize(of(59), SIZES)).toHaveLength(1);
      expect(walls.breachesOfSize(of(58), SIZES)).toEqual([]);
    }
  });

  it('opens every policy and store by saying what it is for', () => {
    expect(walls.breachesOfCharter(src, CHARTERED)).toEqual([]);
    const bare = file('src/broker/agents/store.ts', "import { a } from './b.js'; // late");
    expect(walls.breachesOfCharter(bare, CHARTERED)).toHaveLength(1);
  });
});

/** What others import, by where it lies: the packages it may stand on, and its own folders. */
const CLOSURES: Readonly<Record<string, { packages: string[]; folders: string[] }>> = {
  verifier: { packages: ['jose'], folders: ['src/verifier/', 'src/protocol/'] },
  agent: { packages: ['jose'], folders: ['src/agent/', 'src/protocol/'] },
  testing: { packages: ['jose'], folders: ['src/testing/', 'src/protocol/'] },
};

/** Every export but the broker itself and the manifest, as `src/…` without its ending. */
const importable = Object.keys(manifest.exports)
  .filter((name) => name !== '.' && name !== './package.json')
  .map((name) => `src/${name.slice(2)}/index`);

describe('what others import, as built', () => {
  let built = '';
  beforeAll(() => {
    built = compileUnchecked();
  });

  it('is each of the exports that stand on their own', () => {
    expect(importable).toEqual(
      expect.arrayContaining(Object.keys(CLOSURES).map((name) => `src/${name}/index`)),
    );
    expect(importable.length).toBeGreaterThanOrEqual(4);
  });

  it.each(importable)('%s reaches no server code, and stays within its budget', (entry) => {
    const { packages, folders } = CLOSURES[entry.split('/')[1] as string] ?? {
      packages: [],
      folders: [],
    };
    const graph = walkImports(built, `${entry}.js`, manifest.imports);
    const isForeign = (name: string) =>
      !name.startsWith('node:') && !packages.some((p) => name === p || name.startsWith(`${p}/`));
    expect([...graph.packages].filter(isForeign)).toEqual([]);
    const isOutside = (path: string) => !folders.some((folder) => path.startsWith(folder));
    expect([...graph.files.keys()].filter(isOutside)).toEqual([]);
    expect(graph.bytes).toBeLessThan(CLOSURE_BYTES_MAX);
  });

  it('sees through re-exports and dynamic imports in built code', () => {
    const graph = walkImports(join(ROOT, 'test/support'), 'graph-fixture/entry.js', {
      '#platform': { node: './dist/graph-fixture/node.js', default: './dist/graph-fixture/web.js' },
    });
    expect([...graph.packages].sort()).toEqual(['koa', 'node:fs', 'zod']);
    expect(graph.files.size).toBe(4);
  });
});
