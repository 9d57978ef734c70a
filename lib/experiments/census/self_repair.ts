/**
 * Self-repair, by node: the node writes what it writes on another text (w′ for w), and the rest of the
 * model may make up for what the right token's logit loses. With u the direction of that logit (over the
 * mean logit) and the clean run's final scale,
 *
 *     direct effect DE = w·u,   self-repair = (logit ablated - logit clean) - (DE ablated - DE clean)
 *                  = Σ heads (c̃ - c)·u + Σ MLPs (c̃ - c)·u + norm
 *
 * c and c̃ are what a later node writes in the two runs. `norm` is what is left over: the final scale,
 * which answers too. Source: Rushing and Nanda, arXiv 2402.15390, section 3 (there over the 2 % of tokens
 * with the largest direct effect, positions 0 included). The control exchanges as much, rotated: Q (w -
 * w′).
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { attributionVector, readDifference, unembedding } from "../../metrics/attribution.ts";
import { laterNodes } from "../../metrics/later_nodes.ts";
import { atPositions, removal, responseDots } from "../../metrics/retention.ts";
import { rotated, rotationsFrom } from "../../metrics/rotation.ts";
import { type Feeds, type RunOptions, stream } from "../../tensor/run.ts";
import { createOnce } from "../../tensor/session.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Forward } from "../../transformer/forward.ts";
import type { Model } from "../../transformer/model.ts";
import { modelNodes } from "../../transformer/nodes.ts";
import { withNext } from "../next_token_loss.ts";
import { inParts } from "../part_progress.ts";
import { cutPrompts } from "../prompt_feeds.ts";
import { graphs } from "../retention/removals.ts";
import { LEAST_TOKENS } from "../retention/sums.ts";
import { shiftedPrompts } from "../shifted_prompts.ts";
import { largest } from "./largest.ts";
import { repairRows, type Tokens } from "./repair_rows.ts";
import type { SelfRepairRow } from "./rows.ts";

/** Prompts without their last token, which no position follows; another text as "other". */
function feedsOf(prompts: Prompts): Feeds {
  return { ...withNext(prompts), other: cutPrompts(shiftedPrompts(prompts), 0, prompts.length - 1) };
}

/** W_U[:, right token] − the mean over the vocabulary: [batch, pos, d_model]. */
function rightToken(model: Model, forward: Forward): Tensor {
  const direction = unembedding(forward, model.tokens("next"));
  if (model.processing.centerUnembed) return direction;
  return direction.sub(forward.weight("unembed.W_U").mean("d_vocab"));
}

interface Exchange {
  key: string;
  writer: string;
  delta: Tensor;
}

/** Each node's exchange and its controls, in graphs of bearable size. */
export function repairGraphs(
  model: Model,
  clean: Forward,
  chosen: readonly string[],
  { seed, rotations }: { seed: number; rotations: number },
): Exchange[][] {
  const other = model.forward({ tokens: model.tokens("other") });
  const turns = rotationsFrom(model.config, seed, rotations);
  return graphs(
    model,
    chosen.flatMap((writer): Exchange[] => {
      const delta = atPositions(clean.node(writer).sub(other.node(writer)));
      const controls = turns.map((Q, i) => ({ key: `${writer} ${i}`, writer, delta: rotated(delta, Q) }));
      return [{ key: writer, writer, delta }, ...controls];
    }),
  );
}

/** What is measured of the exchanges of one graph. */
export function repairOutputs(
  model: Model,
  clean: Forward,
  exchanges: readonly Exchange[],
): Record<string, Tensor> {
  const direction = rightToken(model, clean);
  const u = attributionVector(clean, direction);
  const outputs: Record<string, Tensor> = {};
  exchanges.forEach(({ writer, delta }, i) => {
    const ablated = model.forward({ hooks: removal(clean, writer, delta) });
    outputs[`whole${i}`] = clean.node(writer).dot(u, "d_model");
    outputs[`exchanged${i}`] = delta.dot(u, "d_model");
    outputs[`lost${i}`] = readDifference(clean, direction).sub(readDifference(ablated, direction));
    for (const kind of ["head", "mlp"] as const) {
      const later = laterNodes(model.config, writer).filter((node) => node.kind === kind);
      if (later.length > 0) outputs[`${kind}${i}`] = responseDots(clean, ablated, u, later).sum("node");
    }
  });
  return outputs;
}

/**
 * The `most` heads and MLPs with the largest direct effect, the largest first, then all of them taken
 * together.
 * @throws for a single prompt, and for prompts of fewer than three tokens: neither the first nor the last
 * position counts
 */
export async function selfRepair(
  model: Model,
  prompts: Prompts,
  options: RunOptions & { seed: number; rotations: number; most: number },
): Promise<SelfRepairRow[]> {
  const { seed, rotations, most, ...runOptions } = options;
  if (prompts.length < 3) {
    throw new Error(
      `self-repair: got prompts of ${prompts.length} tokens from ${prompts.source}; expected at least 3, since ` +
        `neither the first nor the last position counts`,
    );
  }
  const feeds = feedsOf(prompts);
  const clean = model.forward(), u = attributionVector(clean, rightToken(model, clean));
  const nodes = modelNodes(model.config).filter(({ kind }) => kind !== "embed");
  const chosen = await largest(clean, u, nodes, most, feeds, runOptions);
  const measured = new Map<string, Tokens>();
  const groups = repairGraphs(model, clean, chosen, { seed, rotations });
  const part = inParts(
    { leastTokens: LEAST_TOKENS, createSession: createOnce, ...runOptions },
    groups.length,
  );
  const count = prompts.count, length = prompts.length - 1;
  for (const [g, group] of groups.entries()) {
    const sizes = () => new Float64Array(count * length);
    group.forEach(({ key }) =>
      measured.set(key, { whole: sizes(), exchanged: sizes(), lost: sizes(), head: sizes(), mlp: sizes() })
    );
    for await (const { start, results } of stream(repairOutputs(model, clean, group), feeds, part(g))) {
      group.forEach(({ key }, i) => {
        for (const [name, values] of Object.entries(measured.get(key)!)) {
          const made = results[`${name}${i}`]; // no heads or MLPs may come later
          if (made) values.set(made.data as Float32Array, start * length);
        }
      });
    }
  }
  return repairRows(model.config, { count, length }, chosen, measured, { seed, rotations });
}
