/**
 * What a writer's output is compared with: vectors of the same kind that the cleaner at hand cannot have read there.
 *
 * - otherPrompt: the writer's output at the same position of another prompt. Where this gives as much, what is erased is the same
 *   in all prompts: information on the position, say.
 * - otherPosition: its output at another position of the same prompt.
 * - random: its output at another position of another prompt, so a vector with the writer's own mean and covariance. A cleaner
 *   must be below this one: erasing a mean direction that all outputs share is no clean-up of this output.
 */
import { iota, param, type Tensor, where } from "../../tensor/tensor.ts";

export type Null = "otherPrompt" | "otherPosition" | "random";

/** Each length has one table, so that equal expressions are recognised as such. */
const tables = new Map<number, Float32Array>();

/** `vector` [batch, pos, d_model] with the positions turned by half the length. */
export function turned(vector: Tensor, length: number): Tensor {
  if (!tables.has(length)) {
    tables.set(length, Float32Array.from({ length }, (_, i) => (i + (length >> 1)) % length));
  }
  const dims = [{ name: "pos", size: length }];
  const table = param("turned positions", tables.get(length)!, dims).prefix("pos", "pos");
  const hit = where(table.expand("key", "pos"), "Equal", iota("key", "pos").expand("pos", "pos"), 1, 0);
  return hit.dot(vector.rename({ pos: "key" }), "key").order("batch", "pos", "d_model");
}

/** `writer` and `other`: the writer's output [batch, pos, d_model] on the prompts and on `shiftedPrompts`. */
export function nullVectors(writer: Tensor, other: Tensor, length: number): Record<Null, Tensor> {
  return { otherPrompt: other, otherPosition: turned(writer, length), random: turned(other, length) };
}
