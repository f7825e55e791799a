/**
 * What was used last, by name: as much of it as may be kept. What stands here is looked at again by
 * whoever finds it; see `check.ts` for what of a remembered token that is.
 */

export interface Recent<Value> {
  get(name: string): Value | undefined;
  set(name: string, value: Value): void;
}

/**
 * Keeps at most `max`: those used last, at least half of it. With 0 it keeps nothing. Two halves that
 * take turns cost the same at any size, which one list in the order of use does not.
 */
export function createRecent<Value>(max: number): Recent<Value> {
  const half = Math.max(1, Math.floor(max / 2));
  let recent = new Map<string, Value>();
  let older = new Map<string, Value>();

  function set(name: string, value: Value): void {
    if (max === 0) return;
    if (recent.size >= half && !recent.has(name)) {
      older = max > 1 ? recent : new Map();
      recent = new Map();
    }
    recent.set(name, value);
  }

  return {
    get(name) {
      const value = recent.get(name);
      if (value !== undefined) return value;
      const last = older.get(name);
      if (last !== undefined) set(name, last);
      return last;
    },
    set,
  };
}
