/**
 * How large is what each node writes, beside the residual stream it is added to? Means over positions from 1
 * on; position 0, where many models write vectors a hundred times as long, stands apart. Only sums over
 * positions leave a run.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { laterLocations } from "../../metrics/later_nodes.ts";
import { run, type RunOptions } from "../../tensor/run.ts";
import type { NdArray } from "../../tensor/nd_array.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { locations } from "../../transformer/nodes.ts";

/** Mean length at position 0 and at the other positions. */
export interface Lengths {
  /** At position 0. */
  first: number;
  /** At all others. */
  rest: number;
}

export interface Sizes {
  /**
   * By node: lengths of its output, and their mean as a part of the stream's just after the write (positions
   * from 1 on).
   */
  nodes: Map<string, Lengths & { share: number }>;
  /** By location: lengths of the residual stream. Its growth drowns what stays as it was. */
  stream: Map<string, Lengths>;
}

const length = (x: Tensor) => x.sumSquares("d_model").sqrt();

/** @throws for prompts of a single token: they have no positions but the first */
export async function measureSizes(
  model: Model,
  prompts: Prompts,
  names: readonly string[],
  options: RunOptions = {},
): Promise<Sizes> {
  if (prompts.length < 2) {
    throw new Error(`${prompts.source}: got prompts of ${prompts.length} token; expected at least 2`);
  }
  const clean = model.forward();
  const places = locations(model.config);
  const sums = (lengths: Tensor) => ({ first: lengths.select("pos", 0), all: lengths.sum("pos") });
  const outputs = {
    stream: places.map(({ hook }) => sums(length(clean.hook(hook)))),
    nodes: names.map((name) => {
      const [{ hook }] = laterLocations(model.config, name);
      const own = length(clean.node(name));
      return { own: sums(own), share: sums(own.div(length(clean.hook(hook)).atLeast(1e-30))) };
    }),
  };
  const values = await run(outputs, feed(prompts, model.config), options);
  const lengths = (sums: { first: NdArray; all: NdArray }): Lengths => {
    const first = mean(sums.first.data);
    return { first, rest: (mean(sums.all.data) - first) / (prompts.length - 1) };
  };
  const nodes = names.map((name, i) => {
    const { own, share } = values.nodes[i];
    return [name, { ...lengths(own), share: lengths(share).rest }] as const;
  });
  const stream = places.map(({ location }, i) => [location, lengths(values.stream[i])] as const);
  return { nodes: new Map(nodes), stream: new Map(stream) };
}

function mean(values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i] / values.length;
  return sum;
}
