/** Trusted issuers of a world file, and whom they mean: looked at when users and issuers are all there. */
import { invalid, isRefusal } from '../registry/refusal.js';
import type { NewIdentity, NewTrustedIssuer } from '../trust/schema.js';
import type { WorldUser } from './schema.js';
import { driftOf, type Outcome, type Run } from './steps.js';

export async function applyTrustedIssuer(
  { registry, change }: Run,
  entry: NewTrustedIssuer,
): Promise<Outcome> {
  const { steps } = registry.trust;
  const row = await steps.find(change.tx, entry.issuer);
  if (row?.status !== 'active') {
    await steps.create(change, entry);
    return 'created';
  }
  const { issuer, name, purposes, rules = {} } = entry;
  const wanted = {
    name,
    purposes,
    rules,
    jwks: entry.jwks ?? null,
    jwksUri: entry.jwksUri ?? null,
  };
  const { before, after, fields } = await steps.patch(change, issuer, wanted);
  return driftOf(before, after, fields);
}

type Named = Pick<NewIdentity, 'issuer' | 'subject'>;
const nameOf = ({ issuer, subject }: Named): string => `${issuer} ${subject}`;

/** Told apart from another list of the same user's. */
const drift = (from: readonly Named[], to: readonly Named[]): Outcome =>
  from.length === to.length
    ? []
    : [{ field: 'identities', from: from.map(nameOf), to: to.map(nameOf) }];

/** Without a list they are left alone. All are removed before any is added: one may move to another user. */
export async function dropIdentities(
  { registry, change }: Run,
  { email, identities }: WorldUser,
): Promise<Outcome> {
  const { users, trust } = registry;
  const user = identities && (await users.steps.findByEmail(change.tx, email));
  if (identities === undefined || user === undefined) return [];
  const before = await trust.steps.identities(change.tx, user.id);
  const wanted = new Set(identities.map(nameOf));
  const kept = before.filter((one) => wanted.has(nameOf(one)));
  for (const one of before) {
    if (!wanted.has(nameOf(one))) await trust.steps.removeIdentity(change, user.id, one);
  }
  return drift(before, kept);
}

export async function addIdentities(
  { registry, change }: Run,
  { email, identities = [] }: WorldUser,
): Promise<Outcome> {
  const { users, trust } = registry;
  const user = await users.steps.findByEmail(change.tx, email);
  if (user === undefined || identities.length === 0) return [];
  const before = await trust.steps.identities(change.tx, user.id);
  for (const [index, one] of identities.entries()) {
    await trust.steps.addIdentity(change, user.id, one).catch(inList(index));
  }
  return drift(before, await trust.steps.identities(change.tx, user.id));
}

/** Where in the file it is that names nobody, or somebody else. */
const inList =
  (index: number) =>
  (error: unknown): never => {
    if (!isRefusal(error)) throw error;
    throw invalid(
      ...error.problems.map((one) => ({ ...one, path: ['identities', index, ...one.path] })),
    );
  };
