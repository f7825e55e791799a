/** How proofs of possession are taken: options of DPoP (RFC 9449), checked when a verifier is built. */
import { parseSecureUrl } from '../protocol/index.js';
import type { DpopNonces } from './dpop-nonce.js';
import type { HttpInput } from './http-input.js';
import { createReplayStore, type ReplayStore } from './replay.js';

export const DPOP_ALGS = ['ES256', 'EdDSA', 'Ed25519', 'PS256', 'RS256'] as const;
/** Algorithms of DPoP proofs (RFC 9449 §4.2): asymmetric ones only. */
export type DpopAlg = (typeof DPOP_ALGS)[number];

/** How proofs of possession are checked (RFC 9449 §4.3). */
export interface DpopOptions {
  /** Accept only tokens bound to a key by DPoP; default false: whatever is bound needs its proof. */
  readonly required?: boolean | undefined;
  /** Default: all of `DPOP_ALGS`. Symmetric ones and `none` are never accepted. */
  readonly algorithms?: readonly DpopAlg[] | undefined;
  /** How old a proof may be; default 60, at most 300. */
  readonly maxAgeSeconds?: number | undefined;
  /** Default: in memory, for one process. */
  readonly replay?: ReplayStore | undefined;
  /** Ask for a nonce of ours in every proof (RFC 9449 §9). */
  readonly nonces?: DpopNonces | undefined;
  /**
   * The URL of a request as the client sees it. A string is what stands before the path that this
   * server sees, for proxies that strip one; default: the origin of `resource`. Forwarded headers
   * and `Host` are read only by a function of yours.
   */
  readonly publicUrl?: string | ((input: HttpInput) => string) | undefined;
}

export interface DpopSettings {
  readonly required: boolean;
  readonly algorithms: readonly string[];
  readonly maxAgeSeconds: number;
  readonly replay: ReplayStore;
  readonly nonces: DpopNonces | undefined;
  readonly publicUrl: (input: HttpInput) => string;
}

/** The path of a request as it was received, also below a framework's mount point. */
function pathOf({ url, originalUrl }: HttpInput): string {
  const received = originalUrl ?? url ?? '';
  const path = received.replace(/^[a-z][a-z0-9+.-]*:\/\/[^/?#]*/i, '');
  return (path.split(/[?#]/, 1)[0] ?? '') || '/';
}

function publicUrlOf(given: DpopOptions['publicUrl'], resource: string): DpopSettings['publicUrl'] {
  if (typeof given === 'function') return given;
  const base = parseSecureUrl(given ?? new URL(resource).origin);
  if (base === undefined || base.search !== '')
    throw new TypeError(
      'dpop.publicUrl is an absolute https URL (http on loopback), without query',
    );
  const prefix = base.href.replace(/\/$/, '');
  return (input) => prefix + pathOf(input);
}

/** @throws TypeError naming the option */
export function checkDpopOptions(
  options: DpopOptions,
  { resource, now }: { readonly resource: string; readonly now: () => number },
): DpopSettings {
  const { required = false, algorithms = DPOP_ALGS, maxAgeSeconds = 60 } = options;
  if (typeof required !== 'boolean') throw new TypeError('dpop.required is true or false');
  if (algorithms.length === 0 || algorithms.some((alg) => !DPOP_ALGS.includes(alg)))
    throw new TypeError(`dpop.algorithms are of ${DPOP_ALGS.join(', ')}`);
  if (!(maxAgeSeconds >= 5 && maxAgeSeconds <= 300))
    throw new TypeError('dpop.maxAgeSeconds is a number from 5 to 300');
  return Object.freeze({
    required,
    algorithms: Object.freeze([...algorithms]),
    maxAgeSeconds,
    replay: options.replay ?? createReplayStore({ now }),
    nonces: options.nonces,
    publicUrl: publicUrlOf(options.publicUrl, resource),
  });
}
