/**
 * Named dimensions. Every tensor knows the name of each of its dimensions, and every operation aligns its
 * operands by name, never by place. A size is a number, or the name of a symbol ("batch", "pos") that gets
 * its value when a graph is compiled.
 */

/** A number, or a symbol that is bound to a number at compile time. */
export type Size = number | string;

/** One named dimension, such as `{ name: "head", size: 8 }` or `{ name: "key", size: "pos" }`. */
export interface Dim {
  /** Such as "d_model". */
  readonly name: string;
  /** A number, or a symbol that a run binds. */
  readonly size: Size;
}

/** The size of a dimension that was added by `expand` and takes the size of whatever it meets. */
export const ANY = "*";

export type Sizes = Readonly<Record<string, number>>;

/** `[batch, pos, d_model 64]`: names, with the sizes that are known. */
export function describe(dims: readonly Dim[]): string {
  return `[${dims.map((d) => d.size === d.name ? d.name : `${d.name} ${d.size}`).join(", ")}]`;
}

export function names(dims: readonly Dim[]): string[] {
  return dims.map((d) => d.name);
}

export function find(dims: readonly Dim[], name: string): Dim | undefined {
  return dims.find((d) => d.name === name);
}

export function has(dims: readonly Dim[], name: string): boolean {
  return dims.some((d) => d.name === name);
}

export function without(dims: readonly Dim[], dropped: readonly string[]): Dim[] {
  return dims.filter((d) => !dropped.includes(d.name));
}

/** An error that names the operation, the operands' dims, and what was expected. */
export function shapeError(
  operation: string,
  operands: readonly (readonly Dim[])[],
  expected: string,
): Error {
  return new Error(`${operation}: got ${operands.map(describe).join(" and ")}; expected ${expected}`);
}

/** Every name that `a` and `b` share must have one size; a size of {@linkcode ANY} takes the other's. */
export function unify(operation: string, a: readonly Dim[], b: readonly Dim[]): Dim[] {
  const result = a.map((dim) => {
    const other = find(b, dim.name);
    if (!other || other.size === dim.size || other.size === ANY) return dim;
    if (dim.size === ANY) return other;
    throw shapeError(operation, [a, b], `one size for "${dim.name}", not ${dim.size} and ${other.size}`);
  });
  return [...result, ...b.filter((dim) => !has(a, dim.name))];
}

/** The number behind a size, once symbols are bound. */
export function resolve(dim: Dim, sizes: Sizes): number {
  if (typeof dim.size === "number") return dim.size;
  if (dim.size === ANY) {
    throw new Error(
      `dimension "${dim.name}" was added by expand() and never met a tensor that has it; ` +
        `give its size: expand("${dim.name}", size)`,
    );
  }
  const size = sizes[dim.size];
  if (size === undefined) throw new Error(`the size of dimension "${dim.name}" (${dim.size}) is not bound`);
  return size;
}

export function shapeOf(dims: readonly Dim[], sizes: Sizes): number[] {
  return dims.map((d) => resolve(d, sizes));
}

export function product(values: readonly number[]): number {
  return values.reduce((a, b) => a * b, 1);
}
