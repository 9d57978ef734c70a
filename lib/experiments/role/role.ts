/**
 * What is a writer for? Five questions about one node: what it says on average (the mean of its DLA, for
 * every token), where it attends, what its output depends on, who needs it (path patching, one edge at a
 * time), and what the model loses without it, by position and class of token. Each beside its control.
 */
import { type Prompts, shorten } from "../../checkpoints/mod.ts";
import { quoted } from "../../checkpoints/quoted.ts";
import { outputSize } from "../../checkpoints/config.ts";
import { laterNodes } from "../../metrics/later_nodes.ts";
import type { RunOptions } from "../../tensor/run.ts";
import type { Model } from "../../transformer/model.ts";
import { findNode } from "../../transformer/nodes.ts";
import { basis } from "../experiment.ts";
import { checkArguments, checkNames, checkNumber, checkOptions, RUN_OPTIONS, SEEDS } from "../options.ts";
import { inParts } from "../part_progress.ts";
import { PromptBootstrap } from "../prompt_bootstrap.ts";
import { attentionRows } from "./attention.ts";
import { edgeRows } from "./edges.ts";
import type { AttentionRow, ChanceRow, EdgeRow, VarianceRow, VocabularyRow, WithoutRow } from "./rows.ts";
import { varianceRows } from "./variance.ts";
import { vocabularyRows } from "./vocabulary.ts";
import { withoutRows } from "./without.ts";

/** Which node, and how closely it is looked at. */
export interface RoleOptions extends RunOptions {
  /** The node. Default: the writer of the model's cleanup.json. */
  writer?: string;
  /** Tokens at either end of the vocabulary table. Default 20. */
  most?: number;
  /** Tokens whose rows are wanted besides, as texts of one token each. */
  tokens?: readonly string[];
  /** Bins of positions. Default 8. */
  bins?: number;
  /**
   * Prompts on which edges are patched: each costs a run of what comes after it, four with the controls.
   * Default 8; 0: none.
   */
  edgePrompts?: number;
  /** Random rotations of the output, as a control. Default 4; of the edges at most 3. */
  rotations?: number;
  /** Seed of the rotations, the shuffled labels and the bootstrap. Default 1. */
  seed?: number;
}

const OPTIONS: Record<keyof RoleOptions, true> = {
  writer: true,
  most: true,
  tokens: true,
  bins: true,
  edgePrompts: true,
  rotations: true,
  seed: true,
  ...RUN_OPTIONS,
};

/** What a node does. */
export interface RoleResult {
  /** The node. */
  writer: string;
  /** Tokens with the largest and the smallest mean DLA, and those asked for; empty without unembedding. */
  vocabulary: VocabularyRow[];
  /** The ends of the same list for the rotated output. */
  chance: ChanceRow[];
  /** Where it attends; empty for a node that is no head. */
  attention: AttentionRow[];
  /** What its output depends on. */
  variance: VarianceRow[];
  /** Who needs it; empty without unembedding, or with `edgePrompts` 0. */
  edges: EdgeRow[];
  /** The loss without it; empty without unembedding. */
  without: WithoutRow[];
  /** What the rows rest on, by name: model, prompts, options. */
  assumptions: Record<string, string>;
}

/** Draws of the control of edges: each edge is a run. */
const EDGE_ROTATIONS = 3;

/**
 * What a node says, sees, depends on and is needed for.
 * @throws for an unknown option or node, fewer than two prompts, and prompts of fewer than three tokens
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const { vocabulary } = await role(model, await promptsFor(model, { count: 4 }), { edgePrompts: 0 });
 * console.log(vocabulary[0].token, vocabulary[0].dla.value);
 * ```
 */
export async function role(model: Model, prompts: Prompts, options: RoleOptions = {}): Promise<RoleResult> {
  checkArguments("role", { model, prompts });
  checkOptions("role", options, OPTIONS);
  const {
    writer = model.cleanup.writer,
    most = 20,
    tokens = [],
    bins = 8,
    edgePrompts = 8,
    rotations = 4,
    seed = 1,
    ...runOptions
  } = options;
  checkNumber("role", "most", most, { least: 1 });
  checkNumber("role", "bins", bins, { least: 1 });
  checkNumber("role", "edgePrompts", edgePrompts, { least: 0 });
  checkNumber("role", "rotations", rotations, { least: 2 });
  checkNumber("role", "seed", seed, SEEDS);
  findNode(model.config, writer);
  if (prompts.count < 2 || prompts.length < 3) {
    throw new Error(
      `role: got ${prompts.count} prompts of ${prompts.length} tokens; expected at least 2 of at least 3, since ` +
        `intervals are over prompts and position 0 stands apart`,
    );
  }
  const seeds = Array.from({ length: rotations }, (_, i) => seed + i);
  const edgeSeeds = seeds.slice(0, EDGE_ROTATIONS);
  const boot = new PromptBootstrap(prompts.count, seed);
  const unembeds = outputSize(model.config) > 0;
  const few = shorten(prompts, { count: Math.min(Math.max(2, edgePrompts), prompts.count) });
  const measuresEdges = unembeds && edgePrompts > 0;
  // About as many runs over all prompts: edges are three inputs of each later node, half a run each.
  const later = laterNodes(model.config, writer).length, share = few.count / prompts.count;
  const part = inParts<RunOptions>(runOptions, 5, [
    Number(unembeds),
    1,
    1,
    unembeds ? 2 + rotations : 0,
    measuresEdges ? Math.ceil(1.5 * later * (1 + edgeSeeds.length) * share) : 0,
  ]);

  const { rows: vocabulary, chance } = unembeds
    ? await vocabularyRows(
      model,
      prompts,
      writer,
      { most, besides: idsOf(model, tokens) },
      seeds,
      boot,
      part(0),
    )
    : { rows: [], chance: [] };
  const attention = await attentionRows(model, prompts, writer, bins, boot, part(1));
  const { rows: variance, directions } = await varianceRows(model, prompts, writer, seed, part(2));
  const without = unembeds ? await withoutRows(model, prompts, writer, bins, seeds, boot, part(3)) : [];
  const edges = measuresEdges
    ? await edgeRows(
      model,
      few,
      writer,
      edgeSeeds,
      new PromptBootstrap(few.count, seed),
      part(4),
    )
    : [];
  return {
    writer,
    vocabulary,
    chance,
    attention,
    variance,
    edges,
    without,
    assumptions: {
      ...basis(model, prompts),
      positions: "1 and later",
      variance: `type II sums of squares of the ${directions} directions with 99 % of the output's energy; ` +
        `control: shuffled labels`,
      edges: measuresEdges
        ? `${few.count} prompts; one input at a time, its norm's scale frozen; ${edgeSeeds.length} rotations`
        : "not measured",
      control: `the output, rotated ${rotations} times, seed ${seed}`,
      interval: "95 %, bootstrap over prompts; of the control: one more draw of it; of variances: jackknife",
    },
  };
}

/** @throws for a text that is not one token, and for a model without a tokenizer */
function idsOf(model: Model, tokens: readonly string[]): number[] {
  if (tokens.length === 0) return [];
  checkNames("role", "tokens", tokens);
  const { tokenizer } = model;
  if (!tokenizer) throw new Error(`role: model ${model.name} has no tokenizer.json; option tokens needs one`);
  return tokens.map((text) => {
    const ids = tokenizer.encode(text);
    if (ids.length === 1) return ids[0];
    throw new Error(`role: ${quoted(text)} is ${ids.length} tokens of ${model.name}; expected texts of one`);
  });
}
