/**
 * Sums by block of prompts of all that cleaners in detail are made of: one run without each δ, of which
 * parts are read.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { laterLocations, laterNodes } from "../../metrics/later_nodes.ts";
import { logitDot, throughFinalNorm } from "../../metrics/logit_metric.ts";
import { neuronDots } from "../../metrics/neurons.ts";
import { atPositions, removal, responseDots } from "../../metrics/retention.ts";
import { directionDots, type SingularDirections } from "../../metrics/singular_directions.ts";
import { type RunOptions, stream } from "../../tensor/run.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Forward } from "../../transformer/forward.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { findNode } from "../../transformer/nodes.ts";
import { BLOCKS } from "../retention/removal_stats.ts";

/** Octaves of positions: 1, 2–3, 4–7 … */
export function octaves(length: number): { from: number; to: number }[] {
  const found = [];
  for (let from = 1; from < length; from *= 2) found.push({ from, to: Math.min(2 * from, length) - 1 });
  return found;
}

/** Σ over tokens, by block of prompts: [row][block]. */
export type Sums = Float64Array[];

/** Of one δ. */
export interface Measured {
  /** Σ ‖δ‖², and of each octave. */
  square: Float64Array;
  squares: Sums;
  /** By cleaner: its parts' Σ (c − c̃)·δ. */
  parts: Map<string, Sums>;
  /** By cleaner: the same of all of it, by octave. */
  positions: Map<string, Sums>;
  /** By location: Σ Δ·δ, Σ ⟨Δ, δ⟩, Σ ⟨Δ, Δ⟩; and once Σ ⟨δ, δ⟩. */
  locations: Sums[];
  said: Float64Array;
}

export interface Plan {
  writer: string;
  cleaners: readonly string[];
  /** Of each head among them. */
  directions: ReadonlyMap<string, SingularDirections>;
  /** Absent in a base model. */
  G?: Tensor;
}

function outputsOf(model: Model, clean: Forward, delta: Tensor, { writer, cleaners, directions, G }: Plan) {
  const without = model.forward({ hooks: removal(clean, writer, delta) });
  const later = laterNodes(model.config, writer);
  const parts = cleaners.map((name) => {
    const node = findNode(model.config, name);
    const dots = (forward: Forward) =>
      node.kind === "head"
        ? directionDots(forward, node, directions.get(name)!, delta)
        : neuronDots(forward, node.layer, delta);
    return dots(clean).sub(dots(without)).sum("pos");
  });
  const asRead = G && throughFinalNorm(clean, delta);
  const locations = laterLocations(model.config, writer).map(({ hook }) => {
    const left = atPositions(clean.hook(hook).sub(without.hook(hook)));
    const said = asRead && throughFinalNorm(clean, left);
    return {
      stream: left.dot(delta, "d_model").sum("pos"),
      along: said && logitDot(G!, said, asRead).sum("pos"),
      size: said && logitDot(G!, said, said).sum("pos"),
    };
  });
  return {
    squares: delta.sumSquares("d_model"),
    dots: responseDots(clean, without, delta, later),
    parts,
    locations,
    said: asRead && logitDot(G!, asRead, asRead).sum("pos"),
  };
}

const zeros = (rows: number, blocks: number): Sums =>
  Array.from({ length: rows }, () => new Float64Array(blocks));

export async function measure(
  model: Model,
  prompts: Prompts,
  clean: Forward,
  delta: Tensor,
  plan: Plan,
  options: RunOptions,
): Promise<Measured> {
  const { cleaners, writer } = plan, { length } = prompts;
  const blocks = Math.min(BLOCKS, prompts.count), bins = octaves(length);
  const names = laterNodes(model.config, writer).map(({ name }) => name);
  const at = cleaners.map((name) => names.indexOf(name));
  const places = laterLocations(model.config, writer).length;
  const found: Measured = {
    square: new Float64Array(blocks),
    squares: zeros(bins.length, blocks),
    parts: new Map(),
    positions: new Map(cleaners.map((name) => [name, zeros(bins.length, blocks)])),
    locations: Array.from({ length: places }, () => zeros(3, blocks)),
    said: new Float64Array(blocks),
  };
  for await (
    const { start, results } of stream(
      outputsOf(model, clean, delta, plan),
      feed(prompts, model.config),
      options,
    )
  ) {
    const count = results.squares.shape[0];
    for (let b = 0; b < count; b++) {
      const block = (start + b) % blocks;
      bins.forEach(({ from, to }, bin) => {
        for (let t = from; t <= to; t++) {
          const square = results.squares.data[b * length + t];
          found.square[block] += square;
          found.squares[bin][block] += square;
          at.forEach((node, i) =>
            found.positions.get(cleaners[i])![bin][block] +=
              results.dots.data[(b * length + t) * names.length + node]
          );
        }
      });
      cleaners.forEach((name, i) => {
        const { data, shape } = results.parts[i];
        if (!found.parts.has(name)) found.parts.set(name, zeros(shape[1], blocks));
        found.parts.get(name)!.forEach((sums, k) => sums[block] += data[b * shape[1] + k]);
      });
      results.locations.forEach(({ stream, along, size }, i) => {
        [stream, along, size].forEach((array, k) => found.locations[i][k][block] += array?.data[b] ?? 0);
      });
      found.said[block] += results.said?.data[b] ?? 0;
    }
  }
  return found;
}
