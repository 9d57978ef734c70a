/** Every node's removal, and its exchange for other prompts' outputs, each with its rotated draws. */
import { rotated, rotation, rotationsByRow } from "../../metrics/rotation.ts";
import type { Feeds, RunOptions } from "../../tensor/run.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Model } from "../../transformer/model.ts";
import { repeatFeeds } from "../prompt_feeds.ts";
import type { Credits } from "./credits.ts";
import type { Question } from "./question.ts";
import { measureTaken, type Place, type Taken, type TakenCredits } from "./runs.ts";

export interface Plan {
  nodes: readonly string[];
  question: Question;
  /** Blocks of prompts for the bootstrap. */
  blocks: number;
  /** What of an output is taken out: 0 at the positions that are left alone. */
  at: (w: Tensor) => Tensor;
}

export interface NodeCredits {
  own: TakenCredits;
  /** One for each draw of the control. */
  controls: Credits[];
}

const placeOf = ({ question: { prompts, look }, blocks }: Plan): Place => ({
  look,
  length: prompts.length,
  blocks,
});

/** `found`: each node's own, then those of its draws. */
function byNode(nodes: readonly string[], found: readonly TakenCredits[]): Map<string, NodeCredits> {
  const each = found.length / nodes.length;
  return new Map(nodes.map((node, i) => {
    const [own, ...draws] = found.slice(i * each, (i + 1) * each);
    return [node, { own, controls: draws.map(({ credits }) => credits) }];
  }));
}

/**
 * Each node's output taken out. The draws for a single prompt are rows of one batch, which costs one graph.
 */
export async function measureRemoved(
  model: Model,
  plan: Plan,
  seeds: readonly number[],
  options: RunOptions,
): Promise<Map<string, NodeCredits>> {
  const { nodes, question: { prompts, feeds }, at } = plan;
  const clean = model.forward();
  const whole = (writer: string) => at(clean.node(writer));
  const removed = (writer: string, delta: Tensor): Taken => ({ writer, delta, steps: true });
  if (prompts.count === 1 && seeds.length > 0) {
    const { turns, fed } = rotationsByRow(model.config, seeds);
    const rows = seeds.length + 1;
    const taken = nodes.map((writer) => removed(writer, rotated(whole(writer), turns)));
    const repeated = { ...repeatFeeds(feeds, rows), turns: fed };
    const found = await measureTaken(model, clean, taken, repeated, { ...placeOf(plan), rows }, options);
    return byNode(nodes, found.flat());
  }
  const draws = seeds.map((seed) => rotation(model.config, seed));
  const taken = nodes.flatMap((writer) => [
    removed(writer, whole(writer)),
    ...draws.map((Q) => removed(writer, rotated(whole(writer), Q))),
  ]);
  const found = await measureTaken(model, clean, taken, feeds, placeOf(plan), options);
  return byNode(nodes, found.flat());
}

/** Each node's output exchanged for what the node writes on the tokens "other" of `feeds`. */
export async function measureExchanged(
  model: Model,
  plan: Plan,
  seeds: readonly number[],
  feeds: Feeds,
  options: RunOptions,
): Promise<Map<string, NodeCredits>> {
  const { nodes, at } = plan;
  const clean = model.forward(), other = model.forward({ tokens: model.tokens("other") });
  const draws = seeds.map((seed) => rotation(model.config, seed));
  const taken = nodes.flatMap((writer): Taken[] => {
    const [w, instead] = [clean.node(writer), other.node(writer)];
    const delta = at(w.sub(instead));
    return [
      { writer, delta, instead },
      ...draws.map((Q) => ({ writer, delta: rotated(delta, Q) })),
    ];
  });
  const found = await measureTaken(model, clean, taken, feeds, placeOf(plan), options);
  return byNode(nodes, found.flat());
}
