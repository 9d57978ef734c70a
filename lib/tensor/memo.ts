/**
 * One array for each list of arguments. Equal expressions are recognised by their arrays (canonical.ts), so
 * what two expressions make of the same numbers has to be one array. It is held weakly: when no expression
 * uses it any more, it goes.
 */
import type { Data, DType } from "./node.ts";

/** `make`, which depends on its arguments alone: plain values, compared as JSON. Finite numbers only. */
export function memo<Args extends readonly unknown[], T extends ArrayBufferView>(
  make: (...args: Args) => T,
): (...args: Args) => T {
  const made = new Map<string, WeakRef<T>>();
  const gone = new FinalizationRegistry<string>((key) => {
    if (!made.get(key)?.deref()) made.delete(key); // it may have been made again
  });
  return (...args) => {
    const key = JSON.stringify(args);
    const known = made.get(key)?.deref();
    if (known) return known;
    const value = make(...args);
    made.set(key, new WeakRef(value));
    gone.register(value, key);
    return value;
  };
}

/** 0, 1, 2 … below `end`. */
export const counted = memo((end: number, type: DType): Data => {
  const values = type === "float32" ? new Float32Array(end) : new Int32Array(end);
  for (let i = 0; i < end; i++) values[i] = i;
  return values;
});
