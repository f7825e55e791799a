/**
 * Checks Behalf's access tokens at a protected server (RFC 6750, RFC 9068, RFC 9728). Web APIs and
 * `jose` only; see `behalf/verifier/mcp` for tools of an MCP server.
 */

export type { Verifier } from './api.js';
export {
  AuthError,
  type AuthErrorCode,
  type AuthErrorDetails,
  type AuthReason,
} from './auth-error.js';
export type { Binding, ProofInput } from './binding.js';
export type { AuthErrorBody, ChallengeHints, ChallengeResponse } from './challenge.js';
export type { Check, EvaluationRequest } from './check-hook.js';
export type { Actor, AuthContext, User } from './context.js';
export type { Decision, Missing } from './decide.js';
export type { DpopRequest } from './dpop.js';
export {
  createDpopNonces,
  type DpopNonceOptions,
  type DpopNonces,
} from './dpop-nonce.js';
export type { DpopAlg, DpopOptions } from './dpop-options.js';
export type { AuthEvent, EventCaller, OnAuthEvent, Operation } from './events.js';
export type { HttpInput } from './http-input.js';
export type { IntrospectionMode, IntrospectionOptions, Source } from './introspection.js';
export type { IssuerOptions, IssuerParts } from './issuer-options.js';
export type { McpAuthInfo } from './mcp-auth-info.js';
export type { VerifierOptions } from './options.js';
export { createReplayStore, type ReplayStore, type ReplayStoreOptions } from './replay.js';
export type { ReportCredentials, ReportedDecision } from './report.js';
export type { ChainRule, ParsedRequirement, Requirement } from './requirement.js';
export type { ProtectedResourceMetadata } from './resource-metadata.js';
export { createVerifier } from './verifier.js';
