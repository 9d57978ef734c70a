/**
 * Another text for each prompt: the prompts turned by one (the post's cyclic shift), whatever the batch size
 * of a run. @throws for a single prompt.
 */
import type { Prompts } from "../checkpoints/mod.ts";

export function shiftedPrompts(prompts: Prompts): Prompts {
  const { tokens, length, count } = prompts;
  if (count < 2) {
    throw new Error(`resampling: got ${count} prompt from ${prompts.source}; expected at least 2`);
  }
  const shifted = new Int32Array(tokens.length);
  shifted.set(tokens.subarray(length));
  shifted.set(tokens.subarray(0, length), (count - 1) * length);
  return { ...prompts, tokens: shifted };
}
