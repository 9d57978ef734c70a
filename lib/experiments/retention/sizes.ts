/**
 * How large is what each node writes, beside the residual stream it is added to? Means over positions from 1
 * on; position 0, where many models write vectors a hundred times as long, stands apart. Only sums over
 * positions leave a run.
 */
import type { ModelConfig, Prompts } from "../../checkpoints/mod.ts";
import { laterLocations } from "../../metrics/later_nodes.ts";
import type { RunOptions } from "../../tensor/run.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { locations } from "../../transformer/nodes.ts";
import { measureSums, type Share, Sums, wholeOf } from "./sums.ts";

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

/**
 * Which lengths are measured: of the stream at each location, of each node, and of the latter as a part of
 * the former.
 */
function keysOf(config: ModelConfig, names: readonly string[]): string[] {
  const places = locations(config).map(({ location }) => location);
  return [...places, ...names.flatMap((name) => [name, `${name} share`])];
}

/** Sums of the lengths of what the named nodes write, and of the stream, with nothing in them. */
export function emptySizes(config: ModelConfig, names: readonly string[]): Sums {
  return new Sums(keysOf(config, names).flatMap((key) => [`${key} first`, `${key} all`]), 1);
}

/** Adds up lengths over the prompts of a share. */
export async function addSizes(
  sums: Sums,
  model: Model,
  share: Pick<Share, "prompts" | "first">,
  names: readonly string[],
  options: RunOptions = {},
  onMeasured?: () => void | Promise<void>,
): Promise<void> {
  const clean = model.forward();
  const outputs: Record<string, Tensor> = {};
  const both = (key: string, lengths: Tensor) => {
    outputs[`${key} first`] = lengths.select("pos", 0);
    outputs[`${key} all`] = lengths.sum("pos");
  };
  for (const { location, hook } of locations(model.config)) both(location, length(clean.hook(hook)));
  for (const name of names) {
    const [{ hook }] = laterLocations(model.config, name);
    const own = length(clean.node(name));
    const share = own.div(length(clean.hook(hook)).atLeast(1e-30));
    both(name, own);
    both(`${name} share`, share);
  }
  await measureSums(sums, outputs, feed(share.prompts, model.config), share, options, onMeasured);
}

/** The means behind the sums. @param tokens of a prompt */
export function sizesOf(config: ModelConfig, names: readonly string[], sums: Sums, tokens: number): Sizes {
  const lengths = (key: string): Lengths => {
    const [first, all] = ["first", "all"].map((part) => sums.of(`${key} ${part}`)[0] / sums.prompts);
    return { first, rest: (all - first) / (tokens - 1) };
  };
  const nodes = names.map((name) =>
    [name, { ...lengths(name), share: lengths(`${name} share`).rest }] as const
  );
  const stream = locations(config).map(({ location }) => [location, lengths(location)] as const);
  return { nodes: new Map(nodes), stream: new Map(stream) };
}

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
  const sums = emptySizes(model.config, names);
  await addSizes(sums, model, wholeOf(prompts), names, options);
  return sizesOf(model.config, names, sums, prompts.length);
}
