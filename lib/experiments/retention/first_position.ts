/**
 * Position 0 apart. It reads itself alone, so prompts of one token say all about it. Many models write one
 * long vector there early on and take it back at the end (an attention sink): Sun et al., arXiv 2402.17762.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import type { RunOptions } from "../../tensor/run.ts";
import type { Model } from "../../transformer/model.ts";
import type { FirstPositionRow } from "../rows.ts";
import { measureRemovals } from "./removals.ts";
import type { Sizes } from "./sizes.ts";

/** The first tokens of prompts, as prompts of one token, each token once. */
export function firstTokens({ tokens, count, length, source }: Prompts): Prompts {
  const first = Int32Array.from(new Set(Array.from({ length: count }, (_, i) => tokens[i * length])));
  return { tokens: first, count: first.length, length: 1, source };
}

export async function firstPosition(
  model: Model,
  prompts: Prompts,
  names: readonly string[],
  sizes: Sizes,
  options: RunOptions,
): Promise<FirstPositionRow[]> {
  const clean = model.forward();
  const removals = names.map((writer) => ({ key: writer, writer, delta: clean.node(writer) }));
  const stats = await measureRemovals(model, firstTokens(prompts), clean, removals, options);
  return names.map((writer) => {
    const { first, rest } = sizes.nodes.get(writer)!;
    return {
      writer,
      norm: first,
      elsewhere: rest,
      left: stats.get(writer)!.end(),
      n: stats.get(writer)!.tokens,
    };
  });
}
