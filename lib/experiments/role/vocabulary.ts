/**
 * What does a node say on average? The mean over the text of its DLA for every token: m_v = mean_t (w(t) /
 * s(t)) · W_U[:, v], with s the final norm's scale, the logits without their mean. One number for each token
 * of the vocabulary; in gelu-4l the top of the list tells how the post's adversarial prompts were found. The
 * same of the rotated output says how far the top of such a list lies from 0 by chance.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { finalNorm } from "../../checkpoints/blocks.ts";
import { atPositions } from "../../metrics/retention.ts";
import { rotationMatrix } from "../../metrics/rotation.ts";
import { run, type RunOptions } from "../../tensor/run.ts";
import { param, type Tensor } from "../../tensor/tensor.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { type PromptBootstrap, ratioOf } from "../prompt_bootstrap.ts";
import type { ChanceRow, VocabularyRow } from "./rows.ts";

/** Logits without their mean over the vocabulary, of vectors [row, d_model] as the unembedding reads them. */
async function unembedded(model: Model, vectors: Float64Array[]): Promise<Float32Array[]> {
  const { d_model } = model.config;
  const all = new Float32Array(vectors.length * d_model);
  vectors.forEach((vector, i) => all.set(vector, i * d_model));
  const dims = [{ name: "row", size: vectors.length }, { name: "d_model", size: d_model }];
  const logits = param("mean outputs", all, dims).dot(model.forward().weight("unembed.W_U"), "d_model");
  const { made } = await run({ made: logits.sub(logits.mean("d_vocab")).order("row", "d_vocab") }, {});
  const width = made.shape[1];
  return vectors.map((_, i) => (made.data as Float32Array).subarray(i * width, (i + 1) * width));
}

/**
 * The `most` tokens with the largest mean DLA, the `most` with the smallest and `besides`; what rotations
 * give.
 */
export async function vocabularyRows(
  model: Model,
  prompts: Prompts,
  writer: string,
  { most, besides }: { most: number; besides: readonly number[] },
  seeds: readonly number[],
  boot: PromptBootstrap,
  options: RunOptions,
): Promise<{ rows: VocabularyRow[]; chance: ChanceRow[] }> {
  const { d_model: n } = model.config;
  const clean = model.forward();
  const w = clean.partThroughNorm(finalNorm(model.config), atPositions(clean.node(writer)));
  const read: Tensor = w.sum("pos").order("batch", "d_model");
  const { sums } = await run({ sums: read }, feed(prompts, model.config), options);
  const tokens = prompts.count * (prompts.length - 1);
  const mean = new Float64Array(n);
  sums.data.forEach((x: number, i: number) => mean[i % n] += x / tokens);
  // The norm's weight stands in `mean` already: turned is what would stand there, where the weight is folded
  // away.
  const turned = seeds.map((seed) => {
    const Q = rotationMatrix(model.config, seed);
    return Float64Array.from({ length: n }, (_, i) => {
      let sum = 0;
      for (let j = 0; j < n; j++) sum += Q[i * n + j] * mean[j];
      return sum;
    });
  });
  const [own, ...others] = await unembedded(model, [mean, ...turned]);
  const order = [...own.keys()].sort((a, b) => own[b] - own[a]);
  const ends = [...order.slice(0, most), ...order.slice(Math.max(most, order.length - most))];
  const shown = [...new Set([...ends, ...besides])].sort((a, b) => own[b] - own[a]);
  // Intervals of the tokens that are shown: their columns of W_U against each prompt's own sum.
  const columns = await columnsOf(model, shown);
  const counted = boot.sums(new Float64Array(prompts.count).fill(prompts.length - 1));
  const rows = shown.map((id, row): VocabularyRow => {
    const byPrompt = Float64Array.from({ length: prompts.count }, (_, prompt) => {
      let dla = 0;
      for (let i = 0; i < n; i++) dla += sums.data[prompt * n + i] * columns[row * n + i];
      return dla;
    });
    return {
      token: model.tokenizer?.decodeToken(id) ?? `${id}`,
      id,
      rank: order.indexOf(id) + 1,
      dla: boot.of(ratioOf(boot.sums(byPrompt), counted)),
    };
  });
  const chance = others.map((logits, i): ChanceRow => ({
    seed: seeds[i],
    largest: logits.reduce((a, b) => Math.max(a, b)),
    smallest: logits.reduce((a, b) => Math.min(a, b)),
  }));
  return { rows, chance };
}

/** W_U[:, id] minus the mean column, for each id: [id, d_model]. */
async function columnsOf(model: Model, ids: readonly number[]): Promise<Float32Array> {
  const W_U = model.forward().weight("unembed.W_U");
  const chosen = param("ids", Int32Array.from(ids), [{ name: "row", size: ids.length }]);
  const columns = W_U.gather("d_vocab", chosen).sub(W_U.mean("d_vocab"));
  const { made } = await run({ made: columns.order("row", "d_model") }, {});
  return made.data as Float32Array;
}
