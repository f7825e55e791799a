/** One issuer as a verifier knows it: its keys, and what it has stopped. */
import { createAcknowledger } from './acknowledger.js';
import { createRevocationFeed, type RevocationFeed } from './feed.js';
import { createIntrospector, type Introspector } from './introspection.js';
import type { IssuerSettings } from './issuer-options.js';
import { createKeySource, type KeySource } from './keys.js';
import type { Lifetimes } from './lifetimes.js';
import type { VerifierSettings } from './options.js';
import type { Recorder } from './recorder.js';

export interface Authority {
  readonly issuer: string;
  readonly keys: KeySource;
  /** Absent with `revocation: 'off'`. */
  readonly feed: RevocationFeed | undefined;
  /** Absent where the issuer is never asked about tokens. */
  readonly introspector: Introspector | undefined;
  /** Resolves once keys, snapshot and stream are there. */
  ready(): Promise<unknown>;
}

export type Authorities = ReadonlyMap<string, Authority>;

export interface AuthorityDeps {
  readonly settings: VerifierSettings;
  readonly lifetimes: Lifetimes;
  readonly recorder: Recorder;
  /** Ends everything. */
  readonly signal: AbortSignal;
}

function createFeed(
  issuer: IssuerSettings,
  { settings, lifetimes, recorder, signal }: AuthorityDeps,
): RevocationFeed | undefined {
  if (settings.revocation === 'off') return undefined;
  const onError = (error: unknown) =>
    recorder.emit({ type: 'feed_error', atMs: settings.now(), issuer: issuer.issuer, error });
  const options = { ...settings, ...issuer, signal, onError };
  const onApplied = createAcknowledger(options);
  return createRevocationFeed({
    ...options,
    onApplied,
    onFact: (fact) => lifetimes.onFact(issuer.issuer, fact),
  });
}

function createAuthority(issuer: IssuerSettings, deps: AuthorityDeps): Authority {
  const { settings, signal } = deps;
  const keys = createKeySource({ ...settings, ...issuer, signal });
  const feed = createFeed(issuer, deps);
  const { introspection } = issuer;
  const onError = (error: unknown) => {
    const { issuer: name } = issuer;
    deps.recorder.emit({ type: 'introspection_error', atMs: settings.now(), issuer: name, error });
  };
  return {
    introspector:
      introspection &&
      createIntrospector({
        ...settings,
        ...introspection,
        issuer: issuer.issuer,
        keys,
        signal,
        onError,
      }),
    issuer: issuer.issuer,
    keys,
    feed,
    ready: () => Promise.all([keys.ready(), feed?.start()]),
  };
}

/** Creates them all. Nothing is fetched before one is used. */
export const createAuthorities = (deps: AuthorityDeps): Authorities =>
  new Map(deps.settings.issuers.map((issuer) => [issuer.issuer, createAuthority(issuer, deps)]));
