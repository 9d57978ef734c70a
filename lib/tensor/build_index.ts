/**
 * The shape rules of what takes values from tensors or puts tensors together: parts, lookups, joins. See
 * build.ts for the rest.
 */
import { materialise, oneType, view, within } from "./build.ts";
import { ANY, describe, type Dim, has, names, shapeError, unify, without } from "./dims.ts";
import type { View } from "./node.ts";

/** Drops `over`, keeping the slice at `index`; or keeps `start … end - 1` of it. */
export function select(t: View, over: string, index: number): View {
  checkIndex("select", t, over, index);
  const dims = without(t.dims, [over]);
  if (!has(t.node.dims, over)) return { node: t.node, dims };
  return view({ kind: "select", over, index }, [t.node], without(t.node.dims, [over]), t.node.dtype, dims);
}

export function slice(t: View, over: string, start: number, end: number): View {
  if (end === undefined) {
    throw shapeError(`slice ${over} from ${start}`, [t.dims], "an end: (dim, start, end)");
  }
  checkIndex("slice", t, over, start);
  checkIndex("slice", t, over, end - 1);
  if (!(end > start)) throw shapeError(`slice ${over} ${start} … ${end}`, [t.dims], "an end after the start");
  const cut = (dims: readonly Dim[]) =>
    dims.map((d) => d.name === over ? { name: over, size: end - start } : d);
  if (!has(t.node.dims, over)) return { node: t.node, dims: cut(t.dims) };
  return view({ kind: "slice", over, start, end }, [t.node], cut(t.node.dims), t.node.dtype, cut(t.dims));
}

function checkIndex(operation: string, t: View, over: string, index: number): void {
  const { size } = within(operation, t, over);
  if (!Number.isInteger(index) || index < 0 || (typeof size === "number" && index >= size)) {
    throw shapeError(`${operation} ${over} at ${index}`, [t.dims], `an index in 0 … ${size} - 1`);
  }
}

/** Joins tensors of equal dims along a new dimension. */
export function stack(parts: readonly View[], over: string): View {
  if (parts.length === 0) throw new Error(`stack along "${over}": got no tensors; expected at least one`);
  const [first, ...rest] = parts;
  let own = first.node.dims, dims = first.dims;
  for (const part of rest) {
    if (part.dims.length !== dims.length || !part.dims.every((d) => has(dims, d.name))) {
      throw shapeError(`stack along "${over}"`, [first.dims, part.dims], "the same dims in all");
    }
    oneType("stack", first, part);
    own = unify("stack", own, part.node.dims);
    dims = unify("stack", dims, part.dims);
  }
  if (has(dims, over)) throw shapeError("stack", [dims], `no dimension named "${over}" yet`);
  const added = { name: over, size: parts.length };
  return view(
    { kind: "stack", over },
    parts.map((p) => p.node),
    // before the last: whole rows are copied, not single values
    [...own.slice(0, -1), added, ...own.slice(-1)],
    first.node.dtype,
    [...dims, added],
  );
}

/**
 * Joins tensors of equal dims along one of them, which has a known size in all and may differ. It keeps its
 * place.
 */
export function concat(parts: readonly View[], over: string): View {
  if (parts.length === 0) throw new Error(`concat along "${over}": got no tensors; expected at least one`);
  const full = parts.map((p) => materialise("concat", p, over));
  let size = 0, own: Dim[] = [], dims: Dim[] = [];
  const joined = (t: readonly Dim[]) => t.map((d) => d.name === over ? { name: over, size: ANY } : d);
  for (const part of full) {
    const dim = within("concat", part, over);
    if (typeof dim.size !== "number") throw shapeError("concat", [part.dims], `a known size for "${over}"`);
    if (part.dims.length !== parts[0].dims.length || !part.dims.every((d) => has(parts[0].dims, d.name))) {
      throw shapeError(`concat along "${over}"`, [parts[0].dims, part.dims], "the same dims in all");
    }
    oneType("concat", parts[0], part);
    size += dim.size;
    own = unify("concat", own, joined(part.node.dims));
    dims = unify("concat", dims, joined(part.dims));
  }
  const sized = (t: readonly Dim[]) => t.map((d) => d.name === over ? { name: over, size } : d);
  return view(
    { kind: "concat", over },
    full.map((p) => p.node),
    sized(own),
    parts[0].node.dtype,
    sized(dims),
  );
}

/** One slice of `table` along `over` for each index. */
export function gather(table: View, over: string, indices: View): View {
  within("gather", table, over);
  wholeNumbers("gather", indices);
  const full = materialise("gather", table, over);
  const [rest, dims] = [without(full.node.dims, [over]), without(table.dims, [over])];
  const clash = dims.find((d) => has(indices.dims, d.name));
  if (clash) {
    throw shapeError("gather", [table.dims, indices.dims], `no shared dims; "${clash.name}" is in both`);
  }
  return view(
    { kind: "gather", over },
    [full.node, indices.node],
    [...indices.node.dims, ...rest],
    full.node.dtype,
    [...indices.dims, ...dims],
  );
}

/**
 * One element along `over` for each index; indices have dims of `values` other than `over`, and may add none.
 */
export function pick(values: View, over: string, indices: View): View {
  within("pick", values, over);
  wholeNumbers("pick", indices);
  const dims = without(values.dims, [over]);
  if (!indices.dims.every((d) => has(dims, d.name))) {
    throw shapeError(
      "pick",
      [values.dims, indices.dims],
      `indices with dims among those of the values, without "${over}"`,
    );
  }
  unify("pick", dims, indices.dims);
  // Where the values are broadcast and the indices are not, the values are written out.
  const needed = [over, ...names(indices.node.dims)];
  const full = needed.reduce((x, name) => materialise("pick", x, name), values);
  return view(
    { kind: "pick", over },
    [full.node, indices.node],
    without(full.node.dims, [over]),
    full.node.dtype,
    dims,
  );
}

function wholeNumbers(operation: string, indices: View): void {
  if (indices.node.dtype === "int32") return;
  throw new Error(`${operation}: got indices ${describe(indices.dims)} of float32; expected int32`);
}

export function topK<T>(t: View, over: string, k: number, wrap: (v: View) => T): { values: T; indices: T } {
  const full = materialise("topK", t, over);
  const { size } = within("topK", t, over);
  if (!Number.isInteger(k) || k < 1 || (typeof size === "number" && k > size)) {
    throw shapeError(`topK ${k} along "${over}"`, [t.dims], `k in 1 … ${size}`);
  }
  const cut = (dims: readonly Dim[]) => dims.map((d) => d.name === over ? { name: over, size: k } : d);
  const make = (output: 0 | 1) =>
    wrap(
      view(
        { kind: "topK", over, k, output },
        [full.node],
        cut(full.node.dims),
        output ? "int32" : "float32",
        cut(t.dims),
      ),
    );
  return { values: make(0), indices: make(1) };
}

export function prefix(t: View, over: string, size: string): View {
  within("prefix", t, over);
  const cut = (dims: readonly Dim[]) => dims.map((d) => d.name === over ? { name: over, size } : d);
  return view(
    { kind: "prefix", over, size },
    [materialise("prefix", t, over).node],
    cut(t.node.dims),
    t.node.dtype,
    cut(t.dims),
  );
}
