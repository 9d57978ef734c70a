/**
 * Who needs a node's output? Path patching, one edge at a time: one input (Q, K or V of a head, or an MLP's)
 * of one later node loses the output, with the scale of its norm frozen; everything after it answers.
 * Effects are those on the loss and, for Q and K, on the reader's own pattern. Beside each stands the same
 * with the output rotated.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { attentionOf, blockOf } from "../../checkpoints/blocks.ts";
import { keyValueHeads } from "../../checkpoints/config.ts";
import { atPositions } from "../../metrics/retention.ts";
import { rotated, rotation } from "../../metrics/rotation.ts";
import { laterNodes } from "../../metrics/later_nodes.ts";
import { run, type RunOptions } from "../../tensor/run.ts";
import { concat, constant, iota, type Tensor, where } from "../../tensor/tensor.ts";
import type { Forward } from "../../transformer/forward.ts";
import type { Hooks } from "../../transformer/hook_points.ts";
import type { Model } from "../../transformer/model.ts";
import { headName } from "../../transformer/nodes.ts";
import { inParts } from "../part_progress.ts";
import { type PromptBootstrap, ratioOf, type Statistic } from "../prompt_bootstrap.ts";
import { lossOf, withNext } from "../next_token_loss.ts";
import type { EdgeRow } from "./rows.ts";

type HeadInput = "Q" | "K" | "V";

/** All edges of one branch that are measured in one graph. */
interface Bundle {
  layer: number;
  input: EdgeRow["input"];
  readers: string[];
}

/** 1 at one index of a dim, 0 elsewhere. */
function only(index: number, dim: string, size: number): Tensor {
  return concat(
    Array.from({ length: size }, (_, i) => constant(i === index ? 1 : 0).expand(dim, 1)),
    dim,
  );
}

/** Readers that share keys or values are one. */
function bundles(model: Model, writer: string): Bundle[] {
  const { config } = model;
  const later = laterNodes(config, writer);
  const heads = new Set(later.filter(({ kind }) => kind === "head").map(({ layer }) => layer));
  const all: Bundle[] = [];
  for (const { name, kind, layer } of later) {
    if (kind === "mlp") all.push({ layer, input: "MLP", readers: [name] });
    else if (heads.delete(layer)) {
      for (const input of ["Q", "K", "V"] as const) {
        const count = input === "Q" ? config.n_heads : keyValueHeads(config);
        const readers = Array.from({ length: count }, (_, i) => headName(layer, i * config.n_heads / count));
        all.push({ layer, input, readers });
      }
    }
  }
  return all;
}

/** What an attention input of a layer loses: [batch, pos, head or kv_head, d_head]. */
function lost(clean: Forward, layer: number, input: HeadInput, delta: Tensor): Tensor {
  const { norm, block } = attentionOf(clean.config, layer);
  return clean.partThroughNorm(norm, delta).dot(clean.weight(`${block}.attn.W_${input}`), "d_model");
}

/**
 * Hooks of the run in which one reader's input lacks `delta`; without an index all readers of the bundle's.
 */
function patch(clean: Forward, { layer, input }: Bundle, delta: Tensor, index?: number): Hooks {
  if (input === "MLP") {
    const { block, norm } = blockOf(clean.config, layer).branches.find(({ kind }) => kind === "mlp")!;
    const frozen: Hooks = norm ? { [`${norm}.hook_scale`]: () => clean.hook(`${norm}.hook_scale`) } : {};
    return { [`${block}.hook_mlp_in`]: (x) => x.sub(delta), ...frozen };
  }
  return {
    [`blocks.${layer}.attn.hook_${input.toLowerCase()}`]: (x) => {
      const part = lost(clean, layer, input, delta);
      if (index === undefined) return x.sub(part);
      const dim = x.names[2];
      return x.sub(part.mul(only(index, dim, Number(x.dims[2].size))));
    },
  };
}

/** Σ over queries 1 and later of KL(A ‖ A′): [batch, head]. */
function patternChange(clean: Forward, patched: Forward, layer: number): Tensor {
  const hook = `blocks.${layer}.attn.hook_pattern`;
  const [a, b] = [clean, patched].map((forward) => forward.hook(hook));
  const log = (x: Tensor) => x.atLeast(1e-30).log();
  const kl = a.mul(log(a).sub(log(b))).sum("key");
  return kl.mul(where(iota("query", "pos"), "Less", 1, 0, 1)).sum("query").order("batch", "head");
}

/** Rows by edge, in the order of the forward pass. */
export async function edgeRows(
  model: Model,
  prompts: Prompts,
  writer: string,
  seeds: readonly number[],
  boot: PromptBootstrap,
  options: RunOptions,
): Promise<EdgeRow[]> {
  const clean = model.forward();
  const next = model.tokens("next");
  const w = atPositions(clean.node(writer));
  const deltas = [w, ...seeds.map((seed) => rotated(w, rotation(model.config, seed)))];
  const all = bundles(model, writer);
  const part = inParts(options, all.length, all.map(({ readers }) => readers.length));
  const tokens = boot.sums(new Float64Array(prompts.count).fill(prompts.length - 2));
  const rows: EdgeRow[] = [];
  for (const [i, bundle] of all.entries()) {
    const { layer, input, readers } = bundle;
    const outputs: Record<string, Tensor> = { clean: lossOf(clean, next) };
    deltas.forEach((delta, d) => {
      readers.forEach((_, index) => {
        const patched = model.forward({ hooks: patch(clean, bundle, delta, index) });
        outputs[`${d} ${index}`] = lossOf(patched, next);
      });
      if (input === "Q" || input === "K") {
        const patched = model.forward({ hooks: patch(clean, bundle, delta) });
        outputs[`${d} pattern`] = patternChange(clean, patched, layer);
      }
    });
    const values = await run(outputs, withNext(prompts), part(i));
    readers.forEach((reader, index) => {
      const losses = deltas.map((_, d): Statistic => {
        const { data } = values[`${d} ${index}`];
        return ratioOf(boot.sums(data.map((x: number, p: number) => x - values.clean.data[p])), tokens);
      });
      const control = boot.another(losses.slice(1));
      const [own] = losses;
      rows.push({
        reader,
        input,
        layer,
        loss: boot.of(own),
        control: boot.of(control),
        more: boot.of((draw) => own(draw) - control(draw)),
        ...patterns(boot, values, reader, deltas.length, prompts.length - 2),
      });
    });
  }
  return rows;
}

/** Of queries and keys: the change of the reader's own pattern, and the control's. */
function patterns(
  boot: PromptBootstrap,
  values: Record<string, { data: ArrayLike<number>; shape: readonly number[] }>,
  reader: string,
  runs: number,
  queries: number,
): Pick<EdgeRow, "pattern" | "patternControl"> {
  const first = values["0 pattern"];
  if (!first) return {};
  const [count, heads] = first.shape;
  const counted = boot.sums(new Float64Array(count).fill(queries));
  const head = Number(reader.split("H")[1]);
  const all = Array.from(
    { length: runs },
    (_, d) => ratioOf(boot.sums(values[`${d} pattern`].data, head, heads), counted),
  );
  return { pattern: boot.of(all[0]), patternControl: boot.of(boot.another(all.slice(1))) };
}
