/**
 * What a narrowing change stops, gathered while its steps run: the facts to write, whose end it is, and
 * which of the events tell of it. Writes nothing.
 */
import type { AuditEvent } from '../audit/store.js';
import type { Ended } from '../revocation/receipt.js';
import type { Stop } from '../revocation/store.js';
import type { Change } from './change.js';

export interface Collected {
  readonly stops: readonly Stop[];
  readonly ended: readonly Ended[];
  /** Those that tell what was ended, and those that have nothing to tell. */
  readonly events: readonly AuditEvent[];
  readonly others: readonly AuditEvent[];
}

interface Recorded {
  readonly event: AuditEvent;
  /** Tells of everything that was stopped, not of its own step only. */
  readonly ofAll: boolean;
}

export function collectStops(by: string) {
  const stops: Stop[] = [];
  const ended: Ended[] = [];
  const recorded: Recorded[] = [];
  const waiting: { readonly work: () => Promise<void>; readonly place: number }[] = [];
  // Whose event tells of an end: the next to be recorded, or what was the next when work was put off.
  const tellers = new Set<number>();
  let place: number | undefined;
  const end: Change['end'] = (one) => {
    ended.push(one);
    tellers.add(place ?? recorded.length);
  };
  const part: Pick<Change, 'stop' | 'end' | 'whenClosed' | 'recordStop'> = {
    end,
    stop: ({ ends, ...fact }) => {
      stops.push({ ...fact, by });
      if (ends !== undefined) end(ends);
    },
    whenClosed: (work) => void waiting.push({ work, place: recorded.length }),
    recordStop: async (event, of = 'step') =>
      void recorded.push({ event: { ...event, by }, ofAll: of === 'change' }),
  };
  const mayTell = ({ ofAll }: Recorded, n: number): boolean =>
    ofAll || tellers.has(n) || waiting.some((one) => one.place === n);
  const eventsOf = (some: readonly Recorded[]) => some.map(({ event }) => event);
  return {
    stops: part,
    /** Events that will have nothing to tell, whatever is found: they need not wait for the gate. */
    early: (): AuditEvent[] => eventsOf(recorded.filter((one, n) => !mayTell(one, n))),
    /** Does what had to wait for the gate; nothing is gathered afterwards. */
    whenClosed: async (): Promise<Collected> => {
      for (const one of waiting) {
        place = one.place;
        await one.work();
      }
      const tells = ({ ofAll }: Recorded, n: number): boolean =>
        ofAll ? ended.length > 0 : tellers.has(n);
      return {
        stops,
        ended,
        events: eventsOf(recorded.filter(tells)),
        others: eventsOf(recorded.filter((one, n) => mayTell(one, n) && !tells(one, n))),
      };
    },
  };
}
