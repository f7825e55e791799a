/** The admin API's operations on other issuers whose word is taken, and on whom they mean. */
import type { z } from 'zod';
import { invalid, isRefusal } from '../registry/refusal.js';
import {
  type NewIdentity,
  type NewTrustedIssuer,
  newIdentitySchema,
  newTrustedIssuerSchema,
  type TrustedIssuerPatch,
  trustedIssuerPatchSchema,
} from '../trust/schema.js';
import type { Call, Operation } from './operation.js';
import { trustedIssuerQuery } from './query.js';
import {
  identityView,
  identityViewSchema,
  trustedIssuerView,
  trustedIssuerViewSchema,
} from './trust-views.js';
import * as views from './views.js';
import { wirePath } from './wire.js';

const named = ({ params }: Call, name: string): string => params[name] as string;
const body = <T>(call: Call): T => call.body as T;

/** What the service found wrong deep in the rules, in the names of the wire. */
function inWireNames(error: unknown): never {
  if (!isRefusal(error) || error.refusal !== 'invalid') throw error;
  throw invalid(
    ...error.problems.map((one) => ({ ...one, path: wirePath(newTrustedIssuerSchema, one.path) })),
  );
}

/** Whoever is believed decides who signs in as whom: that is security, all of it. */
const issuers: readonly Operation[] = [
  {
    method: 'post',
    path: '/trusted-issuers',
    scope: 'admin:security',
    summary: 'Trust another issuer, for what is said; one that was retired is trusted afresh',
    body: newTrustedIssuerSchema,
    view: trustedIssuerViewSchema,
    status: 201,
    run: async (call) =>
      trustedIssuerView(
        await call.services.registry.trust
          .create(call.by, body<NewTrustedIssuer>(call))
          .catch(inWireNames),
      ),
  },
  {
    method: 'get',
    path: '/trusted-issuers',
    scope: 'admin:read',
    summary: 'List trusted issuers; retired ones only when asked for by status',
    query: trustedIssuerQuery,
    view: views.pageSchema(trustedIssuerViewSchema),
    status: 200,
    run: async (call) =>
      views.pageView(
        await call.services.registry.trust.list(call.query as z.infer<typeof trustedIssuerQuery>),
        trustedIssuerView,
      ),
  },
  {
    method: 'get',
    path: '/trusted-issuers/:issuer',
    scope: 'admin:read',
    summary: 'Show a trusted issuer; it is percent-encoded in the path',
    view: trustedIssuerViewSchema,
    status: 200,
    run: async (call) =>
      trustedIssuerView(await call.services.registry.trust.get(named(call, 'issuer'))),
  },
  {
    method: 'patch',
    path: '/trusted-issuers/:issuer',
    scope: 'admin:security',
    summary: 'Change a trusted issuer; unless it only adds, what the issuer obtained stops',
    body: trustedIssuerPatchSchema,
    view: trustedIssuerViewSchema,
    status: 200,
    run: async (call) =>
      trustedIssuerView(
        await call.services.registry.trust
          .patch(call.by, named(call, 'issuer'), body<TrustedIssuerPatch>(call))
          .catch(inWireNames),
      ),
  },
  {
    method: 'delete',
    path: '/trusted-issuers/:issuer',
    scope: 'admin:security',
    summary: 'Trust an issuer no more; what it obtained stops',
    view: views.receiptAnswerSchema,
    status: 200,
    run: async (call) =>
      views.receiptAnswer(
        await call.services.registry.trust.retire(call.by, named(call, 'issuer')),
      ),
  },
];

const identities: readonly Operation[] = [
  {
    method: 'post',
    path: '/users/:id/identities',
    scope: 'admin:security',
    summary: 'Say whom a trusted issuer means by a subject',
    body: newIdentitySchema,
    view: identityViewSchema,
    status: 201,
    run: async (call) => {
      const { identity } = await call.services.registry.trust.addIdentity(
        call.by,
        named(call, 'id'),
        body<NewIdentity>(call),
      );
      return identityView(identity);
    },
  },
  {
    method: 'get',
    path: '/users/:id/identities',
    scope: 'admin:read',
    summary: 'List by which subjects trusted issuers mean a user',
    view: views.pageSchema(identityViewSchema),
    status: 200,
    run: async (call) => {
      const items = await call.services.registry.trust.identities(named(call, 'id'));
      return views.pageView({ items, nextCursor: null }, identityView);
    },
  },
  {
    method: 'delete',
    path: '/users/:id/identities/:issuer/:subject',
    scope: 'admin:security',
    summary: 'Say that a subject means this user no more; what was obtained so stops',
    view: views.receiptAnswerSchema,
    status: 200,
    run: async (call) => {
      const identity = { issuer: named(call, 'issuer'), subject: named(call, 'subject') };
      return views.receiptAnswer(
        await call.services.registry.trust.removeIdentity(call.by, named(call, 'id'), identity),
      );
    },
  },
];

export const TRUST_OPERATIONS: readonly Operation[] = [...issuers, ...identities];
