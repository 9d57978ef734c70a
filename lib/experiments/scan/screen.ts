/**
 * The first pass of a scan: what is left at the end of the stream of what each node writes, of all nodes, on
 * the first half of the prompts. The control is one run a layer: of prompt i, the output of head i (mod
 * heads) is rotated; an MLP and an embedding have one each. It says what happens to what is written in that
 * layer, whatever it says. Each examined writer gets controls of its own later on.
 */
import type { ModelConfig } from "../../checkpoints/mod.ts";
import { atPositions } from "../../metrics/retention.ts";
import { rotated, rotation } from "../../metrics/rotation.ts";
import { NdArray } from "../../tensor/nd_array.ts";
import type { Feeds, RunOptions } from "../../tensor/run.ts";
import { input, type Tensor } from "../../tensor/tensor.ts";
import type { Forward } from "../../transformer/forward.ts";
import type { Model } from "../../transformer/model.ts";
import { headName, type ModelNode, modelNodes } from "../../transformer/nodes.ts";
import { BLOCKS, RemovalStats, removalStats } from "../retention/removal_stats.ts";
import { measureRemovals, type Removal, shapeOfRemoval } from "../retention/removals.ts";
import { addSizes, emptySizes, type Sizes, sizesOf } from "../retention/sizes.ts";
import type { Entry, Keeping, OnPass, Part, Share, Sums } from "../retention/sums.ts";

/** What the first pass says of one node. */
export interface ScreenedNode {
  /** The node's name. */
  name: string;
  /** What kind of node it is. */
  kind: "embed" | "head" | "mlp";
  /** From 0; of embeddings -1. */
  layer: number;
  /** Mean length of its output, as a part of the stream's just after the write. */
  share: number;
  /** Retention at the end of the stream: median and quartiles over tokens. */
  left: number;
  /** Lower quartile over tokens. */
  low: number;
  /** Upper quartile over tokens. */
  high: number;
  /** What is left of the layer's control, and control − left. */
  control: number;
  /** The layer's control − left. */
  specific: number;
  /** Of a head: what is left of the other heads of its layer: smallest, median and largest. */
  peers?: readonly [low: number, median: number, high: number];
}

/**
 * What is left at the end of what is written in one layer, whatever it says: median and quartiles of its
 * control.
 */
export interface LayerContraction {
  /** From 0; of embeddings -1. */
  layer: number;
  /** What kind of node it is. */
  kind: ScreenedNode["kind"];
  /** Median retention of the layer's control at the end of the stream. */
  left: number;
  /** Lower quartile over tokens. */
  low: number;
  /** Upper quartile over tokens. */
  high: number;
}

/** The first pass, as numbers. */
export interface ScreenResult {
  /** All nodes, in the model's order. */
  nodes: ScreenedNode[];
  /** What happens to anything that is written in each layer. */
  layers: LayerContraction[];
  /**
   * Response (ratio of sums) of each later node to each writer: [writer][node], in the order of `modelNodes`;
   * 0 before the write.
   */
  responses: { writers: string[]; nodes: string[]; ratios: number[][] };
}

/**
 * Blocks of prompts that are kept of a node: enough for the interval of a layer's nodes together, and a
 * quarter of a control's, since nodes are many.
 */
export const NODE_BLOCKS = 16;
/** @param count prompts of all shares */
const nodeBlocks = (count: number) => Math.min(NODE_BLOCKS, count);

/** Names the control that a node is read beside. */
export function controlKey(node: ModelNode): string {
  return node.kind === "head" ? `control heads ${node.layer}` : `control ${node.name}`;
}

/** Which head's output is rotated, by prompt: [batch, head], 1 for that head. */
function turns({ n_heads }: ModelConfig, { prompts, first }: Pick<Share, "prompts" | "first">): NdArray {
  const data = new Float32Array(prompts.count * n_heads);
  for (let i = 0; i < prompts.count; i++) data[i * n_heads + (first + i) % n_heads] = 1;
  return new NdArray(data, ["batch", "head"], [prompts.count, n_heads]);
}

/** One output of a layer's heads for each prompt: [batch, pos, d_model]. */
function oneHead(clean: Forward, layer: number): Tensor {
  const { n_heads } = clean.config;
  const dims = [{ name: "batch", size: "batch" }, { name: "head", size: n_heads }];
  const turn = input("turn", dims, { dtype: "float32" });
  const all = Array.from(
    { length: n_heads },
    (_, head) => clean.node(headName(layer, head)).mul(turn.select("head", head)),
  );
  return all.reduce((a, b) => a.add(b));
}

/** @param blocks of prompts that are kept of a node */
export function screenRemovals(
  model: Model,
  clean: Forward,
  share: Pick<Share, "prompts" | "first">,
  seed: number,
  blocks: number,
): { removals: Removal[]; feeds: Feeds } {
  const Q = rotation(model.config, seed);
  const removals: Removal[] = [];
  const keys = new Set<string>();
  for (const node of modelNodes(model.config)) {
    const own = clean.node(node.name), key = controlKey(node);
    removals.push({ key: node.name, writer: node.name, delta: atPositions(own), blocks });
    if (keys.has(key)) continue;
    keys.add(key);
    const written = node.kind === "head" ? oneHead(clean, node.layer) : own;
    removals.push({ key, writer: node.name, delta: atPositions(rotated(written, Q)) });
  }
  return { removals, feeds: { turn: turns(model.config, share) } };
}

/** Names of what a screen measures besides removals. */
const LENGTHS = "sums: lengths";

/** Everything that a screen measures, with nothing in it. @param count prompts of all shares */
export function emptyScreen(config: ModelConfig, count: number): Part {
  const part = new Map<string, Entry>([[LENGTHS, emptySizes(config, namesOf(config))]]);
  const add = (key: string, writer: string, blocks: number) =>
    part.set(key, new RemovalStats(shapeOfRemoval(config, writer, blocks), "end"));
  for (const node of modelNodes(config)) {
    add(node.name, node.name, nodeBlocks(count));
    if (!part.has(controlKey(node))) add(controlKey(node), node.name, Math.min(BLOCKS, count));
  }
  return part;
}

const namesOf = (config: ModelConfig) => modelNodes(config).map(({ name }) => name);

export async function measureScreen(
  model: Model,
  share: Share,
  options: RunOptions & Keeping & { seed: number; onPass?: OnPass },
): Promise<Part> {
  const { seed, done, onMeasured, onPass, ...run } = options;
  const { prompts, first } = share, names = namesOf(model.config);
  const part = new Map<string, Entry>(done);
  const lengths = part.get(LENGTHS) as Sums | undefined ?? emptySizes(model.config, names);
  part.set(LENGTHS, lengths);
  onPass?.("measuring lengths", prompts.count);
  await addSizes(lengths, model, share, names, run, () => onMeasured?.(part));
  onPass?.(`screening ${names.length} nodes`, prompts.count);
  const clean = model.forward();
  const { removals, feeds } = screenRemovals(model, clean, share, seed, nodeBlocks(share.all.count));
  const stats = await measureRemovals(model, prompts, clean, removals, {
    ...run,
    feeds,
    firstPrompt: first,
    blocks: Math.min(BLOCKS, share.all.count),
    kept: "end",
    done: removalStats(part),
    onMeasured: (stats) => onMeasured?.(new Map<string, Entry>([[LENGTHS, lengths], ...stats])),
  });
  return new Map<string, Entry>([[LENGTHS, lengths], ...stats]);
}

/** The first pass, read: what its sums say. */
export interface ScreenReading extends ScreenResult {
  sizes: Sizes;
}

/** @param length tokens of a prompt */
export function readScreen(config: ModelConfig, part: Part, length: number): ScreenReading {
  const sizes = sizesOf(config, namesOf(config), part.get(LENGTHS) as Sums, length);
  const stats = removalStats(part);
  return { sizes, ...tables(config, stats, sizes), responses: responseTable(config, stats) };
}

function tables(
  config: ModelConfig,
  stats: ReadonlyMap<string, RemovalStats>,
  sizes: Sizes,
): Pick<ScreenResult, "nodes" | "layers"> {
  const layers = new Map<string, LayerContraction>();
  const quartiles = (one: RemovalStats) => [0.5, 0.25, 0.75].map((p) => one.end(undefined, p));
  const nodes = modelNodes(config).map((node): ScreenedNode => {
    const { name, kind, layer } = node;
    const [control, controlLow, controlHigh] = quartiles(stats.get(controlKey(node))!);
    layers.set(controlKey(node), { layer, kind, left: control, low: controlLow, high: controlHigh });
    const [left, low, high] = quartiles(stats.get(name)!);
    const { share } = sizes.nodes.get(name)!;
    return { name, kind, layer, share, left, low, high, control, specific: control - left };
  });
  return { nodes: nodes.map((node) => ({ ...node, ...peersOf(node, nodes) })), layers: [...layers.values()] };
}

/** The other heads of a head's layer that write anything. */
function peersOf(node: ScreenedNode, all: readonly ScreenedNode[]): Pick<ScreenedNode, "peers"> {
  if (node.kind !== "head") return {};
  const others = all.filter((n) =>
    n.kind === "head" && n.layer === node.layer && n !== node && Number.isFinite(n.left)
  );
  if (others.length === 0) return {};
  const sorted = others.map((n) => n.left).sort((a, b) => a - b);
  const middle = (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
  return { peers: [sorted[0], middle, sorted.at(-1)!] };
}

function responseTable(
  config: ModelConfig,
  stats: ReadonlyMap<string, RemovalStats>,
): ScreenResult["responses"] {
  const writers = namesOf(config);
  const ratios = writers.map((writer) => {
    const own = stats.get(writer)!;
    const places = new Map(own.shape.nodes.map((name, i) => [name, i]));
    return writers.map((node) => places.has(node) ? own.response(places.get(node)!) : 0);
  });
  return { writers, nodes: writers, ratios };
}
