// What may never be read back: every secret of the world and every one that passed by, in each form
// a careless log or page might give it.

/** Shorter values would be found by accident. */
const CHARS_MIN = 12;

export interface Canary {
  readonly what: string;
  readonly value: string;
  readonly needles: readonly string[];
}

export function createCanaries() {
  const known = new Map<string, Canary>();
  return {
    add: (what: string, value: string | undefined): void => {
      if (value === undefined || value.length < CHARS_MIN || known.has(value)) return;
      known.set(value, { what, value, needles: needlesOf(value) });
    },
    list: (): readonly Canary[] => [...known.values()],
    /** What of these canaries is in a text. */
    found: (text: string, among: Iterable<Canary> = known.values()): string[] =>
      [...among]
        .filter(({ needles }) => needles.some((needle) => text.includes(needle)))
        .map(({ what, value }) => `${what} (${value.slice(0, 6)}…)`),
  };
}

export type Canaries = ReturnType<typeof createCanaries>;

/** A JWT without its signature proves nothing: the signature is what must not be seen. */
function needlesOf(value: string): string[] {
  const jwt = /^[\w-]+\.[\w-]+\.([\w-]{40,})$/.exec(value);
  const secret = jwt?.[1] ?? value;
  const bytes = Buffer.from(secret);
  const encoded = encodeURIComponent(secret);
  // Base64 of a longer text: at each of three alignments, without the characters neighbours share.
  const base64 = [0, 1, 2].map((pad) =>
    Buffer.concat([Buffer.alloc(pad), bytes])
      .toString('base64')
      .replace(/=+$/, '')
      .slice(pad === 0 ? 0 : pad + 1, -2),
  );
  return [
    ...new Set([secret, bytes.toString('hex'), bytes.toString('base64url'), encoded, ...base64]),
  ].filter((needle) => needle.length >= CHARS_MIN);
}
