/** What a verifier can do. The upper half is for servers, the lower for adapters such as `./mcp`. */
import type { AskBroker } from './ask-broker.js';
import type { AuthError } from './auth-error.js';
import type { ProofInput } from './binding.js';
import type { ChallengeHints, ChallengeResponse } from './challenge.js';
import type { AuthContext } from './context.js';
import type { Decision } from './decide.js';
import type { AuthEvent, Operation } from './events.js';
import type { HttpInput } from './http-input.js';
import type { McpAuthInfo } from './mcp-auth-info.js';
import type { ParsedRequirement, Requirement } from './requirement.js';
import type { ProtectedResourceMetadata } from './resource-metadata.js';

/**
 * Checks callers of one resource, and decides what they may do. Holds no session and no token; it follows
 * the revocation feed until it is closed.
 */
export interface Verifier {
  /** The first of the issuers. */
  readonly issuer: string;
  readonly issuers: readonly string[];
  readonly resource: string;
  /** Paths at which to serve {@link Verifier.protectedResourceMetadata} (RFC 9728 §3.1). */
  readonly metadataPaths: readonly string[];
  /**
   * Checks one access token: signature, claims, binding, revocation, acceptable caller. Decides no
   * right.
   * @param proof for a token that is bound to a key, which is refused without
   * @throws AuthError
   */
  verify(token: string, proof?: ProofInput): Promise<AuthContext>;
  /**
   * Finds the token of a request, and the proof if it is bound to a key, and checks them.
   * @throws AuthError
   */
  authenticate(input: HttpInput): Promise<AuthContext>;
  /**
   * Decides whether a caller meets a requirement, the agent's side before the user's.
   * @param operation names what is decided about; a requirement with a `check` is refused without
   */
  authorize(
    context: AuthContext,
    requirement: Requirement,
    operation?: Operation,
  ): Promise<Decision>;
  /** The HTTP answer to an error. */
  challenge(error: AuthError, hints?: ChallengeHints): ChallengeResponse;
  protectedResourceMetadata(hints?: ChallengeHints): ProtectedResourceMetadata;
  /**
   * The MCP SDKs' `OAuthTokenVerifier`.
   * @throws AuthError
   */
  verifyAccessToken(token: string): Promise<McpAuthInfo>;
  /** Resolves once keys, snapshot and stream are there. Not needed: the first use waits too. */
  ready(): Promise<void>;
  /** Ends the feed and every signal, and sends what is still to be reported. */
  close(): Promise<void>;

  /** For adapters: whether this context came from this verifier, and from nobody else. */
  issued(context: unknown): context is AuthContext;
  /**
   * For adapters: calls `run` when the token behind a call expires or is revoked.
   * @returns what lets go of it
   */
  onEnd(context: AuthContext, run: (reason: Error) => void): () => void;
  /**
   * For adapters: whether this verifier can find out what a requirement demands; to be asked at start.
   * @throws TypeError
   */
  checkRequirement(requirement: ParsedRequirement): ParsedRequirement;
  /**
   * For adapters: what can be said at once, for lists of what a caller may see. Asks neither `check`
   * nor the issuer, so that it never stands for {@link Verifier.decideCall}.
   */
  decide(context: AuthContext, requirement: ParsedRequirement): Decision;
  /** For adapters: the whole decision, told to nobody until {@link Verifier.record}. */
  decideCall(
    context: AuthContext,
    requirement: ParsedRequirement,
    operation?: Operation,
  ): Promise<Decision>;
  /** For adapters: tells a decision to `onEvent` and, if it is about a tool, to the broker. */
  record(
    context: AuthContext,
    requirement: ParsedRequirement,
    decision: Decision,
    operation?: Operation,
  ): void;
  /** For adapters: asks the broker as this server's own client; undefined without one. */
  readonly askBroker: AskBroker;
  /** For adapters: tells an observation of theirs to `onEvent`. */
  emit(event: AuthEvent): void;
  /** For adapters: milliseconds since the epoch. */
  now(): number;
}
