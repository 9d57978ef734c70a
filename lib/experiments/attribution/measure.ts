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

function byNode(
  nodes: readonly string[],
  draws: number,
  get: (node: string, draw: number) => TakenCredits,
): Map<string, NodeCredits> {
  return new Map(nodes.map((node) => {
    const controls = Array.from({ length: draws }, (_, i) => get(node, i + 1).credits);
    return [node, { own: get(node, 0), controls }];
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
  const removed = (key: string, writer: string, delta: Tensor): Taken => ({
    key,
    writer,
    delta,
    steps: true,
  });
  if (prompts.count === 1 && seeds.length > 0) {
    const { turns, fed } = rotationsByRow(model.config, seeds);
    const rows = seeds.length + 1;
    const taken = nodes.map((writer) => removed(writer, writer, rotated(whole(writer), turns)));
    const repeated = { ...repeatFeeds(feeds, rows), turns: fed };
    const found = await measureTaken(model, clean, taken, repeated, { ...placeOf(plan), rows }, options);
    return byNode(nodes, seeds.length, (node, draw) => found.get(`${node} ${draw}`)!);
  }
  const draws = seeds.map((seed) => rotation(model.config, seed));
  const taken = nodes.flatMap((writer) => [
    removed(`${writer}/0`, writer, whole(writer)),
    ...draws.map((Q, i) => removed(`${writer}/${i + 1}`, writer, rotated(whole(writer), Q))),
  ]);
  const found = await measureTaken(model, clean, taken, feeds, placeOf(plan), options);
  return byNode(nodes, seeds.length, (node, draw) => found.get(`${node}/${draw} 0`)!);
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
      { key: `${writer}/0`, writer, delta, instead },
      ...draws.map((Q, i) => ({ key: `${writer}/${i + 1}`, writer, delta: rotated(delta, Q) })),
    ];
  });
  const found = await measureTaken(model, clean, taken, feeds, placeOf(plan), options);
  return byNode(nodes, seeds.length, (node, draw) => found.get(`${node}/${draw} 0`)!);
}
