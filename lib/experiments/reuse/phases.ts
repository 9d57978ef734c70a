/** What comes before the write, between it and the last cleaner, and after that. */
import type { ModelConfig } from "../../checkpoints/mod.ts";
import { blockOf } from "../../checkpoints/blocks.ts";
import { readsAfter } from "../../metrics/later_nodes.ts";
import { findNode, locations, type ModelNode } from "../../transformer/nodes.ts";
import type { Phase } from "./rows.ts";

/** The branch that writes a node's output: its hook and the place of the stream it makes. */
function madeBy(config: ModelConfig, node: ModelNode): string | undefined {
  if (node.kind === "embed") return undefined;
  const { branches, residPost } = blockOf(config, node.layer);
  return branches.find((branch) => (branch.kind === "attn") === (node.kind === "head"))?.makes ?? residPost;
}

export class Phases {
  readonly #config: ModelConfig;
  readonly #writer: ModelNode;
  readonly #cleaners: ModelNode[];
  /** Hook points of the stream, in the order of the forward pass. */
  readonly #places: string[];

  constructor(config: ModelConfig, writer: string, cleaners: readonly string[]) {
    this.#config = config;
    this.#writer = findNode(config, writer);
    this.#cleaners = cleaners.map((name) => findNode(config, name));
    this.#places = locations(config).map(({ hook }) => hook);
    const early = this.#cleaners.find((node) => !readsAfter(config, node, this.#writer));
    if (early) {
      throw new Error(`reuse: ${early.name} does not read ${writer}, so it is no cleaner of it`);
    }
  }

  /**
   * Where the last cleaner has written: a hook point of the stream. Without cleaners the end of the stream.
   */
  get erased(): string {
    const made = this.#cleaners.map((node) => this.#places.lastIndexOf(madeBy(this.#config, node)!));
    return made.length > 0 ? this.#places[Math.max(...made)] : this.#places.at(-1)!;
  }

  /** Of a node: when it reads. */
  ofNode(node: ModelNode): Phase {
    if (!readsAfter(this.#config, node, this.#writer)) return "before";
    if (this.#cleaners.length === 0) return "between";
    return this.#cleaners.every((cleaner) => readsAfter(this.#config, node, cleaner)) ? "after" : "between";
  }

  /** Of a place of the stream, by its hook point. */
  ofPlace(hook: string): Phase {
    const at = this.#places.lastIndexOf(hook);
    const written = madeBy(this.#config, this.#writer);
    if (written !== undefined && at < this.#places.lastIndexOf(written)) return "before";
    return this.#cleaners.length > 0 && at >= this.#places.lastIndexOf(this.erased) ? "after" : "between";
  }

  /** Of the unembedding. */
  get unembedding(): Phase {
    return this.#cleaners.length > 0 ? "after" : "between";
  }
}
