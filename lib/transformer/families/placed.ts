/**
 * Weights that stay in their file, as expressions over what lies there: the same sources as `readWeights`
 * reads (layout.ts), but nothing is read. What a family multiplies, adds or reorders is part of the
 * expression.
 */
import type { Checkpoint } from "../../checkpoints/mod.ts";
import type { Place } from "../../checkpoints/safetensors.ts";
import { weightNames } from "../../checkpoints/weight_names.ts";
import { STORED_BYTES } from "../../tensor/node.ts";
import { param, stored, type Tensor } from "../../tensor/tensor.ts";
import { zeroTensor } from "../expression_algebra.ts";
import { keptDims } from "../weights.ts";
import {
  arrange,
  axisGroups,
  type AxisSizes,
  axisSizes,
  type Family,
  fileSources,
  headIsOwn,
  type Layout,
  readsOnce,
  type Source,
} from "./layout.ts";

/** Every weight, by TransformerLens' name. `onNote` as for `readWeights`. */
export async function placedWeights(
  family: Family,
  layout: Layout,
  checkpoint: Checkpoint,
  onNote: (note: string) => void = () => {},
): Promise<Map<string, Tensor>> {
  const { config } = layout;
  const sources = fileSources(family, layout, checkpoint);
  const read = readsOnce(sources, checkpoint);
  const tensors = new Map<string, Tensor>();
  for (const name of weightNames(config)) {
    const source = sources.get(name), sizes = axisSizes(config, name), kept = keptDims(name, config);
    if (!source || (source.optional && !checkpoint.has(source.from))) {
      tensors.set(name, zeroTensor(name, kept.map((axis) => ({ name: axis, size: sizes[axis] }))));
      continue;
    }
    const place = checkpoint.place?.(source.from);
    if (place) tensors.set(name, placed(name, place, source, sizes));
    else {
      const { data, dims } = arrange(await read(source.from), source, sizes, kept);
      tensors.set(name, param(name, data, dims));
    }
  }
  const own = sources.get("unembed.W_U")?.own;
  if (own !== undefined && await differ(checkpoint, own, sources.get("embed.W_E")!.from)) {
    onNote(headIsOwn(checkpoint.path, own));
  }
  return tensors;
}

/** One weight over its place. */
function placed(name: string, { values, row }: Place, source: Source, sizes: AxisSizes): Tensor {
  const [first, ...rest] = axisGroups(source.axes);
  const dim = (axis: string) => ({ name: axis, size: sizes[axis] });
  const dims = [...first, ...rest.flat()].map(dim);
  const at = source.rows?.at, which = at && row ? (i: number) => row(at(i)) : at ?? row;
  let tensor: Tensor;
  if (!which) tensor = stored(name, values, dims);
  else {
    const rows = first.map(dim), count = rows.reduce((n, d) => n * d.size, 1);
    const indices = Int32Array.from({ length: count }, (_, i) => which(i));
    if (indices.every((row, i) => row === indices[0] + i)) {
      // Rows that lie together begin at another place.
      const width = rest.flat().reduce((n, axis) => n * sizes[axis], STORED_BYTES[values.type]);
      tensor = stored(name, { ...values, offset: values.offset + indices[0] * width }, dims);
    } else {
      const all = { name: "row", size: source.rows?.of ?? count };
      const table = stored(name, values, [all, ...rest.flat().map(dim)]);
      tensor = table.gather("row", param("rows", indices, rows));
    }
  }
  if (source.part !== undefined) tensor = tensor.select("part", source.part);
  if (source.scale !== undefined && source.scale !== 1) tensor = tensor.mul(source.scale);
  return source.add ? tensor.add(source.add) : tensor;
}

/** Whether two tensors of a file hold other values. */
async function differ(checkpoint: Checkpoint, a: string, b: string): Promise<boolean> {
  const values = await checkpoint.read(a), others = await checkpoint.read(b);
  return values.length !== others.length || values.some((x, i) => x !== others[i]);
}
