/** Rows from the sums of a writer's own output and of its rotated draws. */
import { laterLocations } from "../../metrics/later_nodes.ts";
import type { ModelConfig } from "../../checkpoints/mod.ts";
import { sumOfBlocks } from "../../stats/block_sums.ts";
import { ControlDraws } from "../../stats/control_draws.ts";
import { findNode } from "../../transformer/nodes.ts";
import { draws, estimate } from "../estimates.ts";
import type { Beside, LensRow, PartsRow, PositionsRow } from "./rows.ts";
import { type Measured, octaves } from "./measure.ts";

/**
 * A neuron or direction with a cosine below this writes against what it reads. Gurnee et al., arXiv
 * 2401.12181.
 */
export const WEAKENING = -0.4;

/** How many of some amounts, the largest first, add up to half of all. */
function halfOf(amounts: readonly number[]): number {
  const falling = [...amounts].sort((a, b) => b - a), half = amounts.reduce((a, b) => a + b, 0) / 2;
  let count = 0;
  for (let held = 0; held < half && count < falling.length;) held += falling[count++];
  return count;
}

type Ratio = (of: Measured, draw?: Int32Array) => number;

export class CleanersSummary {
  readonly #own: Measured;
  readonly #controls: readonly Measured[];
  readonly #draws: Int32Array[];
  readonly #control: ControlDraws<Measured>;

  constructor(own: Measured, controls: readonly Measured[], seed: number) {
    [this.#own, this.#controls] = [own, controls];
    this.#draws = draws(own.square.length, seed);
    this.#control = new ControlDraws(controls, this.#draws, seed + 1);
  }

  #beside(ratio: Ratio): Beside {
    const control = (draw?: Int32Array) => this.#control.mean(ratio, draw);
    return {
      response: estimate((draw) => ratio(this.#own, draw), this.#draws),
      control: estimate(control, this.#draws),
      specific: estimate((draw) => control(draw) - ratio(this.#own, draw), this.#draws),
    };
  }

  /** Specific response of each part, without intervals: for their order. */
  specific(node: string): number[] {
    const of = (one: Measured, k: number) => sumOfBlocks(one.parts.get(node)![k]) / sumOfBlocks(one.square);
    return this.#own.parts.get(node)!.map((_, k) =>
      this.#control.mean((one) => of(one, k)) - of(this.#own, k)
    );
  }

  /** Of some parts of a node, together. */
  parts(node: string, which: readonly number[]): Beside {
    return this.#beside((one, draw) =>
      which.reduce((sum, k) => sum + sumOfBlocks(one.parts.get(node)![k], draw), 0) /
      sumOfBlocks(one.square, draw)
    );
  }

  whole(config: ModelConfig, writer: string, node: string, cosines: readonly number[]): PartsRow {
    const all = cosines.map((_, k) => k), beside = this.parts(node, all);
    const weakening = all.filter((k) => cosines[k] < WEAKENING);
    const { kind, layer } = findNode(config, node);
    return {
      writer,
      node,
      kind: kind as "head" | "mlp",
      layer,
      ...beside,
      parts: all.length,
      ...(beside.specific.interval[0] > 0 && { half: halfOf(this.specific(node)) }),
      weakening: weakening.length,
      ofWeakening: this.parts(node, weakening),
    };
  }

  positions(writer: string, node: string, length: number): PositionsRow[] {
    return octaves(length).map(({ from, to }, bin) => ({
      writer,
      node,
      from,
      to,
      ...this.#beside((one, draw) =>
        sumOfBlocks(one.positions.get(node)![bin], draw) / sumOfBlocks(one.squares[bin], draw)
      ),
    }));
  }

  /** What is left by location; logits and size are NaN in a base model. */
  lens(config: ModelConfig, writer: string): LensRow[] {
    return laterLocations(config, writer).flatMap(({ location }, i) => {
      const sum = (one: Measured, k: number, draw?: Int32Array) => sumOfBlocks(one.locations[i][k], draw);
      const ratios: Record<"stream" | "logits" | "size", Ratio> = {
        stream: (one, draw) => sum(one, 0, draw) / sumOfBlocks(one.square, draw),
        logits: (one, draw) => sum(one, 1, draw) / sumOfBlocks(one.said, draw),
        size: (one, draw) => Math.sqrt(sum(one, 2, draw) / sumOfBlocks(one.said, draw)),
      };
      const row = (run: LensRow["run"], of: (ratio: Ratio) => (draw?: Int32Array) => number): LensRow => ({
        writer,
        location,
        run,
        stream: estimate(of(ratios.stream), this.#draws),
        logits: estimate(of(ratios.logits), this.#draws),
        size: estimate(of(ratios.size), this.#draws),
      });
      const own = row("writer", (ratio) => (draw) => ratio(this.#own, draw));
      if (this.#controls.length === 0) return [own];
      return [own, row("control", (ratio) => (draw) => this.#control.mean(ratio, draw))];
    });
  }
}
