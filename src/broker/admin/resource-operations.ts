/** The admin API's operations on what is protected, and on who may. */
import type { z } from 'zod';
import { permissionBodySchema } from '../permissions/schema.js';
import {
  type AcceptedTool,
  acceptedToolSchema,
  type NewResource,
  newResourceSchema,
  type ResourcePatch,
  resourcePatchSchema,
} from '../resources/schema.js';
import type { Call, Operation } from './operation.js';
import { permissionQuery, resourceQuery } from './query.js';
import * as views from './views.js';

const named = ({ params }: Call, name: string): string => params[name] as string;

const resources: readonly Operation[] = [
  {
    method: 'post',
    path: '/resources',
    scope: 'admin:write',
    summary: 'Register a protected MCP server or API',
    body: newResourceSchema,
    view: views.resourceViewSchema,
    status: 201,
    run: async (call) =>
      views.resourceView(
        await call.services.registry.resources.create(call.by, call.body as NewResource),
      ),
  },
  {
    method: 'get',
    path: '/resources',
    scope: 'admin:read',
    summary: 'List resources, by name, state, client or the one they go on to',
    query: resourceQuery,
    view: views.pageSchema(views.resourceViewSchema),
    status: 200,
    run: async (call) =>
      views.pageView(
        await call.services.registry.resources.list(call.query as z.infer<typeof resourceQuery>),
        views.resourceView,
      ),
  },
  {
    method: 'get',
    path: '/resources/:identifier',
    scope: 'admin:read',
    summary: 'Show a resource; its identifier is percent-encoded in the path',
    view: views.resourceViewSchema,
    status: 200,
    run: async (call) =>
      views.resourceView(await call.services.registry.resources.get(named(call, 'identifier'))),
  },
  {
    method: 'patch',
    path: '/resources/:identifier',
    scope: 'admin:write',
    summary: 'Change a resource',
    body: resourcePatchSchema,
    view: views.resourceViewSchema,
    status: 200,
    run: async (call) =>
      views.resourceView(
        await call.services.registry.resources.patch(
          call.by,
          named(call, 'identifier'),
          call.body as ResourcePatch,
        ),
      ),
  },
  {
    method: 'delete',
    path: '/resources/:identifier',
    scope: 'admin:write',
    summary: 'Retire a resource; no more tokens are issued for it, and those that are out stop',
    view: views.receiptAnswerSchema,
    status: 200,
    run: async (call) =>
      views.receiptAnswer(
        await call.services.registry.resources.retire(call.by, named(call, 'identifier')),
      ),
  },
];

const tools: readonly Operation[] = [
  {
    method: 'get',
    path: '/resources/:identifier/tools',
    scope: 'admin:read',
    summary:
      'Show what its tools need, and which of them are new, changed or removed at its server',
    view: views.toolsViewSchema,
    status: 200,
    run: async (call) =>
      views.toolsView(await call.services.registry.resources.tools(named(call, 'identifier'))),
  },
  {
    method: 'post',
    path: '/resources/:identifier/tools/accept',
    scope: 'admin:write',
    summary: 'Accept a changed tool, as the definition with this hash',
    body: acceptedToolSchema,
    view: views.toolsViewSchema,
    status: 200,
    run: async (call) =>
      views.toolsView(
        await call.services.registry.resources.acceptTool(
          call.by,
          named(call, 'identifier'),
          call.body as AcceptedTool,
        ),
      ),
  },
];

/** Who administers is decided by those who may stop them. */
const permissionNeeds = async (call: Call): Promise<'admin:security' | undefined> =>
  named(call, 'resource') === call.services.adminResource ? 'admin:security' : undefined;

const permissions: readonly Operation[] = [
  {
    method: 'get',
    path: '/permissions',
    scope: 'admin:read',
    summary: 'List permissions, of a principal, at a resource, or with a scope',
    query: permissionQuery,
    view: views.pageSchema(views.permissionViewSchema),
    status: 200,
    run: async (call) =>
      views.pageView(
        await call.services.registry.permissions.list(
          call.query as z.infer<typeof permissionQuery>,
        ),
        views.permissionView,
      ),
  },
  {
    method: 'get',
    path: '/permissions/:principal/:resource',
    scope: 'admin:read',
    summary: 'Show a permission; a user may be named by e-mail address',
    view: views.permissionViewSchema,
    status: 200,
    run: async (call) =>
      views.permissionView(
        await call.services.registry.permissions.get(
          named(call, 'principal'),
          named(call, 'resource'),
        ),
      ),
  },
  {
    method: 'put',
    path: '/permissions/:principal/:resource',
    scope: 'admin:write',
    alsoNeeds: permissionNeeds,
    summary: 'Say which scopes a principal may hold, or delegate, at a resource',
    body: permissionBodySchema,
    view: views.permissionViewSchema,
    status: 200,
    run: async (call) =>
      views.permissionView(
        // Never without scopes (the schema asks for one), so always a row.
        (await call.services.registry.permissions.set(call.by, {
          principal: named(call, 'principal'),
          resource: named(call, 'resource'),
          scopes: (call.body as z.infer<typeof permissionBodySchema>).scopes,
        })) as object,
      ),
  },
  {
    method: 'delete',
    path: '/permissions/:principal/:resource',
    scope: 'admin:write',
    alsoNeeds: permissionNeeds,
    summary: 'Take a permission away',
    status: 204,
    run: (call) =>
      call.services.registry.permissions.remove(
        call.by,
        named(call, 'principal'),
        named(call, 'resource'),
      ),
  },
];

export const RESOURCE_OPERATIONS: readonly Operation[] = [...resources, ...tools, ...permissions];
