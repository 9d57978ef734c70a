/**
 * What lies in a span, as expressions: Σ over positions 1 and later of ‖P v‖², with P the projection on the
 * span's k directions. Several spans of k directions are one tensor S [span, k, d_model].
 *
 * A reader's input is W x̂ with x̂ the stream through the reader's norm. With the clean run's scale that is
 * linear, so what it takes in from P x is c G c, where c are the coordinates of x in the span over the
 * scale, and G = (S W)(S W)ᵀ is the same for all tokens: no [token, span, d_mlp] is written out.
 */
import { blocks, type Branch, finalNorm } from "../../checkpoints/blocks.ts";
import { outputSize } from "../../checkpoints/config.ts";
import { atPositions } from "../../metrics/retention.ts";
import { concat, type Tensor } from "../../tensor/tensor.ts";
import type { Forward } from "../../transformer/forward.ts";
import { centred } from "../../transformer/normalize.ts";
import { headName, locations, modelNodes } from "../../transformer/nodes.ts";
import type { ReadRow } from "./rows.ts";

/** One reader, in the order in which {@linkcode readers} gives their energies. */
export interface Reader {
  name: string;
  input: ReadRow["input"];
  layer: number;
}

/** Coordinates of v [… d_model] in the spans: [… span, k]. */
const coordinates = (v: Tensor, S: Tensor) => v.dot(S, "d_model");

/** Σ ‖P v‖² of v [batch, pos, …, d_model]: [batch, …, span]. */
function inSpans(v: Tensor, S: Tensor): Tensor {
  return coordinates(atPositions(v), S).sumSquares("pos", "k");
}

/** Σ ‖v‖² of what readers see of v. */
function whole(config: Forward["config"], v: Tensor): Tensor {
  return atPositions(centred(config, v)).sumSquares("pos", "d_model");
}

/** Joins values along a new dim "node", in the order of modelNodes; a layer's heads come together. */
function overNodes(forward: Forward, value: (output: Tensor) => Tensor, ...dims: string[]): Tensor {
  const parts: Tensor[] = [];
  for (const node of modelNodes(forward.config)) {
    if (node.kind !== "head") parts.push(value(forward.node(node.name)).expand("node", 1));
    else if (node.head === 0) parts.push(value(forward.headResults(node.layer)).rename({ head: "node" }));
  }
  return concat(parts.map((part) => part.order("batch", "node", ...dims)), "node");
}

/** Σ ‖P w‖² of what each node writes: [batch, node, span]. */
export const writtenInto = (forward: Forward, S: Tensor): Tensor =>
  overNodes(forward, (w) => inSpans(w, S), "span");

/** Σ ‖w‖² of what each node writes: [batch, node]. */
export const written = (forward: Forward): Tensor => overNodes(forward, (w) => whole(forward.config, w));

/** A value at each location of the stream: [batch, location, …]. */
function overLocations(
  config: Forward["config"],
  value: (hook: string) => Tensor,
  ...dims: string[]
): Tensor {
  const parts = locations(config).map(({ hook }) =>
    value(hook).expand("location", 1).order("batch", "location", ...dims)
  );
  return concat(parts, "location");
}

/**
 * Σ ‖P x‖² of what stands at each location: [batch, location, span]. `minus`: of the difference of two runs.
 */
export function standing(forward: Forward, S: Tensor, minus?: Forward): Tensor {
  const at = (hook: string) => minus ? forward.hook(hook).sub(minus.hook(hook)) : forward.hook(hook);
  return overLocations(forward.config, (hook) => inSpans(at(hook), S), "span");
}

/** Σ ‖x‖² at each location: [batch, location]. */
export const stream = (forward: Forward): Tensor =>
  overLocations(forward.config, (hook) => whole(forward.config, forward.hook(hook)));

/** All that read the stream, in the order of the forward pass; the unembedding last, where there is one. */
export function readers(config: Forward["config"]): Reader[] {
  const all: Reader[] = [];
  for (const { branches } of blocks(config)) {
    for (const branch of branches) {
      const { layer } = branch;
      if (branch.kind === "mlp") all.push({ name: `MLP${layer}`, input: "MLP", layer });
      else {
        for (const input of ["Q", "K", "V"] as const) {
          for (let head = 0; head < config.n_heads; head++) {
            all.push({ name: headName(layer, head), input, layer });
          }
        }
      }
    }
  }
  if (outputSize(config) > 0) all.push({ name: "unembed", input: "unembed", layer: config.n_layers });
  return all;
}

/**
 * For each head: values of kv_head are repeated for the heads that share it. [… head or kv_head] → [… head].
 */
const perHead = (forward: Forward, value: Tensor) => forward.forEachHead(value).rename({ head: "reader" });

/** The inputs of a branch: the weight, and the hook point and bias of what it makes. */
function inputsOf(branch: Branch): { W: string; b: string; made: string }[] {
  const hooks = branch.kind === "attn"
    ? ["q", "k", "v"].map((x) => `${branch.block}.attn.hook_${x}`)
    : ["pre", "pre_linear"].map((x) => `${branch.block}.mlp.hook_${x}`);
  return branch.readers.map(([W, b], i) => ({ W, b, made: hooks[i] }));
}

/**
 * Σ ‖W x̂‖² of all that each reader takes in, biases left out: [batch, reader]. `gram`: see `logitMetric`; of
 * logits without their mean over the vocabulary, which no prediction depends on.
 */
export function taken(forward: Forward, gram: Tensor | undefined): Tensor {
  const parts: Tensor[] = [];
  const energy = (made: Tensor, over: string) => atPositions(made).sumSquares("pos", over);
  for (const { branches } of blocks(forward.config)) {
    for (const branch of branches) {
      const inputs = inputsOf(branch).map(({ b, made }) =>
        energy(forward.hook(made).sub(forward.weight(b)), branch.kind === "attn" ? "d_head" : "d_mlp")
      );
      if (branch.kind === "attn") parts.push(...inputs.map((value) => perHead(forward, value)));
      else parts.push(inputs.reduce((a, b) => a.add(b)).expand("reader", 1));
    }
  }
  if (gram) {
    const x = forward.partThroughNorm(finalNorm(forward.config), end(forward));
    const read = atPositions(x).dot(gram, "d_model").rename({ other: "d_model" });
    parts.push(read.dot(x, "d_model").sum("pos").expand("reader", 1));
  }
  return concat(parts.map((part) => part.order("batch", "reader")), "reader");
}

/** The end of the stream. */
export const end = (forward: Forward): Tensor => forward.hook(locations(forward.config).at(-1)!.hook);

/**
 * Σ ‖W (P x)^‖² of what each reader takes in from the spans, with the clean run's scales: [batch, reader,
 * span]. `content`: the run or the difference of two runs whose stream is read.
 */
export function readFrom(
  clean: Forward,
  S: Tensor,
  content: (hook: string) => Tensor,
  gram: Tensor | undefined,
): Tensor {
  const parts: Tensor[] = [];
  /** Coordinates over the clean scale, and the spans through the norm's weight. */
  const through = (norm: string | undefined, place: string) => {
    const c = coordinates(atPositions(content(place)), S);
    const weight = norm === undefined ? undefined : clean.maybeWeight(`${norm}.w`);
    return {
      c: norm === undefined ? c : c.div(clean.hook(`${norm}.hook_scale`)),
      seen: weight ? S.mul(weight) : S,
    };
  };
  const quadratic = (c: Tensor, G: Tensor) => c.dot(G, "k").rename({ k2: "k" }).dot(c, "k").sum("pos");
  for (const { branches } of blocks(clean.config)) {
    for (const branch of branches) {
      const { c, seen } = through(branch.norm, branch.reads);
      const over = branch.kind === "attn" ? "d_head" : "d_mlp";
      const grams = inputsOf(branch).map(({ W }) => {
        const image = seen.dot(clean.weight(W), "d_model");
        return image.dot(image.rename({ k: "k2" }), over);
      });
      if (branch.kind === "attn") parts.push(...grams.map((G) => perHead(clean, quadratic(c, G))));
      else parts.push(quadratic(c, grams.reduce((a, b) => a.add(b))).expand("reader", 1));
    }
  }
  if (gram) {
    const { c, seen } = through(finalNorm(clean.config), locations(clean.config).at(-1)!.hook);
    const G = seen.dot(gram, "d_model").rename({ other: "d_model" }).dot(seen.rename({ k: "k2" }), "d_model");
    parts.push(quadratic(c, G).expand("reader", 1));
  }
  return concat(parts.map((part) => part.order("batch", "reader", "span")), "reader");
}
