/**
 * What is the freed space for? The post defines memory management in four steps: a node writes, others read
 * it, it is erased, and the same directions are used for something else. This looks at the fourth.
 *
 * B is the span of the writer's output: the k directions with 90 % of its energy. Who writes into B, and
 * with what content: what is there because the writer wrote (the difference to the run without its output),
 * or other content? Who reads from B? Does the model predict better because the output was erased?
 *
 * Beside B stand the span of a node that is not erased, with as many directions, and B turned at random.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { quoted } from "../../checkpoints/quoted.ts";
import { outputSize } from "../../checkpoints/config.ts";
import { atPositions, removal } from "../../metrics/retention.ts";
import { chance, rotatedSpan, type Span } from "../../metrics/span.ts";
import type { RunOptions } from "../../tensor/run.ts";
import type { Forward } from "../../transformer/forward.ts";
import type { Model } from "../../transformer/model.ts";
import { findNode, modelNodes } from "../../transformer/nodes.ts";
import { basis } from "../experiment.ts";
import { checkArguments, checkNames, checkNumber, checkOptions, RUN_OPTIONS, SEEDS } from "../options.ts";
import { outputSpans } from "../output_span.ts";
import { inParts } from "../part_progress.ts";
import { PromptBootstrap } from "../prompt_bootstrap.ts";
import { retention } from "../retention/retention.ts";
import { endMeans, type Group, measureGroups } from "./measured.ts";
import { notErased } from "./not_erased.ts";
import { Phases } from "./phases.ts";
import { needed, putBack } from "./put_back.ts";
import { occupancyRows, readRows, writtenRows } from "./shares.ts";
import type {
  ChangedRow,
  NeededRow,
  OccupancyRow,
  PutBackRow,
  ReadRow,
  SpanName,
  SpanRow,
  WrittenRow,
} from "./rows.ts";
import type { Estimate } from "../rows.ts";

/** Whose output, and what stands beside it. */
export interface ReuseOptions extends RunOptions {
  /** The node whose freed space is looked at. Default: the writer of the model's cleanup.json. */
  writer?: string;
  /**
   * Who cleans up after it. Default: those of cleanup.json, or of another writer those that `retention`
   * finds.
   */
  cleaners?: readonly string[];
  /** A node that is not erased. Default: of the largest before the writer the one of which most is left. */
  other?: string;
  /** The part of the output's energy that the span holds at least. Default 0.9. */
  energy?: number;
  /** Which parts of what was erased are put back. Default [0.5, 1]. */
  lambdas?: readonly number[];
  /** Random rotations of the span and of what is put back. Default 8. */
  rotations?: number;
  /** Seed of the rotations and of the bootstrap. Default 1. */
  seed?: number;
}

const OPTIONS: Record<keyof ReuseOptions, true> = {
  writer: true,
  cleaners: true,
  other: true,
  energy: true,
  lambdas: true,
  rotations: true,
  seed: true,
  ...RUN_OPTIONS,
};

/** What the space of an erased output is used for. */
export interface ReuseResult {
  /** The node whose output was erased, and who erased it. */
  writer: string;
  /** In the order of the forward pass. */
  cleaners: string[];
  /** The node that is not erased; absent where there is none beside the writer. */
  other?: string;
  /** The spans that are compared. */
  spans: SpanRow[];
  /** What stands in them, by location. */
  occupancy: OccupancyRow[];
  /** Who writes into them. */
  written: WrittenRow[];
  /** Who reads from them. */
  read: ReadRow[];
  /** The loss when what was erased is put back; empty without unembedding. */
  putBack: PutBackRow[];
  /** What that changes in later nodes. */
  changed: ChangedRow[];
  /** By how much more it harms than the same rotated does (the largest λ), in nats a token. */
  helps?: Estimate;
  /**
   * What changes when what stands in a span at the end is exchanged for its mean; empty without unembedding.
   */
  needed: NeededRow[];
  /** How much more the predictions depend on the writer's span than on a random one: KL, in nats a token. */
  neededMore?: Estimate;
  /** What the rows rest on, by name: model, prompts, options. */
  assumptions: Record<string, string>;
}

/**
 * Who uses the directions of an erased output afterwards, and does erasing help?
 * @throws for an unknown option or node, a cleaner that does not read the writer, fewer than two prompts
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const { spans, helps } = await reuse(model, await promptsFor(model, { count: 8 }));
 * console.log(spans[0].k, "directions; erasing helps by", helps!.value, "nats");
 * ```
 */
export async function reuse(
  model: Model,
  prompts: Prompts,
  options: ReuseOptions = {},
): Promise<ReuseResult> {
  checkArguments("reuse", { model, prompts });
  checkOptions("reuse", options, OPTIONS);
  const {
    writer = model.cleanup.writer,
    cleaners: given,
    other: asked,
    energy = 0.9,
    rotations = 8,
    seed = 1,
    lambdas = [0.5, 1],
    ...runOptions
  } = options;
  checkNumber("reuse", "energy", energy, { least: 0.01, most: 1, whole: false });
  checkNumber("reuse", "rotations", rotations, { least: 2 });
  checkNumber("reuse", "seed", seed, SEEDS);
  if (!Array.isArray(lambdas) || lambdas.length === 0) {
    throw new Error(
      `reuse: got ${quoted(lambdas)} for lambdas; expected a list of numbers, such as [0.5, 1]`,
    );
  }
  for (const lambda of lambdas) {
    checkNumber("reuse", "lambdas", lambda, { least: -10, most: 10, whole: false });
  }
  if (prompts.count < 2 || prompts.length < 3) {
    throw new Error(
      `reuse: got ${prompts.count} prompts of ${prompts.length} tokens; expected at least 2 of at least 3, ` +
        `since intervals are over prompts and position 0 stands apart`,
    );
  }
  findNode(model.config, writer);
  const unembeds = outputSize(model.config) > 0;
  const part = inParts<RunOptions>(runOptions, 7, [1, 1, 1, 1, 1, Number(unembeds), Number(unembeds)]);
  const cleaners = await cleanersFor(model, prompts, writer, given, { ...part(0), seed });
  const phases = new Phases(model.config, writer, cleaners);
  const other = asked ?? (await notErased(model, prompts, writer, part(1)))?.name;
  if (other !== undefined) checkOther(model, writer, other);

  const [own] = await outputSpans(model, prompts, [writer], { energy }, part(2));
  const [beside] = other === undefined
    ? []
    : await outputSpans(model, prompts, [other], { k: own.k }, part(3));
  const seeds = Array.from({ length: rotations }, (_, i) => seed + i);
  const turned = seeds.map((s) => rotatedSpan(model.config, own, s));
  const boot = new PromptBootstrap(prompts.count, seed);

  const clean = model.forward();
  const w = atPositions(clean.node(writer));
  const without = model.forward({ hooks: removal(clean, writer, w) });
  const measured = await measureGroups(model, prompts, clean, [
    {
      spans: [{ name: "writer", directions: own.directions }, ...turned.map(random)],
      k: own.k,
      without,
    },
    ...(beside && other ? [groupOf(model, clean, other, beside)] : []),
  ], part(4));
  const all = { measured, boot, config: model.config, phases, cleaners };

  const after = modelNodes(model.config).filter((node) => phases.ofNode(node) === "after").map((n) => n.name);
  const plan = { clean, without, delta: w, erased: phases.erased, after, lambdas, seeds };
  const put = unembeds ? await putBack(model, prompts, plan, boot, part(5)) : undefined;
  const spans = endMeans(measured, prompts.count * (prompts.length - 1));
  const ends = unembeds ? await needed(model, prompts, spans, boot, part(6)) : undefined;
  return {
    writer,
    cleaners,
    ...(other !== undefined && { other }),
    spans: spanRows(model, writer, own, other, beside),
    occupancy: occupancyRows(all),
    written: writtenRows(all),
    read: readRows(all),
    putBack: put?.rows ?? [],
    changed: put?.changed ?? [],
    ...(put && { helps: put.helps }),
    needed: ends?.rows ?? [],
    ...(ends && { neededMore: ends.more }),
    assumptions: {
      ...basis(model, prompts),
      positions: "1 and later",
      span: `${own.k} directions with ${
        (100 * own.energy).toFixed(0)
      } % of the energy of what ${writer} writes`,
      erased: cleaners.length > 0 ? `by ${cleaners.join(", ")}` : "by nobody surely",
      control: `the span and what is put back, rotated ${rotations} times, seed ${seed}`,
      interval: "95 %, bootstrap over prompts; of the control: one more draw of it",
    },
  };
}

/** Given, known, or found by the rule of retention/cleaners.ts. */
async function cleanersFor(
  model: Model,
  prompts: Prompts,
  writer: string,
  cleaners: readonly string[] | undefined,
  options: RunOptions & { seed: number },
): Promise<string[]> {
  if (cleaners !== undefined) {
    if (cleaners.length > 0) checkNames("reuse", "cleaners", cleaners);
    for (const name of cleaners) findNode(model.config, name);
    return [...cleaners];
  }
  if (model.knownCleanup?.writer === writer) return [...model.knownCleanup.cleaners];
  const found = await retention(model, prompts, { ...options, writer, rotations: 3 });
  return found.cleaners.map(({ node }) => node);
}

function checkOther(model: Model, writer: string, other: string): void {
  findNode(model.config, other);
  if (other !== writer) return;
  throw new Error(`reuse: got ${other} as the node that is not erased; expected another than the writer`);
}

const random = (directions: Float32Array) => ({ name: "random" as const, directions });

function groupOf(model: Model, clean: Forward, node: string, { directions, k }: Span): Group {
  const without = model.forward({ hooks: removal(clean, node, atPositions(clean.node(node))) });
  return { spans: [{ name: "other", directions }], k, without };
}

function spanRows(model: Model, writer: string, own: Span, other?: string, beside?: Span): SpanRow[] {
  const row = (span: SpanName, node: string, { k, energy }: Span): SpanRow => ({
    span,
    node,
    k,
    energy,
    chance: chance(model.config, k),
  });
  return [row("writer", writer, own), ...(beside && other ? [row("other", other, beside)] : [])];
}
