/** A model: configuration, weights, and where known its tokenizer and which of its nodes clean up. */
import {
  type AdversarialPrompts,
  checkPrompts,
  type Cleanup,
  type ModelConfig,
  type Prompts,
  type PromptSource,
  type Tokenizer,
} from "../checkpoints/mod.ts";
import { parseCleanup } from "../checkpoints/cleanup.ts";
import { outputSize } from "../checkpoints/config.ts";
import type { Device } from "../tensor/device.ts";
import { NdArray } from "../tensor/nd_array.ts";
import { type Feeds, run, type RunOptions } from "../tensor/run.ts";
import { input, type Tensor } from "../tensor/tensor.ts";
import { Forward } from "./forward.ts";
import { hookPoints, type Hooks, matching } from "./hook_points.ts";
import { findNode } from "./nodes.ts";
import type { Processing } from "./processing.ts";
import { Parameters, type Weights } from "./weights.ts";
import { checkGiven, checkOptionNames } from "../checkpoints/option_names.ts";
import { quoted } from "../checkpoints/quoted.ts";

export interface ModelParts {
  name: string;
  config: ModelConfig;
  /** Arrays in memory, or expressions over what lies in a file. */
  weights: Weights | Parameters;
  /** Of the same arrays, where they have been made. */
  params?: Parameters;
  /** Which steps of weight processing were done: results depend on it, so a model carries it. */
  processing: Processing;
  tokenizer?: Tokenizer;
  cleanup?: Cleanup;
  adversarial?: AdversarialPrompts;
  promptSource?: PromptSource;
  device?: Device;
}

/** How a forward pass differs from the plain one. */
export interface ForwardOptions {
  /** Interventions by hook name; `*` stands for what is between two dots. */
  hooks?: Hooks;
  /** Other token ids [batch, pos] than the run's prompts, such as a second prompt to resample from. */
  tokens?: Tensor;
}

/**
 * A model that can be run on prompts. Made by `loadModel`; holds no state but its weights.
 *
 * @example
 * ```ts
 * import { loadModel } from "./load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const { cache } = await model.runWithCache(model.prompts(["I like tea and"]), ["blocks.0.*.hook_pattern"]);
 * console.log(cache["blocks.0.attn.hook_pattern"].names); // batch, head, query, key
 * ```
 */
export class Model {
  /** As it was loaded. */
  readonly name: string;
  /** Sizes and settings, by TransformerLens' names. */
  readonly config: ModelConfig;
  /** Which steps of weight processing were done. */
  readonly processing: Processing;
  /** Where runs with the model's weights compute. */
  readonly device: Device;
  /** Absent where the model's folder has none. */
  readonly tokenizer?: Tokenizer;
  /** Internal: the weights as tensors. */
  readonly params: Parameters;
  /** Which prompts belong to the model; see `promptsFor`. */
  readonly promptSource?: PromptSource;
  #arrays?: Weights;
  #cleanup?: Cleanup;
  #adversarial?: AdversarialPrompts;

  /** Internal: see `loadModel`. */
  constructor(parts: ModelParts) {
    this.name = parts.name;
    this.config = parts.config;
    this.processing = parts.processing;
    this.tokenizer = parts.tokenizer;
    this.device = parts.device ?? "cpu";
    this.#arrays = parts.weights instanceof Parameters ? undefined : parts.weights;
    this.params = parts.weights instanceof Parameters
      ? parts.weights
      : parts.params ?? Parameters.over(parts.weights, parts.device);
    this.promptSource = parts.promptSource;
    this.#cleanup = parts.cleanup;
    this.#adversarial = parts.adversarial;
  }

  /** Whether the weights are arrays in memory; else they are read from their file (where_weights_live.ts). */
  get inMemory(): boolean {
    return this.#arrays !== undefined;
  }

  /**
   * Weights by TransformerLens' names, processed as `processing` says, float32. @throws for a model whose
   * weights stay in their file: a run reads one, `run({ W: model.forward().weight(name) }, {})`
   */
  get weights(): Weights {
    if (this.#arrays) return this.#arrays;
    throw new Error(
      `the weights of ${this.name} are too many to lie in memory as float32; they are read from their file. Read some with ` +
        `run({ W: model.forward().weight("blocks.0.attn.W_O") }, {}), or load the model with { weights: "memory" }.`,
    );
  }

  /** Writer and cleaners, as measured for this model. @throws when the model's folder has no cleanup.json. */
  get cleanup(): Cleanup {
    if (this.#cleanup) return this.#cleanup;
    throw new Error(
      `model ${this.name} has no cleanup.json: which node writes and which clean up is not known. ` +
        `Find out with scan(model, prompts) or the command of that name, or put a cleanup.json into the model's folder. ` +
        `In a notebook: await withWriter(model).`,
    );
  }

  /** The same, or undefined where nothing is known. */
  get knownCleanup(): Cleanup | undefined {
    return this.#cleanup;
  }

  /**
   * The same model, same weights, with another writer and other cleaners. Adversarial prompts are of one
   * writer, so another writer has none. @throws naming what does not fit the model
   */
  withCleanup(cleanup: Cleanup): Model {
    const checked = parseCleanup({ ...cleanup }, this.config, "withCleanup");
    const same = this.#cleanup?.writer === checked.writer;
    const adversarial = same ? this.#adversarial : undefined;
    const weights = this.#arrays ?? this.params;
    return new Model({ ...this, weights, cleanup: checked, adversarial });
  }

  /**
   * The layer whose heads Figures 1, 6 and 7 show: the writer's, or 0 where that is an embedding or no
   * cleanup.json says.
   */
  get writersLayer(): number {
    return this.#cleanup ? Math.max(0, findNode(this.config, this.#cleanup.writer).layer) : 0;
  }

  /**
   * Prompts on which DLA of the writer misleads (Figure 4). @throws when the model's folder has no
   * adversarial.json.
   */
  get adversarial(): AdversarialPrompts {
    if (this.#adversarial) return this.#adversarial;
    throw new Error(
      `model ${this.name} has no adversarial.json: on which prompts DLA of its writer misleads is not known. ` +
        `Find some with findAdversarialPrompts(model, prompts), or put an adversarial.json into the model's folder.`,
    );
  }

  /** The same, or undefined where the model's folder has none. */
  get knownAdversarial(): AdversarialPrompts | undefined {
    return this.#adversarial;
  }

  /** Token ids [batch, pos] as an input of a run. `name` tells several inputs apart. */
  tokens(name = "tokens"): Tensor {
    const dims = [{ name: "batch", size: "batch" }, { name: "pos", size: "pos" }];
    return input(name, dims, { below: this.config.d_vocab, atMost: { pos: this.config.n_ctx } });
  }

  /** A forward pass, as expressions. */
  forward(options: ForwardOptions = {}): Forward {
    checkOptionNames("model.forward", options, { hooks: true, tokens: true });
    const { hooks, tokens = this.tokens() } = options;
    return new Forward(this.config, this.params, tokens, hooks);
  }

  /**
   * The values at hook points, as arrays, for looking. `names` may hold `*`; default: all. Shapes as in
   * TransformerLens. Without unembedding there are no logits: [batch, pos, 0]. Values of all prompts are
   * kept: ask for what is needed, or use `run` with expressions for more than a few prompts.
   */
  async runWithCache(
    prompts: Prompts,
    names: readonly string[] = [...hookPoints(this.config).keys()],
    options: RunOptions & { hooks?: Hooks } = {},
  ): Promise<{ logits: NdArray; cache: Record<string, NdArray> }> {
    const forward = this.forward({ hooks: options.hooks });
    const points = hookPoints(this.config);
    const wanted = new Set(names.flatMap((name) => matching(name, points)));
    const unembeds = outputSize(this.config) > 0;
    const outputs: Record<string, Tensor> = unembeds ? { logits: forward.logits } : {};
    for (const name of wanted) outputs[name] = forward.hook(name);
    const none = new NdArray(new Float32Array(0), ["batch", "pos", "d_vocab"], [
      prompts.count,
      prompts.length,
      0,
    ]);
    const { logits = none, ...cache } = await run(outputs, feed(prompts, this.config), options);
    for (const [name, { data, names, shape }] of Object.entries(cache)) {
      if (name.endsWith("hook_scale")) cache[name] = new NdArray(data, [...names, "one"], [...shape, 1]);
    }
    return { logits, cache };
  }

  /**
   * Prompts from texts. BOS is put first where the model was trained so. All texts must have the same number
   * of tokens.
   */
  prompts(texts: readonly string[], options: { prependBos?: boolean } = {}): Prompts {
    checkOptionNames("model.prompts", options, { prependBos: true });
    const { prependBos = this.config.default_prepend_bos } = options;
    if (!Array.isArray(texts) || texts.some((text) => typeof text !== "string")) {
      throw new Error(
        `model.prompts: got ${quoted(texts)}; expected a list of texts, such as ["I like tea"]`,
      );
    }
    if (!this.tokenizer) {
      throw new Error(`model ${this.name} has no tokenizer.json; give token ids instead of text`);
    }
    const ids = texts.map((text) => this.tokenizer!.encode(text, { prependBos }));
    const odd = ids.findIndex((row) => row.length !== ids[0].length);
    if (odd >= 0) {
      throw new Error(
        `prompts: got ${ids[odd].length} tokens for ${quoted(texts[odd])} and ${
          ids[0].length
        } for the first; ` +
          `expected the same number in one call`,
      );
    }
    const tokens = Int32Array.from(ids.flat());
    return checkPrompts(
      { tokens, count: texts.length, length: ids[0]?.length ?? 0, source: "text" },
      this.config,
    );
  }
}

/**
 * What a run is fed for prompts. Other named inputs may stand beside "tokens".
 *
 * @example
 * ```ts
 * import { loadModel } from "./load.ts";
 * import { run } from "../tensor/run.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const last = model.forward().logits.select("pos", 4);
 * const got = await run({ last }, feed(model.prompts(["I like tea and"])));
 * console.log(got.last.shape); // [1, d_vocab]
 * ```
 */
export function feed(prompts: Prompts, config?: ModelConfig): Feeds {
  checkGiven("feed", "prompts", prompts, "prompts, such as await promptsFor(model)");
  const { tokens, count, length } = checkPrompts(prompts, config);
  return { tokens: new NdArray(tokens, ["batch", "pos"], [count, length]) };
}
