/**
 * The shape rules: each function checks the dims of its operands and returns the view of a new node.
 *
 * A broadcast dimension is carried in the view's dims and never in the node's, so `expand` costs nothing, and whatever is
 * done to a broadcast tensor is done once, not once for each element of the dimension.
 */
import { ANY, describe, type Dim, find, has, names, shapeError, type Size, unify, without } from "./dims.ts";
import type { BinaryKind, CompareKind, DType, Node, Op, ReduceKind, View } from "./node.ts";

export function view(op: Op, inputs: readonly Node[], own: readonly Dim[], dtype: DType, dims = own): View {
  return { node: { op, inputs, dims: own, dtype }, dims };
}

export function mustHave(operation: string, t: View, name: string): Dim {
  const dim = find(t.dims, name);
  if (!dim) throw shapeError(operation, [t.dims], `a dimension named "${name}"`);
  return dim;
}

/** A view whose node really has `name` in memory, for the operations that must walk along it. */
export function materialise(operation: string, t: View, name: string): View {
  const dim = mustHave(operation, t, name);
  if (has(t.node.dims, name)) return t;
  if (dim.size === ANY) throw shapeError(operation, [t.dims], `a known size for "${name}"`);
  return view({ kind: "expand" }, [t.node], [...t.node.dims, dim], t.node.dtype, t.dims);
}

export function constant(value: number, dtype: DType = "float32"): View {
  return view({ kind: "constant", value }, [], [], dtype);
}

/** A number takes the type of the tensor that it meets. @throws for a fraction that meets whole numbers. */
export function operand(operation: string, t: View | number, other: View | number): View {
  if (typeof t !== "number") return t;
  if (typeof other === "number" || other.node.dtype === "float32") return constant(t);
  if (Number.isInteger(t)) return constant(t, "int32");
  throw new Error(
    `${operation}: got ${t} for whole numbers ${describe(other.dims)}; expected a whole number`,
  );
}

function oneType(operation: string, a: View, b: View): DType {
  if (a.node.dtype === b.node.dtype) return a.node.dtype;
  throw new Error(
    `${operation}: got ${describe(a.dims)} of ${a.node.dtype} and ${describe(b.dims)} of ${b.node.dtype}; ` +
      `expected one type`,
  );
}

function union(operation: string, a: View, b: View): { own: Dim[]; dims: Dim[] } {
  const inA = a.dims.every((d) => has(b.dims, d.name));
  const inB = b.dims.every((d) => has(a.dims, d.name));
  if (!inA && !inB) {
    throw shapeError(
      operation,
      [a.dims, b.dims],
      "the dims of one to be among those of the other (see expand)",
    );
  }
  const dims = inB ? unify(operation, a.dims, b.dims) : unify(operation, b.dims, a.dims);
  const [wide, narrow] = a.node.dims.length >= b.node.dims.length ? [a, b] : [b, a];
  return { own: unify(operation, wide.node.dims, narrow.node.dims), dims };
}

export function binary(op: BinaryKind, a: View, b: View): View {
  const { own, dims } = union(op.toLowerCase(), a, b);
  return view({ kind: "binary", op }, [a.node, b.node], own, oneType(op.toLowerCase(), a, b), dims);
}

/** `a op b ? then : otherwise`, element by element. */
export function where(op: CompareKind, a: View, b: View, then: View, otherwise: View): View {
  const parts = [a, b, then, otherwise];
  let own: Dim[] = [], dims: Dim[] = [];
  for (const part of [...parts].sort((x, y) => y.node.dims.length - x.node.dims.length)) {
    own = unify("where", own, part.node.dims);
  }
  for (const part of [...parts].sort((x, y) => y.dims.length - x.dims.length)) {
    dims = unify("where", dims, part.dims);
  }
  oneType("where: the compared values", a, b);
  const dtype = oneType("where: the chosen values", then, otherwise);
  return view({ kind: "where", op }, parts.map((p) => p.node), own, dtype, dims);
}

/** Σ over the dims `over` of a · b. Other dims that both have are matched; the result has all that remain. */
export function contract(a: View, b: View, over: readonly string[]): View {
  const operation = `dot over ${over.join(", ")}`;
  let times = 1;
  for (const name of over) {
    const [da, db] = [mustHave(operation, a, name), mustHave(operation, b, name)];
    const [inA, inB] = [has(a.node.dims, name), has(b.node.dims, name)];
    if (!inA && !inB) {
      if (typeof da.size !== "number") {
        throw shapeError(operation, [a.dims, b.dims], `a known size for "${name}"`);
      }
      times *= da.size;
    } else if (!inA) b = reduce("ReduceSum", b, [name]);
    else if (!inB) a = reduce("ReduceSum", a, [name]);
    unify(operation, [da], [db]);
  }
  const left = over.filter((n) => has(a.node.dims, n) && has(b.node.dims, n));
  const dims = without(unify(operation, a.dims, b.dims), over);
  let result: View;
  if (left.length === 0) {
    result = binary("Mul", { node: a.node, dims }, { node: b.node, dims });
  } else {
    const own = without(unify(operation, a.node.dims, b.node.dims), left);
    result = view({ kind: "contract", over: left }, [a.node, b.node], own, "float32", dims);
  }
  return times === 1 ? result : binary("Mul", result, constant(times));
}

export function reduce(op: ReduceKind, t: View, over: readonly string[]): View {
  for (const name of over) {
    const dim = mustHave(op, t, name);
    if (name === "batch" || dim.size === "batch") {
      throw new Error(
        `${op} over "batch": a run is split into batches, so this would mix up what stands in one batch; reduce in the rows instead`,
      );
    }
  }
  const missing = over.filter((name) => !has(t.node.dims, name));
  const dims = without(t.dims, over);
  let x: View = t;
  if (missing.length > 0 && op !== "ReduceMean" && op !== "ReduceMax") {
    for (const name of missing) x = materialise(op, x, name);
  }
  const own = over.filter((name) => has(x.node.dims, name));
  if (own.length === 0) return { node: x.node, dims };
  return view({ kind: "reduce", op, over: own }, [x.node], without(x.node.dims, own), t.node.dtype, dims);
}

/** Nodes that keep every dim: elementwise of one operand, or along a dim that must really be there. */
export function along(op: Op, t: View, extra: readonly Node[] = [], over?: string): View {
  const x = over === undefined ? t : materialise(op.kind, t, over);
  return view(op, [x.node, ...extra], x.node.dims, x.node.dtype, t.dims);
}

export function rename(t: View, map: Readonly<Record<string, string>>): View {
  for (const name of Object.keys(map)) mustHave("rename", t, name);
  const apply = (dims: readonly Dim[]) => dims.map((d) => ({ name: map[d.name] ?? d.name, size: d.size }));
  const dims = apply(t.dims);
  if (new Set(names(dims)).size < dims.length) {
    throw shapeError("rename", [t.dims], "different names afterwards");
  }
  const from = names(t.node.dims).filter((n) => n in map);
  if (from.length === 0) return { node: t.node, dims };
  const op: Op = { kind: "rename", from, to: from.map((n) => map[n]) };
  return view(op, [t.node], apply(t.node.dims), t.node.dtype, dims);
}

export function expand(t: View, name: string, size: Size = ANY): View {
  if (has(t.dims, name)) throw shapeError("expand", [t.dims], `no dimension named "${name}" yet`);
  return { node: t.node, dims: [...t.dims, { name, size }] };
}

export function order(t: View, wanted: readonly string[]): View {
  if (wanted.length !== t.dims.length || !wanted.every((n) => has(t.dims, n))) {
    throw shapeError("order", [t.dims], `the same names as [${wanted.join(", ")}]`);
  }
  return { node: t.node, dims: wanted.map((n) => find(t.dims, n)!) };
}

/** Drops `over`, keeping the slice at `index`; or keeps `start … end - 1` of it. */
export function select(t: View, over: string, index: number): View {
  checkIndex("select", t, over, index);
  const dims = without(t.dims, [over]);
  if (!has(t.node.dims, over)) return { node: t.node, dims };
  return view({ kind: "select", over, index }, [t.node], without(t.node.dims, [over]), t.node.dtype, dims);
}

export function slice(t: View, over: string, start: number, end: number): View {
  checkIndex("slice", t, over, start);
  checkIndex("slice", t, over, end - 1);
  const cut = (dims: readonly Dim[]) =>
    dims.map((d) => d.name === over ? { name: over, size: end - start } : d);
  if (!has(t.node.dims, over)) return { node: t.node, dims: cut(t.dims) };
  return view({ kind: "slice", over, start, end }, [t.node], cut(t.node.dims), t.node.dtype, cut(t.dims));
}

function checkIndex(operation: string, t: View, over: string, index: number): void {
  const { size } = mustHave(operation, t, over);
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
    own = unify("stack", own, part.node.dims);
    dims = unify("stack", dims, part.dims);
  }
  if (has(dims, over)) throw shapeError("stack", [dims], `no dimension named "${over}" yet`);
  const added = { name: over, size: parts.length };
  return view(
    { kind: "stack", over },
    parts.map((p) => p.node),
    [...own.slice(0, -1), added, ...own.slice(-1)], // before the last: whole rows are copied, not single values
    first.node.dtype,
    [...dims, added],
  );
}

/** Joins tensors along a dimension that all of them have, with a known size. */
export function concat(parts: readonly View[], over: string): View {
  if (parts.length === 0) throw new Error(`concat along "${over}": got no tensors; expected at least one`);
  const full = parts.map((p) => materialise("concat", p, over));
  let size = 0, own: Dim[] = [], dims: Dim[] = [];
  for (const part of full) {
    const dim = find(part.dims, over)!;
    if (typeof dim.size !== "number") throw shapeError("concat", [part.dims], `a known size for "${over}"`);
    size += dim.size;
    own = unify("concat", own, without(part.node.dims, [over]));
    dims = unify("concat", dims, without(part.dims, [over]));
  }
  const added = { name: over, size };
  return view({ kind: "concat", over }, full.map((p) => p.node), [...own, added], parts[0].node.dtype, [
    ...dims,
    added,
  ]);
}

/** One slice of `table` along `over` for each index. */
export function gather(table: View, over: string, indices: View): View {
  const full = materialise("gather", table, over);
  const [rest, dims] = [without(full.node.dims, [over]), without(table.dims, [over])];
  const clash = rest.find((d) => has(indices.dims, d.name));
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

/** One element along `over` for each index; indices have dims of `values` other than `over`, and may add none. */
export function pick(values: View, over: string, indices: View): View {
  const full = materialise("pick", values, over);
  const dims = without(values.dims, [over]);
  if (!indices.dims.every((d) => has(dims, d.name))) {
    throw shapeError(
      "pick",
      [values.dims, indices.dims],
      `indices with dims among those of the values, without "${over}"`,
    );
  }
  return view(
    { kind: "pick", over },
    [full.node, indices.node],
    without(full.node.dims, [over]),
    full.node.dtype,
    dims,
  );
}

export function topK<T>(t: View, over: string, k: number, wrap: (v: View) => T): { values: T; indices: T } {
  const full = materialise("topK", t, over);
  const { size } = mustHave("topK", t, over);
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
  mustHave("prefix", t, over);
  const cut = (dims: readonly Dim[]) => dims.map((d) => d.name === over ? { name: over, size } : d);
  return view(
    { kind: "prefix", over, size },
    [materialise("prefix", t, over).node],
    cut(t.node.dims),
    t.node.dtype,
    cut(t.dims),
  );
}
