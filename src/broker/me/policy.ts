/** What a user's consents come to on the user's own page. Facts in, words' keys out; reads nothing. */

export interface Ending {
  readonly endedAt: Date | undefined;
  readonly endedReason: string | undefined;
  readonly expiresAt: Date;
}

export type ConsentState =
  | 'live'
  /** Ended by a decision, of whomever. */
  | 'ended'
  /** A later decision of the same user took its place. */
  | 'replaced'
  | 'expired';

export function stateOf({ endedAt, endedReason, expiresAt }: Ending, nowMs: number): ConsentState {
  if (endedAt !== undefined) return endedReason === 'replaced' ? 'replaced' : 'ended';
  return expiresAt.getTime() > nowMs ? 'live' : 'expired';
}

/** When it was over; undefined while it is not. */
export const overSince = (consent: Ending, nowMs: number): Date | undefined =>
  consent.endedAt ?? (stateOf(consent, nowMs) === 'expired' ? consent.expiresAt : undefined);

/** Who acts: the agent, or the client itself where none does. */
export const actorOf = (consent: {
  readonly agentId: string;
  readonly clientId: string;
}): string => (consent.agentId === '' ? consent.clientId : consent.agentId);

/** Consents of one actor together, in the order they came. */
export function byActor<C extends { readonly agentId: string; readonly clientId: string }>(
  consents: readonly C[],
): ReadonlyArray<readonly [actor: string, consents: readonly C[]]> {
  const groups = new Map<string, C[]>();
  for (const consent of consents) {
    const actor = actorOf(consent);
    const group = groups.get(actor);
    if (group === undefined) groups.set(actor, [consent]);
    else group.push(consent);
  }
  return [...groups];
}

/** A process of a server that follows the list of stops. */
interface Follower {
  readonly resource: string;
  /** When it had applied the stop; undefined: it has not said so. */
  readonly at: Date | undefined;
  readonly seenAt: Date;
}

/** A server as its user knows it. */
export interface Server {
  readonly name: string;
  /** Since when all its processes have applied the stop; undefined: not all have. */
  readonly since: Date | undefined;
  /** When it was last heard from. */
  readonly seenAt: Date;
}

/** Who has confirmed a stop: servers the user has to do with by their names, the others as numbers. */
export interface Confirmed {
  readonly servers: readonly Server[];
  readonly others: { readonly by: number; readonly of: number };
}

/** @param names of the resources that may be named */
export function confirmedOf(
  followers: readonly Follower[],
  names: ReadonlyMap<string, string>,
): Confirmed {
  const resources = [...new Set(followers.map(({ resource }) => resource))];
  const servers = resources.map((resource) => {
    const processes = followers.filter((one) => one.resource === resource);
    const latest = (times: readonly Date[]): Date => new Date(Math.max(...times.map(Number)));
    const confirmed = processes.flatMap(({ at }) => (at === undefined ? [] : [at]));
    return {
      name: names.get(resource),
      since: confirmed.length < processes.length ? undefined : latest(confirmed),
      seenAt: latest(processes.map(({ seenAt }) => seenAt)),
    };
  });
  const others = servers.filter(({ name }) => name === undefined);
  return {
    servers: servers
      .flatMap(({ name, ...server }) => (name === undefined ? [] : [{ ...server, name }]))
      .sort((one, other) => (one.name < other.name ? -1 : 1)),
    others: { by: others.filter(({ since }) => since !== undefined).length, of: others.length },
  };
}

/** The first that fits: most browsers also claim to be others. */
const BROWSERS: ReadonlyArray<readonly [RegExp, string]> = [
  [/\bEdg(e|A|iOS)?\//, 'Edge'],
  [/\b(OPR|Opera)\//, 'Opera'],
  [/\bSamsungBrowser\//, 'Samsung Internet'],
  [/\bVivaldi\//, 'Vivaldi'],
  [/\b(Firefox|FxiOS)\//, 'Firefox'],
  [/\b(Chrome|CriOS|Chromium|HeadlessChrome)\//, 'Chrome'],
  [/\bVersion\/[\d.]+ .*Safari\//, 'Safari'],
];
const SYSTEMS: ReadonlyArray<readonly [RegExp, string]> = [
  [/\b(iPhone|iPad|iPod)\b/, 'iOS'],
  [/\bAndroid\b/, 'Android'],
  [/\bWindows\b/, 'Windows'],
  [/\b(Macintosh|Mac OS X)\b/, 'macOS'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bLinux\b/, 'Linux'],
];

/** What a browser says it is, as people call it. Never proof of anything. */
export function browserOf(userAgent: string | null): {
  readonly browser: string | undefined;
  readonly system: string | undefined;
} {
  const named = (table: typeof BROWSERS): string | undefined =>
    table.find(([pattern]) => pattern.test(userAgent ?? ''))?.[1];
  return { browser: named(BROWSERS), system: named(SYSTEMS) };
}
