/** The rows of one writer, from the statistics of its removal and of its control's. */
import type { ModelConfig } from "../../checkpoints/mod.ts";
import { laterNodes } from "../../metrics/later_nodes.ts";
import type { Histograms } from "../../stats/histogram.ts";
import { ControlDraws } from "../../stats/control_draws.ts";
import { bootstrapInterval, pBelowZero } from "../../stats/significance.ts";
import { findNode } from "../../transformer/nodes.ts";
import { draws, estimate } from "../estimates.ts";
import type { Band, Estimate, RemovalName, ResponseRow, RetentionRow, WriterRow } from "../rows.ts";
import { RemovalStats } from "./removal_stats.ts";

export interface SummaryOptions {
  seed: number;
  /** Lower and upper quantile of the bands. */
  quantiles: readonly [number, number];
}

export class Summary {
  readonly name: string;
  readonly own: RemovalStats;
  /** One for each draw of the control. */
  readonly controls: readonly RemovalStats[];
  readonly #config: ModelConfig;
  readonly #quantiles: readonly [number, number];
  /** Blocks of prompts, with replacement. */
  readonly #draws: Int32Array[];
  readonly #control: ControlDraws<RemovalStats>;

  constructor(
    config: ModelConfig,
    name: string,
    own: RemovalStats,
    controls: readonly RemovalStats[],
    options: SummaryOptions,
  ) {
    [this.#config, this.name, this.own, this.controls] = [config, name, own, controls];
    this.#quantiles = options.quantiles;
    this.#draws = draws(own.shape.blocks, options.seed);
    this.#control = new ControlDraws(controls, this.#draws, options.seed + 1);
  }

  #estimate(statistic: (draw?: Int32Array) => number): Estimate {
    return estimate(statistic, this.#draws);
  }

  #runs(): [RemovalName, RemovalStats][] {
    const runs: [RemovalName, RemovalStats][] = [["writer", this.own]];
    if (this.controls.length > 0) runs.push(["control", RemovalStats.joined(this.controls)]);
    return runs;
  }

  #band(histograms: Histograms, series: number): Band {
    const [median, low, high] = [0.5, ...this.#quantiles].map((p) => histograms.quantile(series, p));
    return { median, low, high, n: histograms.total(series) };
  }

  /** Retention by location; the control's draws taken as one. */
  locations(): RetentionRow[] {
    return this.#runs().flatMap(([run, stats]) =>
      stats.shape.locations.map(({ location }, i) => ({
        writer: this.name,
        location,
        run,
        ratio: stats.ratioAt(i),
        ...this.#band(stats.retained!, i),
        ...(i === 0 && { median: 1, low: 1, high: 1 }), // by definition; a histogram would say 1 ± half a bin
      }))
    );
  }

  /** Response of each later node. */
  responses(): ResponseRow[] {
    return this.#runs().flatMap(([run, stats]) =>
      laterNodes(this.#config, this.name).map(({ name: node, kind, layer }, i) => ({
        writer: this.name,
        node,
        kind,
        layer,
        run,
        below: stats.below(i),
        ratio: stats.response(i),
        interval: bootstrapInterval((draw) => stats.response(i, draw), this.#draws),
        ...this.#band(stats.responses!, i),
      }))
    );
  }

  /** What a later node takes back beyond what it takes back of the control: control - own. */
  specificResponse(node: number): Estimate {
    return this.#estimate((draw) =>
      this.#control.mean((s, d) => s.response(node, d), draw) - this.own.response(node, draw)
    );
  }

  left(): Estimate {
    return this.#estimate((draw) => this.own.end(draw));
  }

  /** 1 + Σ of all responses: what is left of all that was written. */
  leftByLength(): Estimate {
    return this.#estimate((draw) => this.own.ratioAt(this.own.shape.locations.length - 1, draw));
  }

  control(): Estimate {
    return this.#estimate((draw) => this.#control.mean((s, d) => s.end(d), draw));
  }

  specific(): Estimate {
    return this.#estimate((draw) => this.#control.mean((s, d) => s.end(d), draw) - this.own.end(draw));
  }

  /** One-sided bootstrap p-value of "no more of the output is erased than of the control". */
  pSpecific(): number {
    return pBelowZero(
      (draw) => this.own.end(draw) - this.#control.mean((s, d) => s.end(d), draw),
      this.#draws,
    );
  }

  /** Σ over all later nodes of the specific response: what the cleaners' parts are parts of. */
  specificRatio(): number {
    const last = this.own.shape.locations.length - 1;
    return this.#control.mean((s) => s.ratioAt(last)) - this.own.ratioAt(last);
  }

  /** @param share mean length of what is taken out, as a part of the stream's */
  writer(share: number): WriterRow {
    const { kind, layer } = findNode(this.#config, this.name);
    const beside = this.controls.length > 0 ? { control: this.control(), specific: this.specific() } : {};
    const draws = this.controls.map((stats) => stats.end());
    return { writer: this.name, kind, layer, share, left: this.left(), ...beside, draws, n: this.own.tokens };
  }
}
