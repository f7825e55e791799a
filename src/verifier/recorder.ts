/** Where decisions go: to the server's own observer, and to the broker's audit log. */
import { AuthError } from './auth-error.js';
import type { AuthContext } from './context.js';
import type { Decision } from './decide.js';
import {
  type AuthEvent,
  authenticationEvent,
  authorizationEvent,
  type Operation,
  toReport,
} from './events.js';
import type { VerifierSettings } from './options.js';
import { createReporter, type Reporter } from './report.js';
import type { ParsedRequirement } from './requirement.js';

export interface Recorder {
  emit(event: AuthEvent): void;
  /** Tells how an authentication ends, and lets it end so. */
  observe(work: () => Promise<AuthContext>): Promise<AuthContext>;
  record(
    context: AuthContext,
    requirement: ParsedRequirement,
    decision: Decision,
    operation?: Operation,
  ): void;
  close(): Promise<void>;
}

export function createRecorder(settings: VerifierSettings): Recorder {
  const { now, issuers, onEvent } = settings;
  const emit = (event: AuthEvent): void => {
    try {
      onEvent?.(event);
    } catch {
      // An observer never decides about a request.
    }
  };
  async function observed(work: () => Promise<AuthContext>): Promise<AuthContext> {
    try {
      const context = await work();
      emit(authenticationEvent(now(), { context }));
      return context;
    } catch (error) {
      if (error instanceof AuthError) emit(authenticationEvent(now(), { error }));
      throw error;
    }
  }
  const onDropped = (count: number, why: 'queue_full' | 'undeliverable') =>
    emit({ type: 'reports_dropped', atMs: now(), count, why });
  const reporters = new Map<string, Reporter>();
  for (const { issuer, report } of issuers)
    if (report)
      reporters.set(issuer, createReporter({ ...settings, ...report, issuer, onDropped }));

  return {
    emit,
    observe: (work) => (onEvent === undefined ? work() : observed(work)),
    record(context, requirement, decision, operation = {}) {
      const atMs = now();
      emit(authorizationEvent(atMs, context, requirement, decision, operation));
      if (operation.tool !== undefined)
        reporters
          .get(context.issuer)
          ?.add(toReport(atMs, context, requirement, decision, operation.tool));
    },
    async close() {
      await Promise.all([...reporters.values()].map((reporter) => reporter.close()));
    },
  };
}
