/**
 * Lowers what is computed from values that lie in a file. Parts are taken of them as they lie there and only
 * these become float32; a weight that is large as float32 becomes so in blocks, so that a run holds one block
 * and not the whole (the unembedding of Llama-3.2-1B: 1.05 GB). With few rows of activations, blocks are as
 * small as the processor's caches: a block is then read as float32 where it was just written, and not from
 * memory.
 */
import { has, names, product, without } from "./dims.ts";
import type { Graph, Value } from "./graph.ts";
import { lowerContract } from "./lower_contract.ts";
import { placesOf, takePart } from "./lower_part.ts";
import { type Node, type ReduceKind, STORED_BYTES, type StoredType, type StoredValues } from "./node.ts";

/**
 * Float32 bytes of the largest block, and of one for up to so many rows of activations: more rows take so
 * long that reading the weight does not count, and each block is a step (tests/bench/results.md).
 */
const BLOCK_BYTES = 128 * 2 ** 20, SMALL_BLOCK = 4 * 2 ** 20, FEW_ROWS = 64;

export type Raw = Value & { type: StoredType };

/** Stored values, or a part of them that is taken before they are read; undefined for all else. */
export function rawPart(graph: Graph, node: Node, valueOf: (node: Node) => Value): Raw | undefined {
  const { op, inputs: [table, index], dims } = node;
  switch (op.kind) {
    case "stored":
      return graph.stored(op.values, dims);
    case "gather": {
      const raw = rawPart(graph, table, valueOf);
      if (!raw) return undefined;
      const axis = names(raw.dims).indexOf(op.over);
      const indices = graph.arrange(valueOf(index), names(index.dims));
      const from = [...raw.dims.slice(0, axis), ...index.dims, ...raw.dims.slice(axis + 1)];
      const value = graph.value("", from, "float32");
      const bytes = [STORED_BYTES[raw.type] * product(value.shape)];
      const [name] = graph.emit("Gather", [raw.name, indices.name], bytes, { axis });
      return { ...value, name, type: raw.type };
    }
    case "select":
    case "slice":
    case "prefix": {
      const { start } = placesOf(graph, op, node);
      if (table.op.kind === "stored" && table.dims[0].name === op.over) {
        const row = table.dims.slice(1).map((d) => graph.size(d));
        return graph.stored(rowsFrom(table.op.values, start, row), dims);
      }
      const raw = rawPart(graph, table, valueOf);
      return raw && { ...takePart(graph, op, node, raw, STORED_BYTES[raw.type]), type: raw.type };
    }
  }
}

/** Values from row `first` on. */
function rowsFrom(values: StoredValues, first: number, row: readonly number[]): StoredValues {
  return { ...values, offset: values.offset + first * product(row) * STORED_BYTES[values.type] };
}

/** The blocks of rows of a stored weight that is too large to be read at once; undefined for all else. */
function* blocks(graph: Graph, node: Node, bytes = BLOCK_BYTES): Generator<Value> {
  if (node.op.kind !== "stored") return;
  const [rows, ...row] = node.dims.map((d) => graph.size(d));
  const each = Math.max(1, Math.floor(bytes / (4 * product(row))));
  for (let start = 0; start < rows; start += each) {
    const dims = [{ ...node.dims[0], size: Math.min(each, rows - start) }, ...node.dims.slice(1)];
    yield graph.read(graph.stored(rowsFrom(node.op.values, start, row), dims));
  }
}

/** Whether a node is a stored weight of more bytes, as float32. */
function isLarge(graph: Graph, { op, dims }: Node, bytes = BLOCK_BYTES): boolean {
  return op.kind === "stored" && 4 * product(dims.map((d) => graph.size(d))) > bytes;
}

/**
 * Of a product with a stored weight that is too large to be read at once, and whose first dim is none that is
 * summed or shared: which operand the weight is, and the bytes of a block; else undefined.
 */
export function inBlocks(graph: Graph, { op, inputs }: Node): { at: number; bytes: number } | undefined {
  const at = inputs.findIndex((input) => input.op.kind === "stored");
  if (op.kind !== "contract" || at < 0) return undefined;
  const [first] = inputs[at].dims, { dims } = inputs[1 - at];
  if (op.over.includes(first.name) || has(dims, first.name)) return undefined;
  const rows = product(without(dims, op.over).map((d) => graph.size(d)));
  const bytes = rows > FEW_ROWS ? BLOCK_BYTES : SMALL_BLOCK;
  return isLarge(graph, inputs[at], bytes) ? { at, bytes } : undefined;
}

/** x · W block by block; undefined where `inBlocks` is. */
export function productInBlocks(
  graph: Graph,
  node: Node,
  valueOf: (node: Node) => Value,
): Value | undefined {
  const { op, inputs } = node, found = inBlocks(graph, node);
  if (!found || op.kind !== "contract") return undefined;
  const W = inputs[found.at], x = valueOf(inputs[1 - found.at]);
  const parts = [...blocks(graph, W, found.bytes)].map((block) => lowerContract(graph, x, block, op.over));
  return joined(graph, W, parts);
}

/** What was made of the blocks of W, side by side along its first dim. */
function joined(graph: Graph, { dims: [first] }: Node, parts: readonly Value[]): Value {
  const axis = names(parts[0].dims).indexOf(first.name);
  const result = graph.value("", parts[0].dims.map((d) => d.name === first.name ? first : d), "float32");
  const [name] = graph.emit("Concat", parts.map((part) => part.name), [4 * product(result.shape)], { axis });
  return { ...result, name };
}

/** A sum, mean, or largest of a large stored weight, block by block; else undefined. */
export function reduceInBlocks(
  graph: Graph,
  op: ReduceKind,
  W: Node,
  over: readonly string[],
): Value | undefined {
  if (!isLarge(graph, W)) return undefined;
  const acrossBlocks = over.includes(W.dims[0].name);
  // A mean of means weighs the last block, which is shorter, too much.
  const each = op === "ReduceMean" && acrossBlocks ? "ReduceSum" : op;
  const axes = graph.constant(W.dims.flatMap((d, i) => over.includes(d.name) ? [i] : []));
  const parts = [...blocks(graph, W)].map((block) => {
    const part = graph.value("", without(block.dims, over), "float32");
    const bytes = [4 * product(part.shape)];
    return { ...part, name: graph.emit(each, [block.name, axes], bytes, { keepdims: 0 })[0] };
  });
  if (!acrossBlocks) return joined(graph, W, parts);
  const [first, ...rest] = parts, bytes = [4 * product(first.shape)];
  const both = op === "ReduceMax" ? "Max" : "Add";
  const all = rest.reduce((sum, { name }) => graph.emit(both, [sum, name], bytes)[0], first.name);
  if (each === op) return { ...first, name: all };
  const count = product(W.dims.filter((d) => over.includes(d.name)).map((d) => graph.size(d)));
  return { ...first, name: graph.emit("Div", [all, graph.constant([count], "float32", [])], bytes)[0] };
}
