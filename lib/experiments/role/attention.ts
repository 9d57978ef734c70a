/** Where a head attends, by the position that attends, beside uniform attention. */
import type { Prompts } from "../../checkpoints/mod.ts";
import { run, type RunOptions } from "../../tensor/run.ts";
import { iota, type Tensor, where } from "../../tensor/tensor.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { findNode } from "../../transformer/nodes.ts";
import { type PromptBootstrap, ratioOf } from "../prompt_bootstrap.ts";
import type { AttentionRow } from "./rows.ts";

const TARGETS = ["first", "own", "previous", "others"] as const;

/**
 * Weight on each target, by query: [batch, query]. Position 0 is "first", also where it is the one before.
 */
function targets(pattern: Tensor): Record<"first" | "own" | "previous", Tensor> {
  const query = iota("query", "pos").expand("key", "pos"), key = iota("key", "pos").expand("query", "pos");
  const seen = pattern.mul(where(key, "Less", 1, 0, 1));
  const on = (distance: number) => seen.mul(where(query.sub(key), "Equal", distance, 1, 0)).sum("key");
  return { first: pattern.select("key", 0), own: on(0), previous: on(1) };
}

/** First and last position of at most `count` bins of 1 … last. */
export function binsOf(last: number, count: number): [from: number, to: number][] {
  const edges = Array.from({ length: count + 1 }, (_, i) => 1 + Math.round(i * last / count));
  return edges.slice(1).map((end, i): [number, number] => [edges[i], end - 1]).filter(([from, to]) =>
    to >= from
  );
}

/** What uniform attention over 0 … t gives a target, as a mean over t from … to. */
function uniformWeight(target: AttentionRow["target"], from: number, to: number): number {
  let sum = 0;
  for (let t = from; t <= to; t++) {
    const seen = { first: 1, own: 1, previous: Number(t > 1), others: t - 1 - Number(t > 1) }[target];
    sum += seen / (t + 1) / (to - from + 1);
  }
  return sum;
}

/** Rows by bin of positions and target; none for a node that is no head. */
export async function attentionRows(
  model: Model,
  prompts: Prompts,
  writer: string,
  bins: number,
  boot: PromptBootstrap,
  options: RunOptions,
): Promise<AttentionRow[]> {
  const node = findNode(model.config, writer);
  if (node.kind !== "head") return [];
  const pattern = model.forward().hook(`blocks.${node.layer}.attn.hook_pattern`).select("head", node.head);
  const values = await run(targets(pattern), feed(prompts, model.config), options);
  const { length, count } = prompts;
  return binsOf(length - 1, bins).flatMap(([from, to]) => {
    const ones = boot.sums(new Float64Array(count).fill(to - from + 1));
    const byPrompt = (target: "first" | "own" | "previous") => {
      const sums = new Float64Array(count);
      for (let prompt = 0; prompt < count; prompt++) {
        for (let t = from; t <= to; t++) sums[prompt] += values[target].data[prompt * length + t];
      }
      return boot.sums(sums);
    };
    const parts = { first: byPrompt("first"), own: byPrompt("own"), previous: byPrompt("previous") };
    const others = ones.map((n, i) => n - parts.first[i] - parts.own[i] - parts.previous[i]);
    return TARGETS.map((target): AttentionRow => ({
      from,
      to,
      target,
      weight: boot.of(ratioOf(target === "others" ? others : parts[target], ones)),
      uniform: uniformWeight(target, from, to),
    }));
  });
}
