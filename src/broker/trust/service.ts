/**
 * Trusted issuers: others whose signed word is taken, each for the purposes it is registered for; and
 * whom they mean by a subject. Taking any of it back stops what was obtained so. Each operation is one
 * transaction with one audit event; `steps` are the same inside somebody else's.
 */
import type { Database, Executor } from '../db/database.js';
import {
  type Change,
  changedFields,
  databaseNow,
  narrowing,
  sortedSet,
  stopping,
  widening,
} from '../registry/change.js';
import { stopLive } from '../registry/live-tokens.js';
import { type Page, type PageRequest, pageBounds, pageOf } from '../registry/page.js';
import { conflict, invalid, notFound, throwIfAny } from '../registry/refusal.js';
import type { Receipt } from '../revocation/receipt.js';
import { issuerProblems, onlyAdds, type RuleDeps, rulesOf } from './rules.js';
import type { NewIdentity, NewTrustedIssuer, TrustedIssuerPatch } from './schema.js';
import {
  credentialsBy,
  findIdentity,
  findIssuer,
  type IdentityRow,
  type IssuerFilter,
  identitiesOf,
  listIssuerRows,
  putIdentity,
  removeIdentityRow,
  type TrustedIssuerRow,
  type TrustedIssuerValues,
  updateIssuer,
  upsertIssuer,
} from './store.js';

export interface TrustServiceDeps extends RuleDeps {
  readonly db: Database;
  /** A user, retired ones too. */
  readonly findUser: (
    db: Executor,
    id: string,
  ) => Promise<{ readonly id: string; readonly name: string; readonly status: string } | undefined>;
}

export type TrustService = ReturnType<typeof createTrustService>;

export function createTrustService(deps: TrustServiceDeps) {
  const { db } = deps;
  const steps = {
    find: findIssuer,
    create: (change: Change, input: NewTrustedIssuer) => create(deps, change, input),
    patch: (change: Change, issuer: string, patch: TrustedIssuerPatch) =>
      patchIssuer(deps, change, issuer, patch),
    identities: identitiesOf,
    addIdentity: (change: Change, userId: string, input: NewIdentity) =>
      addIdentity(deps, change, userId, input),
    removeIdentity: (change: Change, userId: string, input: NewIdentity) =>
      removeIdentity(deps, change, userId, input),
  };
  return {
    steps,
    create: (by: string, input: NewTrustedIssuer) =>
      widening(db, by, (change) => steps.create(change, input)),
    get: (issuer: string) => requireIssuer(db.orm, issuer),
    list: async (request: PageRequest & IssuerFilter = {}): Promise<Page<TrustedIssuerRow>> => {
      const { after, take } = pageBounds(request);
      const rows = await listIssuerRows(db.orm, request, after, take);
      return pageOf(rows, take, ({ issuer }) => issuer);
    },
    patch: (by: string, issuer: string, patch: TrustedIssuerPatch) =>
      narrowing(db, by, async (change) => (await steps.patch(change, issuer, patch)).after),
    retire: async (by: string, issuer: string): Promise<Receipt> =>
      (await stopping(db, by, (change) => retire(change, issuer))).receipt,
    addIdentity: (by: string, userId: string, input: NewIdentity) =>
      widening(db, by, (change) => steps.addIdentity(change, userId, input)),
    identities: async (userId: string): Promise<IdentityRow[]> => {
      await requireUser(deps, db.orm, userId);
      return identitiesOf(db.orm, userId);
    },
    removeIdentity: async (by: string, userId: string, input: NewIdentity): Promise<Receipt> =>
      (await stopping(db, by, (change) => steps.removeIdentity(change, userId, input))).receipt,
  };
}

async function requireIssuer(db: Executor, issuer: string): Promise<TrustedIssuerRow> {
  const row = await findIssuer(db, issuer);
  if (row === undefined) throw notFound('trusted issuer', issuer);
  return row;
}

async function requireUser({ findUser }: TrustServiceDeps, db: Executor, id: string) {
  const user = await findUser(db, id);
  if (user === undefined) throw notFound('user', id);
  return user;
}

const NOUN = 'trusted issuer';

async function create(
  deps: TrustServiceDeps,
  change: Change,
  input: NewTrustedIssuer,
): Promise<TrustedIssuerRow> {
  const { issuer, name } = input;
  const known = await findIssuer(change.tx, issuer);
  if (known?.status === 'active') throw conflict(['issuer'], `"${issuer}" is trusted already`);
  const values = {
    issuer,
    name,
    purposes: sortedSet(input.purposes),
    jwks: (input.jwks as TrustedIssuerRow['jwks'] | undefined) ?? null,
    jwksUri: input.jwksUri ?? null,
    rules: input.rules ?? {},
  };
  throwIfAny(await issuerProblems(deps, change.tx, values));
  const row = await upsertIssuer(change.tx, values);
  const detail = { noun: NOUN, id: issuer, name, purposes: values.purposes };
  await change.record({ type: 'registry.created', detail });
  return row;
}

async function patchIssuer(
  deps: TrustServiceDeps,
  change: Change,
  issuer: string,
  patch: TrustedIssuerPatch,
): Promise<{ before: TrustedIssuerRow; after: TrustedIssuerRow; fields: string[] }> {
  const before = await requireIssuer(change.tx, issuer);
  if (before.status !== 'active') throw conflict(['issuer'], `${issuer} is retired`);
  const values = {
    ...patch,
    ...(patch.purposes === undefined ? {} : { purposes: sortedSet(patch.purposes) }),
  };
  const fields: string[] = changedFields(before, values);
  if (fields.length === 0) return { before, after: before, fields };
  const given = Object.entries(values).filter(([, value]) => value !== undefined);
  const wanted = { ...before, ...Object.fromEntries(given) } as TrustedIssuerRow;
  throwIfAny(await issuerProblems(deps, change.tx, { ...wanted, rules: rulesOf(wanted) }));
  const after = await updateIssuer(
    change.tx,
    issuer,
    Object.fromEntries(given) as Partial<TrustedIssuerValues>,
  );
  if (!onlyAdds(before, after))
    await stopObtained(change, issuer, `${issuer} is trusted with less`);
  const detail = { noun: NOUN, id: issuer, name: after.name, fields };
  await change.recordStop({ type: 'registry.changed', detail });
  return { before, after, fields };
}

async function retire(change: Change, issuer: string): Promise<void> {
  const row = await requireIssuer(change.tx, issuer);
  if (row.status !== 'active') throw conflict(['issuer'], `${issuer} is retired`);
  await updateIssuer(change.tx, issuer, { status: 'retired' });
  await stopObtained(change, issuer, 'trusted issuer retired');
  const detail = { noun: NOUN, id: issuer, name: row.name };
  await change.recordStop({ type: 'registry.retired', detail });
}

/**
 * What an issuer's word obtained: tokens by its assertions, and all that its workloads, or the instances
 * it attested, proved. What it
 * said until now is good for nothing more, should it be trusted again.
 */
async function stopObtained(change: Change, issuer: string, reason: string): Promise<void> {
  change.whenClosed(async () => {
    await updateIssuer(change.tx, issuer, { notBefore: databaseNow });
  });
  stopLive(change, { assertedBy: issuer }, reason);
  for (const { id, principal } of await credentialsBy(change.tx, issuer)) {
    change.stop({ key: id, always: false, reason, ends: { kind: 'credential', id, principal } });
  }
}

async function addIdentity(
  deps: TrustServiceDeps,
  change: Change,
  userId: string,
  { issuer, subject }: NewIdentity,
): Promise<{ identity: IdentityRow; added: boolean }> {
  const user = await requireUser(deps, change.tx, userId);
  if (user.status === 'retired') throw conflict(['id'], `${userId} is retired`);
  const trusted = await findIssuer(change.tx, issuer);
  if (trusted?.status !== 'active') {
    throw invalid({ path: ['issuer'], message: `names no trusted issuer: "${issuer}"` });
  }
  const known = await findIdentity(change.tx, issuer, subject);
  if (known?.userId === userId) return { identity: known, added: false };
  const meant = known && (await deps.findUser(change.tx, known.userId));
  // L3, incident 30: it means somebody else only when the first is gone for good.
  if (meant !== undefined && meant.status !== 'retired') {
    throw conflict(['subject'], 'means another user: remove that identity first');
  }
  const createdBy = change.by;
  const identity = await putIdentity(change.tx, { issuer, subject, userId, createdBy });
  const detail = { noun: 'identity', id: subject, issuer };
  await change.record({ type: 'registry.created', sub: userId, detail });
  return { identity, added: true };
}

/** What was obtained under the name stops with it. */
async function removeIdentity(
  deps: TrustServiceDeps,
  change: Change,
  userId: string,
  { issuer, subject }: NewIdentity,
): Promise<void> {
  await requireUser(deps, change.tx, userId);
  if (!(await removeIdentityRow(change.tx, { issuer, subject, userId }))) {
    throw notFound('identity', subject);
  }
  stopLive(change, { assertedBy: issuer, sub: userId }, `${issuer} means nobody by a subject now`);
  const detail = { noun: 'identity', id: subject, issuer };
  await change.recordStop({ type: 'registry.retired', sub: userId, detail });
}
