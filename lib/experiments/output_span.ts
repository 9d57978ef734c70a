/** The span of what a node writes on prompts (metrics/span.ts), position 0 apart. */
import type { Prompts } from "../checkpoints/mod.ts";
import { atPositions } from "../metrics/retention.ts";
import { secondMoment, type Span, spanOf } from "../metrics/span.ts";
import { type RunOptions, stream } from "../tensor/run.ts";
import { feed, type Model } from "../transformer/model.ts";

/**
 * The span of each node's output over positions 1 and later.
 * @param want the part of the energy that it holds at least, or how many directions it has
 */
export async function outputSpans(
  model: Model,
  prompts: Prompts,
  nodes: readonly string[],
  want: { energy: number } | { k: number },
  options: RunOptions = {},
): Promise<Span[]> {
  const clean = model.forward();
  const { d_model: n } = model.config;
  const outputs = Object.fromEntries(
    nodes.map((name) => [name, secondMoment(model.config, atPositions(clean.node(name)))]),
  );
  const sums = nodes.map(() => new Float64Array(n * n));
  for await (const { results } of stream(outputs, feed(prompts, model.config), options)) {
    nodes.forEach((name, i) => {
      const { data } = results[name];
      for (let at = 0; at < data.length; at++) sums[i][at % (n * n)] += data[at];
    });
  }
  return sums.map((sum) => spanOf(sum, n, want));
}
