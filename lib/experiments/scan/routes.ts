/**
 * By which route is a writer's output erased? The removal again with what the route leaves open: with
 * patterns and scales frozen only values and MLP inputs answer; with patterns frozen the normalisations'
 * scales do as well; with nothing frozen attention does. What each step adds to the specific erasure is that
 * route's. The three add up to it.
 */
import type { ModelConfig } from "../../checkpoints/mod.ts";
import { atPositions, type Route } from "../../metrics/retention.ts";
import { rotated, rotationsFrom } from "../../metrics/rotation.ts";
import type { RunOptions } from "../../tensor/run.ts";
import type { Model } from "../../transformer/model.ts";
import { RemovalStats, removalStats } from "../retention/removal_stats.ts";
import {
  controlKeyOf,
  measureRemovals,
  type RemovalOptions,
  removalsOf,
  shapeOfRemoval,
  withControls,
} from "../retention/removals.ts";
import type { Part, Share } from "../retention/sums.ts";
import type { ScanSettings } from "./settings.ts";

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

const keyOf = (writer: string, route: Route) => `${writer} ${route}`;

/** Removals by route, with nothing in them. Medians are read of them and no intervals: one block. */
export function emptyRoutes(
  config: ModelConfig,
  writers: readonly string[],
  { rotations }: ScanSettings,
): Map<string, RemovalStats> {
  const part = new Map<string, RemovalStats>();
  for (const writer of writers) {
    for (const route of FROZEN) {
      const own = keyOf(writer, route);
      const controls = Array.from({ length: rotations }, (_, i) => controlKeyOf(own, i));
      for (const key of [own, ...controls]) {
        part.set(key, new RemovalStats(shapeOfRemoval(config, writer, 1), "end"));
      }
    }
  }
  return part;
}

export async function measureRoutes(
  model: Model,
  writers: readonly string[],
  { prompts, first }: Share,
  { seed, rotations }: ScanSettings,
  options: RunOptions & Pick<RemovalOptions, "done" | "onMeasured">,
): Promise<Map<string, RemovalStats>> {
  const clean = model.forward();
  const turns = rotationsFrom(model.config, seed, rotations);
  const removals = removalsOf(writers.flatMap((writer) => {
    const w = clean.node(writer), controls = turns.map((Q) => atPositions(rotated(w, Q)));
    return FROZEN.map((route) =>
      withControls({ key: keyOf(writer, route), writer, route, delta: atPositions(w) }, controls)
    );
  }));
  const kept = { firstPrompt: first, blocks: 1, kept: "end" } as const;
  return await measureRemovals(model, prompts, clean, removals, { ...options, ...kept });
}

/** @param all the specific erasure with nothing frozen, over the same prompts and rotations */
export function readRoutes(
  writer: string,
  part: Part,
  all: number,
  { rotations }: ScanSettings,
): RouteShares {
  const stats = removalStats(part);
  const [values, patterns] = FROZEN.map((route) => {
    const own = keyOf(writer, route);
    let sum = 0;
    for (let i = 0; i < rotations; i++) sum += stats.get(controlKeyOf(own, i))!.end();
    return sum / rotations - stats.get(own)!.end();
  });
  return { values, scales: patterns - values, attention: all - patterns };
}
