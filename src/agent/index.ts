/**
 * The client side of Behalf for whoever runs an agent: its own tokens, and tokens to act for a
 * user (OAuth 2.1, draft-oauth-ai-agents-on-behalf-of-user-02), to pass work on and take it up; and for
 * services that call onward (RFC 8693). Web APIs and `jose` only.
 */
export type { BegunDelegation, DelegationRequest } from './authorization.js';
export type { ClientCredentials } from './client-auth.js';
export type { Delegation } from './delegation.js';
export { type AgentError, type AgentLocalCode, isAgentError } from './errors.js';
export { type AgentHost, type AgentHostOptions, createAgentHost } from './host.js';
export { createServiceHost, type ServiceHost, type ServiceHostOptions } from './service.js';
export { createMemoryStore, type TokenStore } from './store.js';
export { authorizationHeader, type TokenSet } from './token-set.js';
export type { HandOff, HandOffRequest, NarrowRequest, PassingOn, Work } from './work.js';
