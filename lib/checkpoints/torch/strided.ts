/**
 * Tensors that are views of a storage: element [i, j, …] lies at storage index offset + i·stride_0 +
 * j·stride_1 + …
 */

/** Where the elements of a tensor lie in its storage, counted in elements. */
export interface StridedView {
  offset: number;
  dims: readonly number[];
  strides: readonly number[];
}

/** Whether the elements lie one after another in row-major order. Strides of dims of 1 do not matter. */
export function isContiguous({ dims, strides }: StridedView): boolean {
  let expected = 1;
  for (let axis = dims.length - 1; axis >= 0; axis--) {
    if (dims[axis] === 0) return true;
    if (dims[axis] !== 1 && strides[axis] !== expected) return false;
    expected *= dims[axis];
  }
  return true;
}

/** Largest storage index that the view touches; −1 for an empty one. */
export function lastIndex({ offset, dims, strides }: StridedView): number {
  if (dims.includes(0)) return -1;
  return dims.reduce((index, dim, axis) => index + (dim - 1) * strides[axis], offset);
}

/** Elements that are read from disk at once. */
const windowElements = 1 << 18;

/**
 * Copies a view into `out`, row-major, through a window that moves over the storage: a transposed tensor is
 * read in the order of the storage, so that each byte is read once and no second copy of it is ever in
 * memory.
 *
 * `load(from, count)` gives the storage's elements [from, from + count).
 */
export async function gather<T extends number | bigint>(
  view: StridedView,
  out: { [index: number]: T },
  load: (from: number, count: number) => Promise<{ readonly [index: number]: T }>,
): Promise<void> {
  const { offset, dims, strides } = view;
  const end = lastIndex(view) + 1;
  if (end === 0) return;
  // Row-major strides of the result, and the axes from the largest storage stride to the smallest.
  const places = dims.map((_, axis) => dims.slice(axis + 1).reduce((product, dim) => product * dim, 1));
  const axes = dims.map((_, axis) => axis).filter((axis) => dims[axis] > 1).sort((a, b) =>
    strides[b] - strides[a]
  );
  const counter = axes.map(() => 0);
  let [from, until] = [0, 0];
  let window: { readonly [index: number]: T } = [];
  let [source, target] = [offset, 0];
  for (;;) {
    if (source < from || source >= until) {
      from = source;
      until = Math.min(end, source + windowElements);
      window = await load(from, until - from);
    }
    out[target] = window[source - from];
    let digit = axes.length - 1;
    for (; digit >= 0; digit--) {
      const axis = axes[digit];
      counter[digit]++;
      source += strides[axis];
      target += places[axis];
      if (counter[digit] < dims[axis]) break;
      source -= strides[axis] * dims[axis];
      target -= places[axis] * dims[axis];
      counter[digit] = 0;
    }
    if (digit < 0) return;
  }
}
