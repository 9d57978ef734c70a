/**
 * By which route is a writer's output erased? The removal again with what the route leaves open: with
 * patterns and scales frozen only values and MLP inputs answer; with patterns frozen the normalisations'
 * scales do as well; with nothing frozen attention does. What each step adds to the specific erasure is that
 * route's. The three add up to it.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { atPositions, type Route } from "../../metrics/retention.ts";
import { rotated, rotation } from "../../metrics/rotation.ts";
import type { RunOptions } from "../../tensor/run.ts";
import type { Model } from "../../transformer/model.ts";
import { measureRemovals, type Removal, removalsOf, withControls } from "../retention/removals.ts";

/** Parts of the specific erasure: through values and MLP inputs, through the scales, through attention. */
export interface RouteShares {
  /** With attention patterns and scales frozen. */
  values: number;
  /** What comes on top when normalisation scales answer too. */
  scales: number;
  /** What comes on top when patterns answer too. */
  attention: number;
}

const FROZEN: readonly Route[] = ["values", "patterns"];

/**
 * @param specific by writer, the specific erasure with nothing frozen, over the same prompts and rotations
 */
export async function routes(
  model: Model,
  specific: ReadonlyMap<string, number>,
  prompts: Prompts,
  options: RunOptions & { seed: number; rotations: number },
): Promise<Map<string, RouteShares>> {
  const { seed, rotations, ...run } = options;
  const clean = model.forward();
  const turns = Array.from({ length: rotations }, (_, i) => rotation(model.config, seed + i));
  const writers = [...specific].map(([writer, all]) => {
    const w = clean.node(writer), controls = turns.map((Q) => atPositions(rotated(w, Q)));
    const frozen = FROZEN.map((route) =>
      withControls({ key: `${writer} ${route}`, writer, route, delta: atPositions(w) }, controls)
    );
    return { writer, all, frozen };
  });
  const removals = removalsOf(writers.flatMap(({ frozen }) => frozen));
  const stats = await measureRemovals(model, prompts, clean, removals, { ...run, kept: "end" });
  const left = ({ key }: Removal) => stats.get(key)!.end();
  return new Map(writers.map(({ writer, all, frozen }) => {
    const [values, patterns] = frozen.map(({ own, controls }) =>
      controls.map(left).reduce((a, b) => a + b, 0) / controls.length - left(own)
    );
    return [writer, { values, scales: patterns - values, attention: all - patterns }];
  }));
}
