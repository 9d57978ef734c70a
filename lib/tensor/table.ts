/** Tables that are as long as a run, such as the turns of positions: made when a run knows how long. */
import { view } from "./build.ts";
import type { Dim } from "./dims.ts";
import { memo } from "./memo.ts";
import { Tensor } from "./tensor.ts";

/**
 * A kind of table: `make` gives its first `rows` rows, from plain values alone. The tensors are the same
 * expression where label and values are the same. `dims`: the first has a symbol for its size ("pos").
 */
export function table<Args extends readonly unknown[]>(
  label: string,
  make: (rows: number, ...args: Args) => Float32Array,
): (dims: readonly Dim[], ...args: Args) => Tensor {
  const made = memo(make); // equal tables are one array, in all layers and runs
  return (dims, ...args) => {
    const key = `${label} ${JSON.stringify(args)}`;
    const rows = (count: number) => made(count, ...args);
    return new Tensor(view({ kind: "table", key, make: rows }, [], dims, "float32"));
  };
}
