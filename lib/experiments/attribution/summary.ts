/** The rows of one node, from the credits of its removal and of its control's. */
import type { ModelConfig } from "../../checkpoints/mod.ts";
import { laterNodes } from "../../metrics/later_nodes.ts";
import { ControlDraws } from "../../stats/control_draws.ts";
import { bootstrapInterval } from "../../stats/significance.ts";
import { findNode } from "../../transformer/nodes.ts";
import { draws } from "../estimates.ts";
import type { Estimate } from "../rows.ts";
import { Credits } from "./credits.ts";
import type { AttributionRow, Credit, ResampledRow, StepRow } from "./rows.ts";
import type { NodeCredits } from "./measure.ts";
import { columnsAfter } from "./runs.ts";

export class AttributionSummary {
  readonly node: string;
  readonly #config: ModelConfig;
  readonly #own: Credits;
  readonly #controls: readonly Credits[];
  readonly #controlDraws: ControlDraws<Credits>;
  readonly #resampled?: NodeCredits;
  readonly #draws: Int32Array[];

  /** @param controls one for each draw of the control */
  constructor(
    config: ModelConfig,
    node: string,
    own: Credits,
    controls: readonly Credits[],
    seed: number,
    resampled?: NodeCredits,
  ) {
    [this.node, this.#config, this.#own, this.#controls] = [node, config, own, controls];
    this.#resampled = resampled;
    this.#draws = draws(own.blocks, seed);
    this.#controlDraws = new ControlDraws(controls, this.#draws, seed + 1);
  }

  #controlShare(column: number, draw?: Int32Array): number {
    return this.#controlDraws.mean((credits, drawn) => credits.share(column, drawn), draw);
  }

  /**
   * The control's share, and the interval around it that fits the question: see `Credit`. `base` is added to
   * both.
   */
  #control(column: number, base: number): Pick<Credit, "control" | "controlInterval"> {
    if (this.#controls.length === 0) return {};
    const all = Credits.joined(this.#controls);
    if (this.#own.tokens > 1) {
      const [low, high] = bootstrapInterval((draw) => this.#controlShare(column, draw), this.#draws);
      const mean = this.#controlShare(column);
      return { control: base + mean, controlInterval: [base + low, base + high] };
    }
    const control = base + all.share(column), { dla } = this.#own;
    const half = 2 * all.spread(column) / Math.abs(dla) * Math.sqrt(1 + dla * dla / all.square);
    return Number.isFinite(half)
      ? { control, controlInterval: [control - half, control + half] }
      : { control };
  }

  /** @param base 1 for what is left: the DLA itself and the column */
  #credit(column: number, base = 0): Credit {
    const own = this.#own;
    const interval = bootstrapInterval((draw) => own.share(column, draw), this.#draws);
    return {
      logits: base * own.dla + own.logits(column),
      share: base + own.share(column),
      ...(own.blocks > 1 && { interval: [base + interval[0], base + interval[1]] as const }),
      ...this.#control(column, base),
    };
  }

  /** How much more is taken back of the control. */
  #specific(column: number, { share, control, controlInterval }: Credit): Estimate | undefined {
    if (control === undefined || controlInterval === undefined) return undefined;
    const [low, high] = controlInterval;
    const interval = this.#own.tokens > 1
      ? bootstrapInterval(
        (draw) => this.#controlShare(column, draw) - this.#own.share(column, draw),
        this.#draws,
      )
      : [low - share, high - share] as const;
    return { value: control - share, interval };
  }

  row(): AttributionRow {
    const { kind, layer } = findNode(this.#config, this.node);
    const columns = columnsAfter(laterNodes(this.#config, this.node).length);
    const takenBack = this.#credit(columns.takenBack);
    const specific = this.#specific(columns.takenBack, takenBack);
    const resampled = this.#resample();
    const controls = this.#controls.length > 0 ? Credits.joined(this.#controls) : undefined;
    return {
      node: this.node,
      kind,
      layer,
      dla: this.#own.dla,
      ...(controls && { controlDla: Math.sqrt(controls.square / controls.tokens) }),
      takenBack,
      ...(specific && { specific }),
      left: this.#credit(columns.takenBack, 1),
      finalScale: this.#credit(columns.finalScale),
      effect: this.#credit(columns.effect),
      ...(resampled && { resampled }),
      n: this.#own.tokens,
    };
  }

  /** What each later node takes back or adds, in the order of the forward pass. */
  steps(): StepRow[] {
    return laterNodes(this.#config, this.node).map(({ name, kind, layer }, i) => ({
      node: this.node,
      by: name,
      kind,
      layer,
      ...this.#credit(i),
    }));
  }

  #resample(): ResampledRow | undefined {
    if (!this.#resampled) return undefined;
    const { own: { credits, kept }, controls } = this.#resampled;
    const whole = kept!;
    const single = this.#own.tokens === 1; // other prompts are then many, and the DLA is one
    const logits = (column: number) => single ? whole.mean(column) : whole.share(column) * whole.dla;
    const exchanged = columnsAfter(0).effect;
    return {
      kept: logits(0),
      keptShare: whole.share(0),
      effect: logits(1),
      share: whole.share(1),
      ...(whole.blocks > 1 &&
        { interval: bootstrapInterval((draw) => whole.share(1, draw), this.#draws) }),
      exchanged: credits.share(exchanged),
      ...(controls.length > 0 && { control: Credits.joined(controls).share(exchanged) }),
      n: whole.tokens,
    };
  }
}
