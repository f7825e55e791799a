/**
 * The `act` claim (RFC 8693 §4.1): outermost is the current actor, everything inside is history
 * and never decides. Parsing is bounded: a hostile chain costs nothing.
 */
import { ACT_DEPTH_MAX, type SubProfile } from './names.js';

export interface Act {
  readonly sub: string;
  readonly iss: string;
  readonly sub_profile?: SubProfile | string;
  readonly act?: Act;
}

/** Longest `sub`/`iss` accepted inside `act`; ours are far shorter. */
const ACT_MEMBER_MAX_CHARS = 512;
const ACT_MEMBERS = new Set(['sub', 'iss', 'sub_profile', 'act']);

const isShortString = (value: unknown): value is string =>
  typeof value === 'string' && value.length > 0 && value.length <= ACT_MEMBER_MAX_CHARS;

/**
 * Checks the shape of an `act` claim.
 *
 * @returns the same value, typed; `undefined` when it is not an object with string `sub` and `iss`
 * at every level, carries unknown members, or is deeper than `depthMax`. Does not check that
 * anyone named in it exists or may act.
 */
export function parseAct(value: unknown, depthMax: number = ACT_DEPTH_MAX): Act | undefined {
  let level: unknown = value;
  for (let depth = 1; ; depth += 1) {
    if (depth > depthMax) return undefined;
    if (typeof level !== 'object' || level === null || Array.isArray(level)) return undefined;
    const { sub, iss, sub_profile: profile, act } = level as Record<string, unknown>;
    if (!isShortString(sub) || !isShortString(iss)) return undefined;
    if (profile !== undefined && !isShortString(profile)) return undefined;
    if (Object.keys(level).some((member) => !ACT_MEMBERS.has(member))) return undefined;
    if (act === undefined) return value as Act;
    level = act;
  }
}

/** Every actor, newest first. `[0]` is the current actor; the rest is for audit only. */
export function actorChain(act: Act | undefined): Act[] {
  const chain: Act[] = [];
  for (let level = act; level !== undefined; level = level.act) chain.push(level);
  return chain;
}
