/**
 * Does erasing help? The erased part of the writer's output is put back after the last cleaner, for all that
 * comes later: x_L + λ e with e(t) = w(t) − (Δ_L(t)·w(t) / ‖w(t)‖²) w(t), so that at λ = 1 the whole of w
 * stands there again. Any vector disturbs, so the same is done with e rotated.
 *
 * And is what stands in a span at the end needed? It is exchanged for its mean over the text.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { atPositions, retained } from "../../metrics/retention.ts";
import { rotated, rotation } from "../../metrics/rotation.ts";
import { run, type RunOptions } from "../../tensor/run.ts";
import { NdArray } from "../../tensor/nd_array.ts";
import { param, type Tensor } from "../../tensor/tensor.ts";
import type { Forward } from "../../transformer/forward.ts";
import type { Model } from "../../transformer/model.ts";
import { locations } from "../../transformer/nodes.ts";
import { type PromptBootstrap, ratioOf, type Statistic } from "../prompt_bootstrap.ts";
import { lossOf, withNext } from "../next_token_loss.ts";
import type { Estimate } from "../rows.ts";
import type { ChangedRow, NeededRow, PutBackRow, SpanName } from "./rows.ts";

/** The increase of Σ loss over prompts, by token: of one run beside the clean one. */
function increase(boot: PromptBootstrap, values: NdArray, clean: NdArray, tokens: number): Statistic {
  const more = boot.sums(Float64Array.from(values.data, (x: number, i: number) => x - clean.data[i]));
  const counted = boot.sums(new Float64Array(clean.data.length).fill(tokens));
  return ratioOf(more, counted);
}

export interface PutBackPlan {
  clean: Forward;
  without: Forward;
  /** The writer's output at the positions that count. */
  delta: Tensor;
  /** The hook point of the stream where the last cleaner has written. */
  erased: string;
  /** Nodes that come after that. */
  after: readonly string[];
  lambdas: readonly number[];
  seeds: readonly number[];
}

/**
 * Losses, and how much later nodes change, with a part of the erased output put back. `helps`: by how much
 * more that harms than the control does, with the largest λ.
 */
export async function putBack(
  model: Model,
  prompts: Prompts,
  plan: PutBackPlan,
  boot: PromptBootstrap,
  options: RunOptions,
): Promise<{ rows: PutBackRow[]; changed: ChangedRow[]; helps: Estimate }> {
  const { clean, without, delta, erased, after, lambdas, seeds } = plan;
  const next = model.tokens("next");
  const left = retained(clean, without, delta, erased);
  const missing = delta.sub(delta.mul(left));
  const vectors = [missing, ...seeds.map((seed) => rotated(missing, rotation(model.config, seed)))];
  const outputs: Record<string, Tensor> = { clean: lossOf(clean, next) };
  for (const node of after) {
    outputs[`size ${node}`] = atPositions(clean.node(node)).sumSquares("pos", "d_model");
  }
  vectors.forEach((vector, i) => {
    for (const lambda of lambdas) {
      const with_ = model.forward({ hooks: { [erased]: (x) => x.add(vector.mul(lambda)) } });
      outputs[`${i} ${lambda}`] = lossOf(with_, next);
      for (const node of after) {
        const changed = atPositions(with_.node(node).sub(clean.node(node)));
        outputs[`${i} ${lambda} ${node}`] = changed.sumSquares("pos", "d_model");
      }
    }
  });
  const values = await run(outputs, withNext(prompts), options);
  const tokens = prompts.length - 2; // position 0 stands apart, the last has no next token
  const rows: PutBackRow[] = [], changed: ChangedRow[] = [];
  const lossesWith = (lambda: number) =>
    vectors.map((_, i) => increase(boot, values[`${i} ${lambda}`], values.clean, tokens));
  for (const lambda of lambdas) {
    for (const [run, loss] of besideControl(boot, lossesWith(lambda))) rows.push({ run, lambda, loss });
    for (const node of after) {
      const size = boot.sums(values[`size ${node}`].data);
      const lengths = vectors.map((_, i): Statistic => {
        const square = ratioOf(boot.sums(values[`${i} ${lambda} ${node}`].data), size);
        return (draw) => Math.sqrt(square(draw));
      });
      for (const [run, change] of besideControl(boot, lengths)) changed.push({ run, lambda, node, change });
    }
  }
  const [own, ...draws] = lossesWith(Math.max(...lambdas)), control = boot.another(draws);
  return { rows, changed, helps: boot.of((draw) => own(draw) - control(draw)) };
}

/** The writer's own estimate, and the control's: the mean over its draws. */
function besideControl(
  boot: PromptBootstrap,
  [own, ...draws]: readonly Statistic[],
): ["writer" | "control", Estimate][] {
  return [["writer", boot.of(own)], ["control", boot.of(boot.another(draws))]];
}

/** Σ over positions 1 and later of KL(clean ‖ other), in nats: [batch]. */
function divergence(clean: Tensor, other: Tensor): Tensor {
  return atPositions(clean.exp().mul(clean.sub(other)).sum("d_vocab")).sum("pos");
}

/**
 * What changes when what stands in a span at the end of the stream is exchanged for its mean over the text.
 * `mean`: [k], over all tokens that count.
 */
export async function needed(
  model: Model,
  prompts: Prompts,
  spans: readonly { name: SpanName; directions: Float32Array; mean: Float32Array }[],
  boot: PromptBootstrap,
  options: RunOptions,
): Promise<{ rows: NeededRow[]; more: Estimate }> {
  const { d_model } = model.config;
  const clean = model.forward();
  const next = model.tokens("next");
  const { hook } = locations(model.config).at(-1)!;
  const outputs: Record<string, Tensor> = { clean: lossOf(clean, next) };
  spans.forEach(({ directions, mean }, i) => {
    const k = { name: "k", size: mean.length };
    const S = param(`span ${i}`, directions, [k, { name: "d_model", size: d_model }]);
    const shift = (x: Tensor) => param(`mean ${i}`, mean, [k]).sub(x.dot(S, "d_model")).dot(S, "k");
    const exchanged = model.forward({ hooks: { [hook]: (x) => x.add(atPositions(shift(x))) } });
    outputs[`${i} loss`] = lossOf(exchanged, next);
    outputs[`${i} divergence`] = divergence(clean.logProbabilities(), exchanged.logProbabilities());
  });
  const values = await run(outputs, withNext(prompts), options);
  const tokens = prompts.length - 2;
  const none = new NdArray(new Float32Array(prompts.count), ["batch"], [prompts.count]);
  /** One statistic for each span of that name. */
  const of = (name: SpanName, what: "loss" | "divergence") =>
    spans.flatMap((span, i): Statistic[] =>
      span.name === name
        ? [increase(boot, values[`${i} ${what}`], what === "loss" ? values.clean : none, tokens)]
        : []
    );
  const statistic = (span: SpanName, what: "loss" | "divergence") =>
    span === "random" ? boot.another(of(span, what)) : of(span, what)[0];
  const names = [...new Set(spans.map(({ name }) => name))];
  const rows = names.map((span): NeededRow => ({
    span,
    loss: boot.of(statistic(span, "loss")),
    divergence: boot.of(statistic(span, "divergence")),
  }));
  const [own, control] = [statistic("writer", "divergence"), statistic("random", "divergence")];
  return { rows, more: boot.of((draw) => own(draw) - control(draw)) };
}
