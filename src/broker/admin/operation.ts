/**
 * One operation of the admin API as data: where it is, what it takes, what it answers, what it
 * does. The router, the OpenAPI document and the tests read the same table.
 */
import type { z } from 'zod';
import type { AuditFilter, RecordedEvent } from '../audit/store.js';
import type { AuditReport } from '../audit/verify.js';
import type { ConsentsOf } from '../delegation/bulk.js';
import type { DelegationFilter } from '../delegation/queries.js';
import type { ConsentRow, GrantRow } from '../delegation/store.js';
import type { Explanation } from '../explain/service.js';
import type { KeyService } from '../keys/service.js';
import { isSpecialKey } from '../registry/fields.js';
import {
  type FieldPath,
  type FieldProblem,
  invalid,
  problemsOf,
  throwIfAny,
} from '../registry/refusal.js';
import type { Confirmation } from '../revocation/followers.js';
import type { RevocationFilter, RevocationRow } from '../revocation/queries.js';
import type { KeptReceipt, Receipt } from '../revocation/receipt.js';
import type { Applied, Broken, Rehearsed } from '../world/service.js';
import type { Registry } from './registry.js';
import { type AdminScope, forbidden } from './scopes.js';
import { fromWire, wirePath } from './wire.js';

/** What the operations stand on; the rest of the broker is handed over. */
export interface AdminServices {
  readonly registry: Registry;
  /** `aud` of tokens for this API. */
  readonly adminResource: string;
  /** Whether a permission of any of these roles makes administrators. */
  readonly rolesAdminister: (roles: readonly string[]) => Promise<boolean>;
  readonly listEvents: (filter: AuditFilter) => Promise<readonly RecordedEvent[]>;
  /** Checks the audit's chains and checkpoints, and checkpoints that were kept outside. */
  readonly verifyAudit: (kept: readonly string[]) => Promise<AuditReport>;
  /** Why an event or a token is what it is. */
  readonly explain: (what: string) => Promise<Explanation>;
  readonly sentences: (events: readonly RecordedEvent[]) => Promise<readonly string[]>;
  readonly listConsents: (filter: DelegationFilter) => Promise<readonly ConsentRow[]>;
  readonly listGrants: (filter: DelegationFilter) => Promise<readonly GrantRow[]>;
  readonly findConsent: (id: string) => Promise<ConsentRow | undefined>;
  readonly findGrant: (id: string) => Promise<GrantRow | undefined>;
  /** Undefined when it was not live. */
  readonly endConsent: (id: string, reason: string, by: string) => Promise<Receipt | undefined>;
  readonly endGrant: (id: string, reason: string, by: string) => Promise<Receipt | undefined>;
  /** What ending all of them would end, and ending them. */
  readonly foreseeEnd: (of: ConsentsOf) => Promise<Receipt>;
  readonly endConsents: (of: ConsentsOf, reason: string, by: string) => Promise<Receipt>;
  readonly listRevocations: (filter: RevocationFilter) => Promise<readonly RevocationRow[]>;
  readonly findRevocation: (id: number) => Promise<RevocationRow | undefined>;
  /** Of the stop that a fact is part of. */
  readonly receiptOf: (fact: RevocationRow) => Promise<KeptReceipt | undefined>;
  readonly confirmationsOf: (id: number) => Promise<readonly Confirmation[]>;
  readonly keys: KeyService;
  readonly planWorld: (text: string) => Promise<Broken | Rehearsed>;
  readonly applyWorld: (text: string, by: string) => Promise<Broken | Applied>;
}

export interface Call {
  readonly services: AdminServices;
  /** Whether the caller holds a scope. */
  readonly holds: (scope: AdminScope) => boolean;
  /** Who asks; goes into the audit. */
  readonly by: string;
  readonly params: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
  /** In the services' own names (camelCase). */
  readonly body: never;
}

export interface Operation {
  readonly method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** Below `/admin/v1`; parameters as `:name`. */
  readonly path: string;
  /** What the caller must hold. Said for each operation, never derived: forgetting it does not compile. */
  readonly scope: AdminScope;
  /** What a call needs besides, for what it says: a password is a credential, some roles administer. */
  readonly alsoNeeds?: (call: Call) => Promise<AdminScope | undefined>;
  readonly summary: string;
  /** Fields in camelCase; snake_case on the wire. */
  readonly body?: z.ZodType;
  readonly query?: z.ZodType;
  /** What a successful answer looks like on the wire; absent with 204. */
  readonly view?: z.ZodType;
  readonly status: 200 | 201 | 204;
  readonly run: (call: Call) => Promise<unknown>;
}

export { asWritten, toCamel, toSnake, toWire } from './wire.js';

/**
 * Checks what came in and runs the operation; the API and the CLI both come through here.
 *
 * @throws Refusal naming every wrong field, or what answers 403 when the caller may not say that
 */
export async function runOperation(
  operation: Operation,
  call: Omit<Call, 'body'> & { readonly body: unknown },
): Promise<unknown> {
  refuseNul({ ...call.params, ...call.query });
  const query = operation.query === undefined ? {} : parse(operation.query, call.query);
  const body = operation.body === undefined ? undefined : parseBody(operation.body, call.body);
  const parsed: Call = { ...call, query: query as Call['query'], body: body as never };
  const needed = await operation.alsoNeeds?.(parsed);
  if (needed !== undefined && !call.holds(needed)) throw forbidden(needed);
  return operation.run(parsed);
}

/** PostgreSQL keeps no NUL: what holds one names nothing (P9). */
function refuseNul(words: Readonly<Record<string, unknown>>): void {
  const wrong = Object.entries(words).filter(([, word]) => String(word).includes('\0'));
  throwIfAny(
    wrong.map(([name]) => ({ path: [name], message: 'must not contain a NUL character' })),
  );
}

function parseBody(schema: z.ZodType, body: unknown): unknown {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw invalid({ path: [], message: 'the body must be a JSON object' });
  }
  throwIfAny(specialKeys(body, []));
  return parse(schema, fromWire(schema, body));
}

/** Found here because a schema of a record leaves `__proto__` out without a word (P11). */
function specialKeys(value: unknown, at: FieldPath): FieldProblem[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) => {
    const path = [...at, key];
    if (isSpecialKey(key)) return [{ path, message: 'is a reserved name' }];
    return specialKeys(member, path);
  });
}

function parse(schema: z.ZodType, value: unknown): unknown {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw invalid(
    ...problemsOf(parsed.error).map((problem) => ({
      ...problem,
      path: wirePath(schema, problem.path),
    })),
  );
}
