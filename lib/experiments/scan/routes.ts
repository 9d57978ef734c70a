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
import { measureRemovals, type Removal } from "../retention/removals.ts";

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
  const removals: Removal[] = [...specific.keys()].flatMap((writer) =>
    FROZEN.flatMap((route) => {
      const w = clean.node(writer);
      const own = { key: `${writer} ${route}`, writer, route, delta: atPositions(w) };
      const controls = turns.map((Q, i) => ({
        key: `${writer} ${route} control ${i}`,
        writer,
        route,
        delta: atPositions(rotated(w, Q)),
      }));
      return [own, ...controls];
    })
  );
  const stats = await measureRemovals(model, prompts, clean, removals, { ...run, kept: "end" });
  const frozen = (writer: string, route: Route) => {
    const controls = turns.map((_, i) => stats.get(`${writer} ${route} control ${i}`)!.end());
    return controls.reduce((a, b) => a + b, 0) / controls.length - stats.get(`${writer} ${route}`)!.end();
  };
  return new Map([...specific].map(([writer, all]) => {
    const [values, patterns] = FROZEN.map((route) => frozen(writer, route));
    return [writer, { values, scales: patterns - values, attention: all - patterns }];
  }));
}
