// Contenders in turns: a machine that is warmer, or busier, for a while is so for all of them. Work is
// counted by CPU-second of this process (threads included), which a busy neighbour changes little.

/** Something that can be done often. */
export interface Contender {
  readonly name: string;
  /** Does `count` operations, with whatever one round needs made anew before the clock starts. */
  prepare(): Promise<{ readonly count: number; run(): Promise<void> | void }>;
}

/** Operations per CPU-second: the median of the rounds, by name. */
export async function inTurns(
  contenders: readonly Contender[],
  rounds: number,
): Promise<ReadonlyMap<string, number>> {
  const rates = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let n = 0; n < rounds; n += 1) {
    for (const { name, prepare } of contenders) {
      const { count, run } = await prepare();
      const before = process.cpuUsage();
      await run();
      const { user, system } = process.cpuUsage(before);
      rates.get(name)?.push((count * 1e6) / Math.max(1, user + system));
    }
  }
  return new Map([...rates].map(([name, all]) => [name, median(all)]));
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

/** Runs `work` on every item, a few at once, as requests of a server come. */
export async function inFlight<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const lane = async () => {
    while (next < items.length) await work(items[next++] as T);
  };
  await Promise.all(Array.from({ length: width }, lane));
}
