/** The admin API's operations on users and roles. */
import type { z } from 'zod';
import {
  type NewRole,
  newRoleSchema,
  type RolePatch,
  rolePatchSchema,
} from '../permissions/schema.js';
import {
  type NewUser,
  newUserSchema,
  type UserPatch,
  type UserStatus,
  userPatchSchema,
  userStatusSchema,
} from '../users/schema.js';
import type { Call, Operation } from './operation.js';
import { roleQuery, userQuery } from './query.js';
import * as views from './views.js';

const id = ({ params }: Call): string => params.id as string;
const body = <T>(call: Call): T => call.body as T;

/** Who signs in as whom, and who may at all, is security; so are the roles of administrators. */
const userNeeds = async (call: Call): Promise<'admin:security' | undefined> => {
  const { password, email, roles } = body<UserPatch>(call);
  if (password !== undefined || email !== undefined) return 'admin:security';
  if (roles === undefined) return undefined;
  const { roles: before } = await call.services.registry.users.get(id(call));
  return rolesNeed(call, [...roles, ...before]);
};
const rolesNeed = async ({ services }: Call, roles: readonly string[]) =>
  (await services.rolesAdminister(roles)) ? 'admin:security' : undefined;

const users: readonly Operation[] = [
  {
    method: 'post',
    path: '/users',
    scope: 'admin:write',
    summary: 'Register a user',
    alsoNeeds: async (call) => rolesNeed(call, body<NewUser>(call).roles ?? []),
    body: newUserSchema,
    view: views.userViewSchema,
    status: 201,
    run: async (call) =>
      views.userView(await call.services.registry.users.create(call.by, body<NewUser>(call))),
  },
  {
    method: 'get',
    path: '/users',
    scope: 'admin:read',
    summary:
      'List users, or find one by e-mail address; retired ones only when asked for by status',
    query: userQuery,
    view: views.pageSchema(views.userViewSchema),
    status: 200,
    run: async (call) =>
      views.pageView(
        await call.services.registry.users.list(call.query as z.infer<typeof userQuery>),
        views.userView,
      ),
  },
  {
    method: 'get',
    path: '/users/:id',
    scope: 'admin:read',
    summary: 'Show a user',
    view: views.userViewSchema,
    status: 200,
    run: async (call) => views.userView(await call.services.registry.users.get(id(call))),
  },
  {
    method: 'patch',
    path: '/users/:id',
    scope: 'admin:write',
    summary: 'Change a user; a new password ends what was before',
    alsoNeeds: userNeeds,
    body: userPatchSchema,
    view: views.userViewSchema,
    status: 200,
    run: async (call) =>
      views.userView(
        await call.services.registry.users.patch(call.by, id(call), body<UserPatch>(call)),
      ),
  },
  {
    method: 'put',
    path: '/users/:id/status',
    scope: 'admin:security',
    summary: 'Disable or enable a user; disabling stops everything that acts for them',
    body: userStatusSchema,
    view: views.stoppedSchema(views.userViewSchema),
    status: 200,
    run: async (call) =>
      views.stoppedView(
        await call.services.registry.users.setStatus(call.by, id(call), body<UserStatus>(call)),
        views.userView,
      ),
  },
  {
    method: 'delete',
    path: '/users/:id',
    scope: 'admin:security',
    summary: 'Retire a user; whoever gets the e-mail address next inherits nothing',
    view: views.receiptAnswerSchema,
    status: 200,
    run: async (call) =>
      views.receiptAnswer(await call.services.registry.users.retire(call.by, id(call))),
  },
];

const roles: readonly Operation[] = [
  {
    method: 'post',
    path: '/roles',
    scope: 'admin:write',
    summary: 'Create a role',
    body: newRoleSchema,
    view: views.roleViewSchema,
    status: 201,
    run: async (call) =>
      views.roleView(await call.services.registry.roles.create(call.by, body<NewRole>(call))),
  },
  {
    method: 'get',
    path: '/roles',
    scope: 'admin:read',
    summary: 'List roles',
    query: roleQuery,
    view: views.pageSchema(views.roleViewSchema),
    status: 200,
    run: async (call) =>
      views.pageView(
        await call.services.registry.roles.list(call.query as z.infer<typeof roleQuery>),
        views.roleView,
      ),
  },
  {
    method: 'get',
    path: '/roles/:id',
    scope: 'admin:read',
    summary: 'Show a role',
    view: views.roleViewSchema,
    status: 200,
    run: async (call) => views.roleView(await call.services.registry.roles.get(id(call))),
  },
  {
    method: 'patch',
    path: '/roles/:id',
    scope: 'admin:write',
    summary: 'Describe a role',
    body: rolePatchSchema,
    view: views.roleViewSchema,
    status: 200,
    run: async (call) =>
      views.roleView(
        await call.services.registry.roles.patch(call.by, id(call), body<RolePatch>(call)),
      ),
  },
  {
    method: 'delete',
    path: '/roles/:id',
    scope: 'admin:write',
    summary: 'Remove a role nobody has',
    status: 204,
    run: (call) => call.services.registry.roles.retire(call.by, id(call)),
  },
];

export const PEOPLE_OPERATIONS: readonly Operation[] = [...users, ...roles];
