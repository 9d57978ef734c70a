/**
 * The shape rules: each function checks the dims of its operands and returns the view of a new node.
 *
 * A broadcast dimension is carried in the view's dims and never in the node's, so `expand` costs nothing, and
 * whatever is done to a broadcast tensor is done once, not once for each element of the dimension.
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

/**
 * The dimension, when an operation may walk along it. A run is split into batches: what is picked, summed or
 * compared along "batch" would depend on how.
 */
export function within(operation: string, t: View, name: string): Dim {
  const dim = mustHave(operation, t, name);
  if (name !== "batch" && dim.size !== "batch") return dim;
  throw new Error(
    `${operation} over "batch" of ${
      describe(t.dims)
    }: a run is split into batches, so this would mix up what stands in ` +
      `one batch; expected another dimension; do it with the run's results instead`,
  );
}

/** The dims that an operation reduces: at least one, none twice, never "batch". */
function reduced(operation: string, t: View, over: readonly string[]): void {
  if (over.length === 0 || new Set(over).size < over.length) {
    throw shapeError(
      `${operation} over [${over.join(", ")}]`,
      [t.dims],
      "one dimension or several, each once",
    );
  }
  for (const name of over) within(operation, t, name);
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

/** @throws when two dims have one name. */
export function distinct(operation: string, dims: readonly Dim[]): void {
  if (new Set(names(dims)).size < dims.length) throw shapeError(operation, [dims], "each name once");
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

/** The type that both have. @throws when they differ. */
export function oneType(operation: string, a: View, b: View): DType {
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
  for (const t of [a, b]) {
    reduced("dot", t, over);
    if (t.node.dtype !== "float32") {
      throw new Error(`${operation}: got ${describe(t.dims)} of ${t.node.dtype}; expected float32`);
    }
  }
  const all = unify(operation, a.dims, b.dims);
  const dims = without(all, over);
  let times = 1;
  for (const name of over) {
    const [inA, inB] = [has(a.node.dims, name), has(b.node.dims, name)];
    if (inA && inB) continue;
    const { size } = find(all, name)!;
    if (inA) a = reduce("ReduceSum", a, [name]);
    else if (inB) b = reduce("ReduceSum", b, [name]);
    else if (typeof size === "number") times *= size;
    else throw shapeError(operation, [a.dims, b.dims], `a known size for "${name}"`);
  }
  const left = over.filter((n) => has(a.node.dims, n) && has(b.node.dims, n));
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
  reduced(op, t, over);
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
  if (over !== undefined) within(op.kind, t, over);
  const x = over === undefined ? t : materialise(op.kind, t, over);
  return view(op, [x.node, ...extra], x.node.dims, x.node.dtype, t.dims);
}

export function rename(t: View, map: Readonly<Record<string, string>>): View {
  for (const name of Object.keys(map)) within("rename", t, name);
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
  if (
    new Set(wanted).size !== t.dims.length || wanted.length !== t.dims.length ||
    !wanted.every((n) => has(t.dims, n))
  ) {
    throw shapeError("order", [t.dims], `the same names as [${wanted.join(", ")}]`);
  }
  return { node: t.node, dims: wanted.map((n) => find(t.dims, n)!) };
}
