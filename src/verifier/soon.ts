/**
 * What is there at once on one platform and later on another. A promise where none is needed costs
 * a turn of the queue and garbage, for every token.
 */
export type Soon<Value> = Value | Promise<Value>;

/** Goes on with a value when it is there: now, if it is. */
export const soon = <Value, Result>(
  value: Soon<Value>,
  next: (value: Value) => Soon<Result>,
): Soon<Result> => (value instanceof Promise ? value.then(next) : next(value));
