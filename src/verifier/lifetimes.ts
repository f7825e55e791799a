/** What ends with a token: at `exp`, at its revocation, or with the verifier. */

import { type AccessTokenClaims, factStops, revocationKeys } from '../protocol/index.js';
import type { FeedFact } from './facts.js';
import type { RevocationFeed } from './feed.js';
import { later } from './timers.js';

export interface Lifetime {
  readonly claims: AccessTokenClaims;
  /** The `kid` of its header; absent when only the issuer could read it. */
  readonly kid: string | undefined;
  /** Its revocation keys in their published form; absent with `revocation: 'off'`. */
  readonly published: readonly string[] | undefined;
}

export interface Lifetimes {
  /**
   * Calls `run` once when the token ends. Tokens are watched once each, by one timer, however many
   * calls come with them.
   * @returns what lets go of it
   */
  onEnd(lifetime: Lifetime, run: (reason: Error) => void): () => void;
  /** A signal for one call; watched until the token ends. */
  signalFor(lifetime: Lifetime): AbortSignal;
  /** Ends the tokens of an issuer that a fact of its feed stops. */
  onFact(issuer: string, fact: FeedFact): void;
  /** Ends everything: what nobody watches any more must not go on. */
  close(): void;
}

interface Watch extends Lifetime {
  readonly waiting: Set<(reason: Error) => void>;
  readonly stop: () => void;
  readonly end: (why: string) => void;
  publishing?: Promise<readonly string[]>;
}

type Feed = Pick<RevocationFeed, 'feedKey' | 'stops'>;

/** A token id is unique at its issuer. */
const keyOf = ({ claims }: Lifetime): string => `${claims.iss}\n${claims.jti}`;
const keysOf = ({ claims, kid }: Lifetime): string[] => revocationKeys(claims, kid);

export function createLifetimes(
  now: () => number,
  feedOf: (issuer: string) => Feed | undefined,
): Lifetimes {
  const watches = new Map<string, Watch>();

  async function compare(watch: Watch, fact: FeedFact): Promise<void> {
    const { feedKey } = feedOf(watch.claims.iss) ?? {};
    if (feedKey === undefined) return;
    watch.publishing ??= Promise.all(keysOf(watch).map(feedKey));
    if ((await watch.publishing).includes(fact.key) && factStops(fact, watch.claims.iat))
      watch.end('the access token was revoked');
  }

  function start(lifetime: Lifetime): Watch {
    const waiting: Watch['waiting'] = new Set();
    const cancel = later(lifetime.claims.exp * 1000 - now(), () =>
      watch.end('the access token expired'),
    );
    const stop = () => {
      cancel();
      watches.delete(keyOf(lifetime));
    };
    const end = (why: string) => {
      stop();
      for (const run of waiting) run(new Error(why));
    };
    const watch: Watch = { ...lifetime, waiting, stop, end };
    watches.set(keyOf(lifetime), watch);
    // A fact may have come between the check of the token and now.
    void feedOf(lifetime.claims.iss)
      ?.stops(keysOf(lifetime), lifetime.claims.iat)
      .then((stopped) => stopped && watch.end('the access token was revoked'));
    return watch;
  }

  function onEnd(lifetime: Lifetime, run: (reason: Error) => void): () => void {
    const watch = watches.get(keyOf(lifetime)) ?? start(lifetime);
    watch.waiting.add(run);
    return () => {
      if (watch.waiting.delete(run) && watch.waiting.size === 0) watch.stop();
    };
  }

  return {
    onEnd,
    signalFor(lifetime) {
      const controller = new AbortController();
      onEnd(lifetime, (reason) => controller.abort(reason));
      return controller.signal;
    },
    onFact(issuer, fact) {
      for (const watch of watches.values())
        if (watch.claims.iss === issuer) void compare(watch, fact);
    },
    close() {
      for (const watch of [...watches.values()]) watch.end('the verifier was closed');
    },
  };
}
