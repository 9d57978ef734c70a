/** Rows of self-repair from what was measured at each token (self_repair.ts). */
import type { ModelConfig, Prompts } from "../../checkpoints/mod.ts";
import { ControlDraws } from "../../stats/control_draws.ts";
import { sumOfBlocks } from "../../stats/block_sums.ts";
import { findNode } from "../../transformer/nodes.ts";
import { Credits } from "../attribution/credits.ts";
import { draws, estimate } from "../estimates.ts";
import { BLOCKS } from "../retention/removal_stats.ts";
import type { Repair, SelfRepairRow } from "./rows.ts";

/**
 * [prompt * length + pos], in logits: DE of the node, DE of what is exchanged, fall of the logit, Σ (c −
 * c̃)·u of later heads and MLPs.
 */
export type Tokens = Record<"whole" | "exchanged" | "lost" | "head" | "mlp", Float64Array>;

/** The part of all tokens that the literature looks at: those with the largest direct effect. */
const TOP = 0.02;
const COLUMNS = { heads: 0, mlps: 1, norm: 2, total: 3 };

/** Heads, MLPs, norm and total of the self-repair at one token. */
function partsAt({ exchanged, lost, head, mlp }: Tokens, i: number): number[] {
  const total = exchanged[i] - lost[i], [heads, mlps] = [-head[i], -mlp[i]];
  return [heads, mlps, total - heads - mlps, total];
}

export function repairRows(
  config: ModelConfig,
  { count, length }: Pick<Prompts, "count" | "length">,
  nodes: readonly string[],
  measured: ReadonlyMap<string, Tokens>,
  { seed, rotations }: { seed: number; rotations: number },
): SelfRepairRow[] {
  const blocks = Math.min(BLOCKS, count), drawn = draws(blocks, seed);
  const counted = Array.from({ length: count * length }, (_, i) => i).filter((i) => i % length !== 0);
  const block = (i: number) => Math.floor(i / length) % blocks;
  const credits = new Map([...measured].map(([key, tokens]) => {
    const one = new Credits(4, blocks);
    for (const i of counted) one.add(block(i), tokens.exchanged[i], partsAt(tokens, i));
    return [key, one];
  }));
  const top = (tokens: Tokens): NonNullable<SelfRepairRow["top"]> => {
    const number = Math.max(1, Math.floor(TOP * counted.length));
    const first = [...counted].sort((a, b) => tokens.whole[b] - tokens.whole[a]).slice(0, number);
    const sums = Array.from({ length: 5 }, () => new Float64Array(blocks));
    for (const i of first) [...partsAt(tokens, i), 1].forEach((x, k) => sums[k][block(i)] += x);
    const mean = (k: number, draw?: Int32Array) => sumOfBlocks(sums[k], draw) / sumOfBlocks(sums[4], draw);
    const over = (of: Float64Array) => first.reduce((sum, i) => sum + of[i], 0) / number;
    return {
      tokens: number,
      directEffect: over(tokens.whole),
      exchanged: over(tokens.exchanged),
      repaired: parts((k) => mean(k), estimate((draw) => mean(COLUMNS.total, draw), drawn)),
    };
  };
  const share = (own: Credits, controls: readonly Credits[]) => {
    const control = new ControlDraws(controls, drawn, seed + 1);
    const total = (one: Credits, draw?: Int32Array) => one.share(COLUMNS.total, draw);
    return {
      share: parts((k) => own.share(k), estimate((draw) => total(own, draw), drawn)),
      control: estimate((draw) => control.mean(total, draw), drawn),
      beyond: estimate((draw) => total(own, draw) - control.mean(total, draw), drawn),
    };
  };
  const size = (keys: readonly string[]) => {
    let sum = 0;
    for (const key of keys) for (const i of counted) sum += measured.get(key)!.whole[i] ** 2;
    return Math.sqrt(sum / keys.length / counted.length);
  };
  const controls = Array.from({ length: rotations }, (_, r) => r);
  const rows = nodes.map((node): SelfRepairRow => {
    const { kind, layer } = findNode(config, node);
    return {
      node,
      kind: kind as "head" | "mlp", // embeddings are not asked for
      layer,
      directEffect: size([node]),
      ...share(credits.get(node)!, controls.map((r) => credits.get(`${node} ${r}`)!)),
      top: top(measured.get(node)!),
    };
  });
  const together = (suffix: string) => Credits.joined(nodes.map((node) => credits.get(node + suffix)!));
  return [...rows, {
    node: "all",
    kind: "all",
    layer: -1,
    directEffect: size(nodes),
    ...share(together(""), controls.map((r) => together(` ${r}`))),
  }];
}

const parts = (column: (k: number) => number, total: Repair["total"]): Repair => ({
  total,
  heads: column(COLUMNS.heads),
  mlps: column(COLUMNS.mlps),
  norm: column(COLUMNS.norm),
});
