/**
 * What each entry of a world file becomes: a creation, a change, or nothing. A thing the file names
 * becomes what the file says, and a field left out takes its default; except status, password and
 * jwks, which are about life and not description, and are then left alone. What the file does not
 * name is never touched.
 */

import type { Registry } from '../admin/registry.js';
import type { Permission } from '../permissions/schema.js';
import type { Change } from '../registry/change.js';
import { invalid } from '../registry/refusal.js';
import type { NewResource } from '../resources/schema.js';

/** Passwords compared and hashed before any lock is taken; remembered for the length of one apply. */
export interface Passwords {
  matches(storedHash: string | null, password: string): Promise<boolean>;
  hash(email: string, password: string): Promise<string>;
}

/** Known now, never again. */
export interface GeneratedSecret {
  readonly principal: string;
  readonly credential: string;
  readonly secret: string;
}

export interface Run {
  readonly registry: Registry;
  readonly change: Change;
  readonly passwords: Passwords;
  readonly secrets: GeneratedSecret[];
  /** Principal and resource of every permission so far, as they are stored. */
  readonly permitted: Set<string>;
}

/** A field that differs: what it was, what the file says. Nothing that is secret has values here. */
export interface Drift {
  readonly field: string;
  readonly from?: unknown;
  readonly to?: unknown;
}

/** `created`, or what changed (nothing: unchanged). */
export type Outcome = 'created' | readonly Drift[];

/** The changed fields of a row, as it was and as it is. */
export function driftOf(before: object, after: object, fields: readonly PropertyKey[]): Drift[] {
  const was = before as Record<PropertyKey, unknown>;
  const is = after as Record<PropertyKey, unknown>;
  return fields.map((field) => ({
    field: String(field),
    from: was[field] ?? null,
    to: is[field] ?? null,
  }));
}

const DEFAULT_TTL_SECONDS = 300;

export async function applyResource(
  { registry, change }: Run,
  entry: NewResource,
): Promise<Outcome> {
  const { steps } = registry.resources;
  const row = await steps.find(change.tx, entry.identifier);
  if (row === undefined) {
    await steps.create(change, entry, 'checked later');
    return 'created';
  }
  const patch = {
    name: entry.name,
    description: entry.description ?? null,
    scopes: entry.scopes,
    tools: entry.tools ?? {},
    client: entry.client ?? null,
    clients: entry.clients ?? null,
    downstream: entry.downstream ?? [],
    requireUser: entry.requireUser ?? false,
    signingAlg: entry.signingAlg ?? 'ES256',
    tokenTtlSeconds: entry.tokenTtlSeconds ?? DEFAULT_TTL_SECONDS,
  };
  const { resource, fields } = await steps.patch(change, row.identifier, patch, 'checked later');
  return driftOf(row, resource, fields);
}

/** Edges may lead to resources further down in the file: they are looked at when all of them stand. */
export async function checkResource(
  { registry, change }: Run,
  { identifier }: NewResource,
): Promise<Outcome> {
  await registry.resources.steps.checkEdges(change, identifier);
  return [];
}

export async function applyPermission(
  { registry, change, permitted }: Run,
  entry: Permission,
): Promise<Outcome> {
  const { principal, created, fields, ...set } = await registry.permissions.steps.set(
    change,
    entry,
  );
  // An id and an address, or two spellings of one: the parser cannot know that they are the same.
  const pair = `${principal} at ${entry.resource}`;
  if (permitted.has(pair))
    throw invalid({ path: ['principal'], message: `is here twice: "${pair}"` });
  permitted.add(pair);
  if (created) return 'created';
  return fields.length === 0
    ? []
    : [{ field: 'scopes', from: set.before, to: set.permission?.scopes ?? [] }];
}
