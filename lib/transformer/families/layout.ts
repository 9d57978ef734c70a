/**
 * How a family of models stores itself: what its config.json means, and where each weight of a
 * TransformerLens name stands in its files. Everything behind this (forward pass, weight processing, metrics)
 * is the same for all families.
 *
 * Stored axes are written as in einops: "d_model (part head d_head)" is a matrix [d_model, 3 · n_heads ·
 * d_head] in which q, k and v lie side by side, each with its heads side by side; `part` picks one of the
 * three.
 *
 * What a family multiplies a weight with, or adds to it, is done here, and so is any order of rows: forward
 * pass, hooks and processing never hear of it.
 */
import type { Checkpoint, ModelConfig } from "../../checkpoints/mod.ts";
import type { ConfigValues } from "../../checkpoints/config_values.ts";
import { checkTensors, stateDictShapes } from "../../checkpoints/state_dict.ts";
import { dimSizes } from "../../checkpoints/weight_names.ts";
import { keptDims, permute, type Weight, type Weights, zeros } from "../weights.ts";

/** Where one weight stands. */
export interface Source {
  /** Name of the tensor in the file. */
  from: string;
  /** Its axes, in the order in which they are stored. */
  axes: string;
  /** Of tensors that hold q, k and v: 0, 1 or 2. */
  part?: 0 | 1 | 2;
  /**
   * Of tensors that hold more than this weight, along their first axis: how long that is, and which row is
   * this weight's row i.
   */
  rows?: { of: number; at: (i: number) => number };
  /**
   * What the values are multiplied with, then what is added: constants of a family that are part of its
   * weights here.
   */
  scale?: number;
  add?: number;
  /** May be missing: zeros then. */
  optional?: boolean;
  /**
   * A head of its own that a file holds although its model is said to be tied: its name. It is read, with a
   * note.
   */
  own?: string;
}

/** TransformerLens name → where it stands. Biases that the family does not have are left out: zeros. */
export type Sources = ReadonlyMap<string, Source>;

export interface Layout {
  config: ModelConfig;
  /**
   * `prefix` is what stands before the names in this file: one of `Family.prefix`, or nothing in older files;
   * `has` tells whether it holds a tensor.
   */
  sources(prefix: string, has: (name: string) => boolean): Sources;
}

export interface Family {
  /** As in messages: "GPT-2". */
  readonly name: string;
  /** config.json's "model_type" and "architectures". */
  readonly modelType: string;
  readonly architectures: readonly string[];
  /**
   * Before all names but that of the unembedding, such as "transformer."; of several, the one that a file
   * has.
   */
  readonly prefix: string | readonly string[];
  /** Tensors that files carry and that no forward pass here reads, such as causal masks. */
  readonly ignored: RegExp;
  /** A key of config.json that holds the settings of the text part of a multimodal model. */
  readonly inside?: string;
  /** @throws on a missing, contradictory or unsupported setting. */
  read(values: ConfigValues): Layout;
}

/** The sources of a checkpoint, with the prefix that its names have. */
export function fileSources(family: Family, layout: Layout, checkpoint: Checkpoint): Sources {
  const prefixes = typeof family.prefix === "string" ? [family.prefix] : family.prefix;
  const names = checkpoint.names();
  const prefix = prefixes.find((prefix) => names.some((name) => name.startsWith(prefix))) ?? "";
  return layout.sources(prefix, checkpoint.has);
}

/** @throws when a weight is missing, of other dims, or one that no such model has. */
export function checkSources(family: Family, layout: Layout, checkpoint: Checkpoint): void {
  const sources = [...fileSources(family, layout, checkpoint)];
  checkTensors(checkpoint, {
    shapes: new Map(
      sources.map(([name, source]) => [source.from, storedShape(source, axisSizes(layout.config, name))]),
    ),
    optional: sources.flatMap(([, { from, optional }]) => optional ? [from] : []),
    ignored: family.ignored,
  });
}

/** Reads tensors; one that several weights are parts of is kept until its last is asked for. */
export function readsOnce(
  sources: Sources,
  checkpoint: Checkpoint,
): (from: string) => Promise<Float32Array> {
  const uses = new Map<string, number>();
  for (const { from } of sources.values()) uses.set(from, (uses.get(from) ?? 0) + 1);
  const held = new Map<string, Float32Array>();
  return async (from) => {
    const data = held.get(from) ?? await checkpoint.read(from);
    const left = uses.get(from)! - 1;
    uses.set(from, left);
    if (left > 0) held.set(from, data);
    else held.delete(from);
    return data;
  };
}

/**
 * Reads every weight, one tensor at a time; one that several weights are parts of is read once. `onNote`
 * hears of what a reader of the results should know.
 */
export async function readWeights(
  family: Family,
  layout: Layout,
  checkpoint: Checkpoint,
  onNote: (note: string) => void = () => {},
): Promise<Weights> {
  const { config } = layout;
  const sources = fileSources(family, layout, checkpoint);
  const read = readsOnce(sources, checkpoint);
  const weights: Weights = new Map();
  for (const [name, shape] of stateDictShapes(config)) {
    const source = sources.get(name);
    const there = source && (checkpoint.has(source.from) || !source.optional);
    weights.set(
      name,
      there
        ? arrange(await read(source.from), source, axisSizes(config, name), keptDims(name, config))
        : zeros(name, shape, config),
    );
  }
  shareEqual(weights);
  const own = sources.get("unembed.W_U")?.own;
  if (own !== undefined && weights.get("unembed.W_U")!.data !== weights.get("embed.W_E")!.data) {
    onNote(headIsOwn(checkpoint.path, own));
  }
  return weights;
}

export function headIsOwn(path: string, own: string): string {
  return `${path}: config.json ties the output head to the embedding, but the file holds ${own} with other values. ` +
    `The file's head is used.`;
}

/**
 * A file may hold the embedding a second time as its output head: they lie in memory once until processing
 * changes them.
 */
function shareEqual(weights: Weights): void {
  const [W_E, W_U] = [weights.get("embed.W_E"), weights.get("unembed.W_U")];
  if (W_E && W_U && isEqual(W_E.data, W_U.data)) weights.set("unembed.W_U", { ...W_U, data: W_E.data });
}

function isEqual(a: Float32Array, b: Float32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export type AxisSizes = Readonly<Record<string, number>>;

export function axisSizes(config: ModelConfig, name: string): AxisSizes {
  return { ...dimSizes(config, name), part: 3 };
}

/** "d_model (part head)" → [d_model, part · head]. */
function storedShape({ axes, rows }: Source, sizes: AxisSizes): number[] {
  const shape = axisGroups(axes).map((group) => group.reduce((product, name) => product * sizes[name], 1));
  return rows ? [rows.of, ...shape.slice(1)] : shape;
}

/** "d_model (part head)" → [["d_model"], ["part", "head"]]. */
export function axisGroups(axes: string): string[][] {
  return (axes.match(/\([^)]*\)|\w+/g) ?? []).map((axis) => axis.match(/\w+/g) ?? []);
}

/** One part of a stored tensor, with its axes in the order `kept`. */
export function arrange(
  stored: Float32Array,
  source: Source,
  sizes: AxisSizes,
  kept: readonly string[],
): Weight {
  const names = axisGroups(source.axes).flat();
  const shape = names.map((name) => sizes[name]);
  const order = kept.map((name) => names.indexOf(name));
  const at = names.indexOf("part");
  const offset = at < 0 ? 0 : source.part! * shape.slice(at + 1).reduce((a, b) => a * b, 1);
  const dims = kept.map((name) => ({ name, size: sizes[name] }));
  const data = permute(chosenRows(stored, source, sizes), shape, order, offset);
  const { scale = 1, add = 0 } = source;
  return { data: scale === 1 && add === 0 ? data : data.map((x) => x * scale + add), dims };
}

/** The rows of a stored tensor that are this weight's, in this weight's order. */
function chosenRows(stored: Float32Array, { axes, rows }: Source, sizes: AxisSizes): Float32Array {
  if (!rows) return stored;
  const [count, ...rest] = storedShape({ from: "", axes }, sizes);
  const width = rest.reduce((a, b) => a * b, 1);
  const chosen = new Float32Array(count * width);
  for (let i = 0; i < count; i++) {
    const from = rows.at(i) * width;
    chosen.set(stored.subarray(from, from + width), i * width);
  }
  return chosen;
}
