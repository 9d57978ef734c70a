/**
 * The fused layers: what ONNX Runtime computes in one pass and would cost several if it were spelt out.
 * LayerNormalization (opset 17), RMSNormalization (opset 23) and Attention (opset 23).
 */
import { along, materialise, mustHave, view } from "./build.ts";
import { type Dim, find, has, names, shapeError, unify, without } from "./dims.ts";
import { memo } from "./memo.ts";
import type { Node } from "./node.ts";
import { param, Tensor } from "./tensor.ts";

const unit = memo((size: number) => new Float32Array(size).fill(1));

/**
 * (x - mean(x)) / scale over one dimension, with scale = √(mean((x - mean)²) + eps), then · weight + bias
 * where given. `scale` has the dims of x without `over`.
 */
export function layerNorm(
  x: Tensor,
  over: string,
  eps: number,
  affine: { weight?: Tensor; bias?: Tensor } = {},
): { normalized: Tensor; scale: Tensor } {
  const dim = mustHave("layerNorm", x, over);
  if (typeof dim.size !== "number") throw shapeError("layerNorm", [x.dims], `a known size for "${over}"`);
  const weight = affine.weight ?? param("ones", unit(dim.size), [dim]);
  const extra = [weight, ...(affine.bias ? [affine.bias] : [])].map((t) => perFeature("layerNorm", t, dim));
  const full = materialise("layerNorm", x, over);
  const scaleDims = without(full.node.dims, [over]);
  const inverse = view(
    { kind: "layerNorm", over, eps, output: 2 },
    [full.node, param("ones", unit(dim.size), [dim]).node],
    scaleDims,
    "float32",
    without(x.dims, [over]),
  );
  return {
    normalized: new Tensor(along({ kind: "layerNorm", over, eps, output: 0 }, x, extra, over)),
    scale: new Tensor(inverse).reciprocal(),
  };
}

/** The node of a weight or bias [over], which must lie in memory as such. */
function perFeature(operation: string, t: Tensor, dim: Dim): Node {
  if (t.dims.length !== 1 || t.dims[0].name !== dim.name) {
    throw shapeError(`${operation}: weight or bias`, [t.dims], `[${dim.name} ${dim.size}]`);
  }
  const [sized] = unify(operation, t.dims, [dim]);
  return materialise(operation, { node: t.node, dims: [sized] }, dim.name).node;
}

/** x / √(mean(x²) + eps) over one dimension, then · weight where given. */
export function rmsNorm(x: Tensor, over: string, eps: number, weight?: Tensor): Tensor {
  const dim = mustHave("rmsNorm", x, over);
  if (typeof dim.size !== "number") throw shapeError("rmsNorm", [x.dims], `a known size for "${over}"`);
  const scale = weight ?? param("ones", unit(dim.size), [dim]);
  return new Tensor(along({ kind: "rmsNorm", over, eps }, x, [perFeature("rmsNorm", scale, dim)], over));
}

/** What changes the scores of {@linkcode attention}. */
export interface AttentionOptions {
  /** Each position sees that many alone, its own and those just before it. Default: all before. */
  window?: number;
  /** A score s becomes softCap · tanh(s / softCap) before the mask. Default: it stays. */
  softCap?: number;
}

/**
 * softmax(scale · q kᵀ) v with a causal mask, for each head: the pattern is never written out.
 * q [batch, pos, head, d_head], k and v [batch, pos, kv head or head, d_head] → [batch, pos, head, d_head].
 * Heads that share keys and values (grouped-query attention): the count of q's heads is a multiple of k's.
 */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  scale: number,
  { window, softCap }: AttentionOptions = {},
): Tensor {
  if (window !== undefined && !(Number.isInteger(window) && window > 0)) {
    throw new Error(`attention: got a window of ${window}; expected a whole number of at least 1`);
  }
  const wanted = ["batch", "pos", "head", "d_head"];
  for (const [name, t] of Object.entries({ q, k, v })) {
    if (t.dims.length !== 4 || !wanted.every((n) => has(t.dims, n))) {
      throw shapeError(`attention: ${name}`, [t.dims], `dims [${wanted.join(", ")}]`);
    }
  }
  const full = [q, k, v].map((t) =>
    wanted.reduce(
      (x, n) => materialise("attention", x, n),
      t as { node: Tensor["node"]; dims: Tensor["dims"] },
    )
  );
  const size = (t: { dims: Tensor["dims"] }, name: string) => find(t.dims, name)!;
  for (const other of full.slice(1)) {
    const same = other === full[1] ? ["head"] : ["head", "d_head"]; // values may be wider than keys
    unify("attention", without(full[0].dims, same.slice(0, 1)), without(other.dims, same));
  }
  const [heads, kvHeads, vHeads] = full.map((t) => Number(size(t, "head").size));
  if (!(heads % kvHeads === 0 && kvHeads === vHeads)) {
    const expected = "as many heads in v as in k, and a multiple of that in q";
    throw shapeError("attention", full.map((t) => t.dims), expected);
  }
  const dims = wanted.map((n) => n === "d_head" ? size(full[2], n) : size(full[0], n));
  return new Tensor(
    view(
      {
        kind: "attention",
        scale,
        ...(window === undefined ? {} : { window }),
        ...(softCap === undefined ? {} : { softCap }),
      },
      full.map((t) => t.node),
      dims,
      "float32",
    ),
  ).order(...names(dims));
}
