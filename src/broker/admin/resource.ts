/**
 * The admin API as a protected resource: `<issuer>/admin`, built in. Tokens for it, permissions to
 * it and the page that asks for it are made like any other's; only its own words are not registered
 * and cannot be changed.
 */
import { urlBelow } from '../../protocol/index.js';
import type { ResourceFacts } from '../facts/store.js';
import { ACCESS_TOKEN_TTL_SECONDS } from '../limits.js';
import type { AdminScope } from './scopes.js';

type ScopeFacts = ResourceFacts['scopes'][string];

/** RFC 8707 §2: what a token for the admin API has as `aud`. */
export const adminIdentifier = (issuer: string): string => urlBelow(issuer, 'admin');

/** Whoever may decide about administrators signed in within this time. */
const REAUTH_SECONDS = 600;

/** All restricted: nobody administers unless permitted by name or role. */
const SCOPES: Readonly<Record<AdminScope, ScopeFacts>> = {
  'admin:read': {
    title: 'See what is registered, and what happened',
    description: 'Agents, clients, resources, people, permissions, consents and the audit',
    risk: 'read',
    restricted: true,
    implies: [],
    base: false,
  },
  'admin:write': {
    title: 'Register and change agents, clients, resources and people',
    description: 'And what they may do at every resource but this one',
    risk: 'write',
    restricted: true,
    implies: ['admin:read'],
    base: false,
  },
  'admin:security': {
    title: 'Stop anybody, and decide who administers',
    description: 'Block and retire, end what users allowed, add and remove credentials and keys',
    risk: 'destructive',
    restricted: true,
    implies: ['admin:read'],
    base: false,
    reauthSeconds: REAUTH_SECONDS,
  },
};

export const createAdminResource = (issuer: string): ResourceFacts => ({
  identifier: adminIdentifier(issuer),
  name: 'Administration of this server',
  description: null,
  scopes: { ...SCOPES },
  tools: {},
  client: null,
  clients: null,
  downstream: [],
  requireUser: false,
  signingAlg: 'ES256',
  tokenTtlSeconds: ACCESS_TOKEN_TTL_SECONDS,
  status: 'active',
  createdAt: new Date(0),
});
