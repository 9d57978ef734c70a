/**
 * How a family of models stores itself: what its config.json means, and where each weight of a TransformerLens name stands in its
 * files. Everything behind this (forward pass, weight processing, metrics) is the same for all families.
 *
 * Stored axes are written as in einops: "d_model (part head d_head)" is a matrix [d_model, 3 · n_heads · d_head] in which q, k and v
 * lie side by side, each with its heads side by side; `part` picks one of the three.
 */
import { type Checkpoint, keyValueHeads, type ModelConfig } from "../../checkpoints/mod.ts";
import type { ConfigValues } from "../../checkpoints/config_values.ts";
import { checkTensors, stateDictShapes } from "../../checkpoints/state_dict.ts";
import { keptDims, permute, type Weight, type Weights, zeros } from "../weights.ts";

/** Where one weight stands. */
export interface Source {
  /** Name of the tensor in the file. */
  from: string;
  /** Its axes, in the order in which they are stored. */
  axes: string;
  /** Of tensors that hold q, k and v: 0, 1 or 2. */
  part?: 0 | 1 | 2;
  /** May be missing: zeros then. */
  optional?: boolean;
  /** Tied weights: the name of a tensor that is read in place of `from` where the file holds it all the same. */
  own?: string;
}

/** TransformerLens name → where it stands. Biases that the family does not have are left out: zeros. */
export type Sources = ReadonlyMap<string, Source>;

export interface Layout {
  config: ModelConfig;
  /** `prefix` is what stands before the names in this file: `Family.prefix`, or nothing in older files. */
  sources(prefix: string): Sources;
}

export interface Family {
  /** As in messages: "GPT-2". */
  readonly name: string;
  /** config.json's "model_type" and "architectures". */
  readonly modelType: string;
  readonly architectures: readonly string[];
  /** Before all names but that of the unembedding, such as "transformer.". */
  readonly prefix: string;
  /** Tensors that older files carry and that are no weights, such as causal masks. */
  readonly ignored: RegExp;
  /** @throws on a missing, contradictory or unsupported setting. */
  read(values: ConfigValues): Layout;
}

/** The sources of a checkpoint, with the prefix that its names have. */
export function sourcesOf(family: Family, layout: Layout, checkpoint: Checkpoint): Sources {
  const prefixed = checkpoint.names().some((name) => name.startsWith(family.prefix));
  const sources = [...layout.sources(prefixed ? family.prefix : "")];
  return new Map(sources.map(([name, source]) => {
    const { own } = source;
    return [name, own !== undefined && checkpoint.has(own) ? { ...source, from: own } : source];
  }));
}

/** @throws when a weight is missing, of other dims, or one that no such model has. */
export function checkSources(family: Family, layout: Layout, checkpoint: Checkpoint): void {
  const sizes = axisSizes(layout.config);
  const sources = [...sourcesOf(family, layout, checkpoint).values()];
  checkTensors(checkpoint, {
    shapes: new Map(sources.map(({ from, axes }) => [from, storedShape(axes, sizes)])),
    optional: sources.flatMap(({ from, optional }) => optional ? [from] : []),
    ignored: family.ignored,
  });
}

/**
 * Reads every weight, one tensor at a time; one that several weights are parts of is read once. `onNote` hears of what a reader of
 * the results should know.
 */
export async function readWeights(
  family: Family,
  layout: Layout,
  checkpoint: Checkpoint,
  onNote: (note: string) => void = () => {},
): Promise<Weights> {
  const { config } = layout;
  const sources = sourcesOf(family, layout, checkpoint);
  const sizes = axisSizes(config);
  const uses = new Map<string, number>();
  for (const { from } of sources.values()) uses.set(from, (uses.get(from) ?? 0) + 1);
  const held = new Map<string, Float32Array>();
  const read = async (from: string) => {
    const data = held.get(from) ?? await checkpoint.read(from);
    const left = uses.get(from)! - 1;
    uses.set(from, left);
    if (left > 0) held.set(from, data);
    else held.delete(from);
    return data;
  };
  const weights: Weights = new Map();
  for (const [name, shape] of stateDictShapes(config)) {
    const source = sources.get(name);
    const there = source && (checkpoint.has(source.from) || !source.optional);
    weights.set(
      name,
      there
        ? arrange(await read(source.from), source, sizes, keptDims(name, config))
        : zeros(name, shape, config),
    );
  }
  const head = sources.get("unembed.W_U");
  if (head?.own !== undefined && head.from === head.own) {
    const [W_E, W_U] = [weights.get("embed.W_E")!, weights.get("unembed.W_U")!];
    if (W_U.data.every((x, i) => x === W_E.data[i])) weights.set("unembed.W_U", { ...W_U, data: W_E.data });
    else {onNote(
        `${checkpoint.path}: config.json ties the output head to the embedding, but the file holds ${head.own} ` +
          `with other values. The file's head is used.`,
      );}
  }
  return weights;
}

type AxisSizes = Readonly<Record<string, number>>;

function axisSizes(config: ModelConfig): AxisSizes {
  const { n_heads, d_model, d_head, d_mlp, n_ctx, d_vocab } = config;
  return {
    d_model,
    d_head,
    d_mlp,
    d_vocab,
    head: n_heads,
    kv_head: keyValueHeads(config),
    pos: n_ctx,
    part: 3,
  };
}

/** "d_model (part head)" → [d_model, part · head]. */
function storedShape(axes: string, sizes: AxisSizes): number[] {
  return (axes.match(/\([^)]*\)|\w+/g) ?? []).map((axis) =>
    axisNames(axis).reduce((product, name) => product * sizes[name], 1)
  );
}

function axisNames(axes: string): string[] {
  return axes.match(/\w+/g) ?? [];
}

/** One part of a stored tensor, with its axes in the order `kept`. */
function arrange(
  data: Float32Array,
  { axes, part }: Source,
  sizes: AxisSizes,
  kept: readonly string[],
): Weight {
  const names = axisNames(axes);
  const shape = names.map((name) => sizes[name]);
  const order = kept.map((name) => names.indexOf(name));
  const at = names.indexOf("part");
  const offset = at < 0 ? 0 : part! * shape.slice(at + 1).reduce((a, b) => a * b, 1);
  const dims = kept.map((name) => ({ name, size: sizes[name] }));
  return { data: permute(data, shape, order, offset), dims };
}
