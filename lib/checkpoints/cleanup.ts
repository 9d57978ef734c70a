/**
 * cleanup.json: which node of a model is the writer, which nodes clean up after it, and which layers the
 * patched run patches.
 *
 * These are measurements of one model and stand beside its weights, so that no code names a head.
 */
import type { ModelConfig } from "./config.ts";
import { readJsonObject } from "./json_file.ts";
import { quoted } from "./quoted.ts";

/** Which node writes and which clean up, as cleanup.json says. */
export interface Cleanup {
  /** "L0H5" (head 5 of layer 0), "MLP0", "embed" or "pos_embed". */
  writer: string;
  /** The erasing nodes, heads or MLPs, in order of layer, each once. */
  cleaners: string[];
  /** Layers whose V input loses the writer's output in the patched run, ascending. */
  patchedLayers: number[];
  /** How this was found, for the reader. */
  source: string;
}

/** Layer at which a node stands, with heads before the MLP of their layer; -1 for the embeddings. */
function parseNode(name: unknown): { layer: number; head?: number } | undefined {
  if (name === "embed" || name === "pos_embed") return { layer: -1 };
  const head = /^L(0|[1-9]\d*)H(0|[1-9]\d*)$/.exec(String(name));
  if (head) return { layer: Number(head[1]), head: Number(head[2]) };
  const mlp = /^MLP(0|[1-9]\d*)$/.exec(String(name));
  return mlp ? { layer: Number(mlp[1]) } : undefined;
}

/**
 * Checks a parsed cleanup.json against the model it belongs to. @throws naming the entry that does not fit.
 */
export function parseCleanup(
  json: Record<string, unknown>,
  config: ModelConfig,
  source = "cleanup.json",
): Cleanup {
  const refuse = (what: string): never => {
    throw new Error(`${source}: ${what}`);
  };
  const node = (value: unknown, key: string) => {
    const parsed = typeof value === "string" ? parseNode(value) : undefined;
    if (!parsed) {
      return refuse(`"${key}" has ${quoted(value)}; a node such as "L0H5" or "MLP0" was expected.`);
    }
    if (parsed.layer >= config.n_layers || (parsed.head ?? 0) >= config.n_heads) {
      return refuse(
        `${value} does not exist: the model has ${config.n_layers} layers of ${config.n_heads} heads.`,
      );
    }
    if (config.attn_only && parsed.layer >= 0 && parsed.head === undefined) {
      return refuse(`${value} does not exist: the model has no MLPs.`);
    }
    return parsed;
  };
  const { writer, cleaners, patchedLayers } = json;
  const writes = node(writer, "writer");
  if (!Array.isArray(cleaners) || cleaners.length === 0) {
    return refuse(`"cleaners" must be a list of at least one node.`);
  }
  // A head does not see what heads of its own layer write; the MLP of that layer does.
  const order = (n: { layer: number; head?: number }) =>
    n.layer < 0 ? -1 : 2 * n.layer + (n.head === undefined ? 1 : 0);
  for (const cleaner of cleaners) {
    if (order(node(cleaner, "cleaners")) <= order(writes)) {
      refuse(
        `cleaner ${cleaner} does not come after the writer ${writer}, so it cannot read what that writes.`,
      );
    }
  }
  if (new Set(cleaners).size !== cleaners.length) {
    refuse(`"cleaners" names a node twice: ${quoted(cleaners)}.`);
  }
  if (!Array.isArray(patchedLayers) || patchedLayers.length === 0) {
    return refuse(`"patchedLayers" must be a list of at least one layer.`);
  }
  for (const [i, layer] of patchedLayers.entries()) {
    if (!Number.isInteger(layer) || layer <= writes.layer || layer >= config.n_layers) {
      refuse(
        `"patchedLayers" has ${quoted(layer)}; layers ${writes.layer + 1} to ${
          config.n_layers - 1
        } can be patched.`,
      );
    }
    if (i > 0 && layer <= patchedLayers[i - 1]) {
      refuse(`"patchedLayers" must ascend: ${quoted(patchedLayers)}.`);
    }
  }
  if (typeof json.source !== "string") {
    refuse(`"source" must say how the writer and its cleaners were found.`);
  }
  return {
    writer: writer as string,
    cleaners: [...cleaners].sort((a, b) => order(parseNode(a)!) - order(parseNode(b)!)),
    patchedLayers: [...patchedLayers],
    source: json.source as string,
  };
}

/** Reads and checks a cleanup.json. */
export async function readCleanup(path: string, config: ModelConfig): Promise<Cleanup> {
  return parseCleanup(await readJsonObject(path), config, path);
}
