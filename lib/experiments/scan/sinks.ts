/**
 * Position 0: many models write one long vector there, far longer than anything elsewhere (an attention
 * sink), and take it back at the end. Which node writes it, and who takes it back? Source: Sun et al., arXiv
 * 2402.17762.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { laterLocations } from "../../metrics/later_nodes.ts";
import { rotated, rotationsFrom } from "../../metrics/rotation.ts";
import type { RunOptions } from "../../tensor/run.ts";
import type { Model } from "../../transformer/model.ts";
import { firstTokens } from "../retention/first_position.ts";
import { measureRemovals } from "../retention/removals.ts";
import type { Sizes } from "../retention/sizes.ts";

/** The stream at position 0 is called a sink where it is at least so many times as long as elsewhere. */
export const SINK = 5;

/** An attention sink at position 0. */
export interface Sink {
  /** Where the stream at position 0 is longest against elsewhere, and how many times. */
  location: string;
  /** How many times as long the stream is there as elsewhere. */
  times: number;
  /** The node that writes the longest vector there: mean length at position 0 and elsewhere. */
  writer: string;
  /** Mean length at position 0. */
  norm: number;
  /** Mean length at all others. */
  elsewhere: number;
  /** Median retention of that vector at position 0 at the end of the stream. */
  left: number;
  /**
   * The later node that takes most of it back, and the part; of the same vector rotated, in the mean; absent
   * when none does.
   */
  takenBackBy?: { node: string; part: number; ofControl: number };
}

/** The model's attention sink at position 0, where it has one. */
export async function sink(
  model: Model,
  prompts: Prompts,
  sizes: Sizes,
  options: RunOptions & { seed: number; rotations: number },
): Promise<Sink | undefined> {
  const ratios = [...sizes.stream].map(([location, { first, rest }]) => ({ location, times: first / rest }));
  const { location, times } = ratios.reduce((a, b) => b.times > a.times ? b : a);
  if (!(times >= SINK)) return undefined;
  const before = [...sizes.nodes].filter(([name]) =>
    laterLocations(model.config, name).some((place) => place.location === location)
  );
  const [writer, { first: norm, rest: elsewhere }] = before.reduce((a, b) => b[1].first > a[1].first ? b : a);
  const { seed, rotations, ...run } = options;
  const clean = model.forward(), w = clean.node(writer);
  const turned = rotationsFrom(model.config, seed, rotations).map((Q) => rotated(w, Q));
  const removals = [w, ...turned].map((delta, i) => ({ key: `${writer} ${i}`, writer, delta }));
  const [stats, ...controls] = (await measureRemovals(model, firstTokens(prompts), clean, removals, run))
    .values();
  const ofControl = (i: number) => controls.reduce((sum, one) => sum - one.response(i), 0) / controls.length;
  const parts = stats.shape.nodes.map((node, i) => ({
    node,
    part: -stats.response(i),
    ofControl: ofControl(i),
  }));
  const most = parts.reduce((a, b) => b.part > a.part ? b : a, { node: "", part: 0, ofControl: 0 });
  return {
    location,
    times,
    writer,
    norm,
    elsewhere,
    left: stats.end(),
    ...(most.part > 0 && { takenBackBy: most }),
  };
}
