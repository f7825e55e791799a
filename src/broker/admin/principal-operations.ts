/** The admin API's operations on agents, clients and their credentials. */
import {
  type AgentPatch,
  type AgentStatus,
  agentPatchSchema,
  agentStatusSchema,
  type NewAgent,
  newAgentSchema,
} from '../agents/schema.js';
import type { AgentFilter } from '../agents/store.js';
import { type NewCredential, newCredentialSchema } from '../clients/credential-schema.js';
import type { CredentialFilter } from '../clients/credentials.js';
import {
  type ClientPatch,
  clientPatchSchema,
  type NewClient,
  newClientSchema,
} from '../clients/schema.js';
import type { ClientFilter } from '../clients/store.js';
import type { PageRequest } from '../registry/page.js';
import { type Call, type Operation, toCamel } from './operation.js';
import { agentQuery, clientQuery, credentialQuery } from './query.js';
import * as views from './views.js';

const id = ({ params }: Call): string => params.id as string;
/** A list's query in the services' own names. */
const filters = <Filter>({ query }: Call): PageRequest & Filter =>
  Object.fromEntries(
    Object.entries(query).map(([name, value]) => [toCamel(name), value]),
  ) as PageRequest & Filter;
const body = <T>(call: Call): T => call.body as T;

const agents: readonly Operation[] = [
  {
    method: 'post',
    path: '/agents',
    scope: 'admin:write',
    summary: 'Register an agent; a generated secret is in this answer only',
    body: newAgentSchema,
    view: views.createdAgentViewSchema,
    status: 201,
    run: async (call) => {
      const made = await call.services.registry.agents.create(call.by, body<NewAgent>(call));
      return views.withCredential(views.agentView(made.agent), made.credential);
    },
  },
  {
    method: 'get',
    path: '/agents',
    scope: 'admin:read',
    summary: 'List agents; retired ones only when asked for by status',
    query: agentQuery,
    view: views.pageSchema(views.agentViewSchema),
    status: 200,
    run: async (call) =>
      views.pageView(
        await call.services.registry.agents.list(filters<AgentFilter>(call)),
        views.agentView,
      ),
  },
  {
    method: 'get',
    path: '/agents/:id',
    scope: 'admin:read',
    summary: 'Show an agent',
    view: views.agentViewSchema,
    status: 200,
    run: async (call) => views.agentView(await call.services.registry.agents.get(id(call))),
  },
  {
    method: 'patch',
    path: '/agents/:id',
    scope: 'admin:write',
    summary: 'Change an agent',
    body: agentPatchSchema,
    view: views.agentViewSchema,
    status: 200,
    run: async (call) =>
      views.agentView(
        await call.services.registry.agents.patch(call.by, id(call), body<AgentPatch>(call)),
      ),
  },
  {
    method: 'put',
    path: '/agents/:id/status',
    scope: 'admin:security',
    summary:
      'Activate, pause, block, unblock or retire an agent; all but activating stop its tokens',
    body: agentStatusSchema,
    view: views.stoppedSchema(views.agentViewSchema),
    status: 200,
    run: async (call) =>
      views.stoppedView(
        await call.services.registry.agents.setStatus(call.by, id(call), body<AgentStatus>(call)),
        views.agentView,
      ),
  },
  {
    method: 'delete',
    path: '/agents/:id',
    scope: 'admin:security',
    summary: 'Retire an agent; its id is never used again',
    view: views.receiptAnswerSchema,
    status: 200,
    run: async (call) =>
      views.receiptAnswer(await call.services.registry.agents.retire(call.by, id(call))),
  },
];

const clients: readonly Operation[] = [
  {
    method: 'post',
    path: '/clients',
    scope: 'admin:write',
    summary: 'Register a client; a generated secret is in this answer only',
    body: newClientSchema,
    view: views.createdClientViewSchema,
    status: 201,
    run: async (call) => {
      const made = await call.services.registry.clients.create(call.by, body<NewClient>(call));
      return views.withCredential(views.clientView(made.client), made.credential);
    },
  },
  {
    method: 'get',
    path: '/clients',
    scope: 'admin:read',
    summary: 'List clients; retired ones only when asked for by status',
    query: clientQuery,
    view: views.pageSchema(views.clientViewSchema),
    status: 200,
    run: async (call) =>
      views.pageView(
        await call.services.registry.clients.list(filters<ClientFilter>(call)),
        views.clientView,
      ),
  },
  {
    method: 'get',
    path: '/clients/:id',
    scope: 'admin:read',
    summary: 'Show a client',
    view: views.clientViewSchema,
    status: 200,
    run: async (call) => views.clientView(await call.services.registry.clients.get(id(call))),
  },
  {
    method: 'patch',
    path: '/clients/:id',
    scope: 'admin:write',
    summary: 'Change a client',
    body: clientPatchSchema,
    view: views.clientViewSchema,
    status: 200,
    run: async (call) =>
      views.clientView(
        await call.services.registry.clients.patch(call.by, id(call), body<ClientPatch>(call)),
      ),
  },
  {
    method: 'delete',
    path: '/clients/:id',
    scope: 'admin:security',
    summary: 'Retire a client; its tokens stop, its id is never used again',
    view: views.receiptAnswerSchema,
    status: 200,
    run: async (call) =>
      views.receiptAnswer(await call.services.registry.clients.retire(call.by, id(call))),
  },
];

/** The same three operations for agents and for clients. */
const credentials = (noun: 'agents' | 'clients'): readonly Operation[] => [
  {
    method: 'post',
    path: `/${noun}/:id/credentials`,
    scope: 'admin:security',
    summary:
      'Add a credential, or rotate one with an overlap; a generated secret is in this answer only',
    body: newCredentialSchema,
    view: views.newCredentialViewSchema,
    status: 201,
    run: async (call) =>
      views.addedCredentialView(
        await call.services.registry[noun].addCredential(
          call.by,
          id(call),
          body<NewCredential>(call),
        ),
      ),
  },
  {
    method: 'get',
    path: `/${noun}/:id/credentials`,
    scope: 'admin:read',
    summary: 'List credentials, never their secrets',
    query: credentialQuery,
    view: views.pageSchema(views.credentialViewSchema),
    status: 200,
    run: async (call) => {
      const items = await call.services.registry[noun].listCredentials(
        id(call),
        filters<CredentialFilter>(call),
      );
      return views.pageView({ items, nextCursor: null }, views.credentialView);
    },
  },
  {
    method: 'delete',
    path: `/${noun}/:id/credentials/:credential`,
    scope: 'admin:security',
    summary: 'Remove a credential; what it obtained stops',
    view: views.receiptAnswerSchema,
    status: 200,
    run: async (call) =>
      views.receiptAnswer(
        await call.services.registry[noun].removeCredential(
          call.by,
          id(call),
          call.params.credential as string,
        ),
      ),
  },
];

export const PRINCIPAL_OPERATIONS: readonly Operation[] = [
  ...agents,
  ...credentials('agents'),
  ...clients,
  ...credentials('clients'),
];
