/**
 * Protects the tools of an MCP server (MCP authorization 2025-06-18, 2025-11-25, 2026-07-28) with
 * any generation of the TypeScript SDK: only its public shapes are used, nothing of it is imported.
 */
export {
  expressMcp,
  type HonoContextLike,
  honoMcp,
  type KoaContextLike,
  koaMcp,
} from './adapters.js';
export type { AdmittedRequest, FetchHandler, FetchMcpHandler } from './fetch.js';
export {
  type ConnectableServer,
  type McpGuard,
  type ProtectOptions,
  protectMcpServer,
  type ServerFactory,
  type TransportOptions,
} from './guard.js';
export { type ToolDefinition, toolHash } from './inventory.js';
export type { NodeListener, NodeMcpHandler } from './node.js';
export {
  defineToolPolicy,
  type ListMode,
  type ToolPolicy,
  type ToolPolicyInput,
} from './policy.js';
export { type RegisteredPolicyOptions, registeredToolPolicy } from './registered-policy.js';
export { sdkTokenVerifier } from './sdk-verifier.js';
export { createOwnerStore, type OwnerStore, type OwnerStoreOptions } from './sessions.js';
export type { GuardedTransport, TransportLike } from './transport.js';
