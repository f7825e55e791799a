/**
 * The audit's hash chains, checked (M9). Pure: rows and signed checkpoints in, findings out. What was
 * written together is one link: SHA-256 over the link before and everything the events say, as
 * `behalf_content` and `behalf_link` in the migrations write it. Several chains grow side by side, one
 * for each writer at a time; checkpoints say how far each had come.
 */
import { createHash } from 'node:crypto';

/** A stored event: `detail` as the database writes it out. */
export interface StoredEvent {
  readonly id: number;
  readonly chain: number;
  readonly seq: number;
  readonly hash: string | null;
  readonly atMs: number;
  readonly members: ReadonlyArray<string | null>;
  readonly detail: string;
}

export interface ChainHead {
  readonly chain: number;
  readonly seq: number;
  readonly head: string;
}

export type FindingKind =
  /** An event was changed, or several were put in another order. */
  | 'altered'
  /** An event is gone from the middle. */
  | 'missing'
  /** Events are gone from the end. */
  | 'truncated'
  /** An event was added by something other than the broker. */
  | 'added'
  /** A checkpoint was changed, forged, or is gone. */
  | 'checkpoint';

export interface Finding {
  readonly kind: FindingKind;
  readonly chain?: number;
  /** First and last place in the chain that it may be about. */
  readonly from?: number;
  readonly to?: number;
  readonly says: string;
}

/** As PostgreSQL's `json_build_array(…)::text`. */
export const contentOf = ({ id, atMs, members, detail }: StoredEvent): string =>
  `[${[id, atMs, ...members.map((member) => JSON.stringify(member)), detail].join(', ')}]`;

export const linkOf = (previous: string, contents: string): string =>
  createHash('sha256').update(`${previous}${contents}`).digest('hex');

/** Where checkpoints pin a chain: place → the link that stood there. */
export type Pins = ReadonlyMap<number, ReadonlyMap<number, string>>;

export interface ChainCheck {
  /** Events of one chain after the other, each in the order of their places. */
  add(event: StoredEvent): void;
  finish(heads: readonly ChainHead[]): readonly Finding[];
}

interface Open {
  readonly chain: number;
  next: number;
  link: string;
  /** Place after which the open link began, and what it says so far. */
  linked: number;
  contents: string;
}

export function createChainCheck(pins: Pins): ChainCheck {
  const findings: Finding[] = [];
  const ends = new Map<number, Open>();
  let open: Open | undefined;
  const close = (): void => {
    if (open !== undefined) ends.set(open.chain, open);
  };
  return {
    add: (event) => {
      if (open?.chain !== event.chain) {
        close();
        open = { chain: event.chain, next: 1, link: '', linked: 0, contents: '' };
      }
      follow(open, event, pins, findings);
    },
    finish: (heads) => {
      close();
      return [...findings, ...endings(ends, heads, pins)];
    },
  };
}

function follow(open: Open, event: StoredEvent, pins: Pins, findings: Finding[]): void {
  const { chain, seq, hash } = event;
  if (seq !== open.next) {
    const gone = { chain, from: open.next, to: seq - 1 };
    findings.push({ kind: 'missing', ...gone, says: `${seq - open.next} events are gone` });
  }
  open.next = seq + 1;
  open.contents += contentOf(event);
  if (hash === null) return;
  const expected = linkOf(open.link, open.contents);
  const pinned = pins.get(chain)?.get(seq);
  if (hash !== expected || (pinned !== undefined && pinned !== hash)) {
    const says =
      hash === expected ? 'the chain was written anew' : 'these events do not match their link';
    findings.push({ kind: 'altered', chain, from: open.linked + 1, to: seq, says });
  }
  // Goes on from what is stored: each break is told once, where it is.
  Object.assign(open, { link: hash, linked: seq, contents: '' });
}

/** Every chain must end where its head says, and not before any checkpoint. */
function endings(
  ends: ReadonlyMap<number, Open>,
  heads: readonly ChainHead[],
  pins: Pins,
): Finding[] {
  const known = new Map(heads.map((head) => [head.chain, head]));
  const chains = new Set([...ends.keys(), ...known.keys(), ...pins.keys()]);
  return [...chains].flatMap((chain): Finding[] => {
    const end = ends.get(chain);
    const linked = end?.linked ?? 0;
    const last = (end?.next ?? 1) - 1;
    const head = known.get(chain);
    const pinned = Math.max(0, ...(pins.get(chain)?.keys() ?? []));
    const due = Math.max(head?.seq ?? 0, pinned);
    if (last < due) {
      const says = `the chain ends at ${last}, and had come to ${due}`;
      return [{ kind: 'truncated', chain, from: last + 1, to: due, says }];
    }
    // Events beyond every head are the reader's to tell: it sees both in one snapshot.
    if (head === undefined || (linked === head.seq && (end?.link ?? '') === head.head)) return [];
    return [{ kind: 'altered', chain, from: linked, to: last, says: 'the head is another link' }];
  });
}
