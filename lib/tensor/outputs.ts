/**
 * What a run is asked for: lazy tensors in records and lists, as the question has them. Arrays come back in
 * the same places, so that no name has to say twice what a value belongs to.
 *
 *     { heads: { L0H1: Tensor, … }, both: [Tensor, Tensor] }
 *     → { heads: { L0H1: NdArray, … }, both: [NdArray, NdArray] }
 */
import type { NdArray } from "./nd_array.ts";
import { Tensor } from "./tensor.ts";

/** A tensor, or a record or list of them; what is undefined stays undefined. */
export type Output = Tensor | undefined | Outputs | readonly (Tensor | undefined | Outputs)[];
/** What a run is asked for, by any names: tensors, records and lists of them. */
export interface Outputs {
  /** A tensor, or more of them. */
  readonly [name: string]: Output;
}
/** What a run returns: an array in each tensor's place. */
export type Results<T> = T extends Tensor ? NdArray : { [K in keyof T]: Results<T[K]> };

/** The tensors alone, under names such as "heads.L0H1" and "both.0". */
export type Flat<T> = Readonly<Record<string, T>>;

const isGroup = (output: unknown): output is Outputs =>
  Array.isArray(output) || Object.getPrototypeOf(output ?? 1) === Object.prototype;

function kindOf(output: unknown): string {
  if (output instanceof Promise) return 'a promise (put "await" before what makes it)';
  return typeof output === "object" ? "an object" : `a ${typeof output}`;
}

/** @throws where something is neither a tensor nor a group of them, and when two have one name */
export function flattened(outputs: Outputs): Flat<Tensor> {
  const flat: Record<string, Tensor> = {};
  const add = (output: Output, name: string) => {
    if (output === undefined) return;
    if (isGroup(output)) {
      for (const [key, inner] of Object.entries(output)) add(inner, name === "" ? key : `${name}.${key}`);
    } else if (!(output instanceof Tensor)) {
      throw new Error(
        `run: ${name === "" ? "outputs" : `output "${name}"`}: got ${kindOf(output)}; ` +
          "expected a lazy tensor, or a record or list of them",
      );
    } else if (name in flat) {
      throw new Error(`run: two outputs are named "${name}"; expected different names`);
    } else flat[name] = output;
  };
  add(outputs, "");
  return flat;
}

/** The arrays of {@linkcode flattened} names in the places of their tensors. */
export function nested<T extends Outputs>(outputs: T, arrays: Flat<NdArray>): Results<T> {
  const place = (output: Output, name: string): unknown => {
    if (!isGroup(output)) return output && arrays[name];
    const inner = Object.entries(output).map(([key, each]) =>
      [key, place(each, name === "" ? key : `${name}.${key}`)] as const
    );
    return Array.isArray(output) ? inner.map(([, each]) => each) : Object.fromEntries(inner);
  };
  return place(outputs, "") as Results<T>;
}
