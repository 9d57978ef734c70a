/**
 * The TransformerLens state dict: which tensors a model of a given configuration has, and their dims.
 *
 * Dims are fixed: embed.W_E [d_vocab, d_model], attn.W_Q [n_heads, d_model, d_head], attn.W_O [n_heads,
 * d_head, d_model] … and so on, as written below. A state dict also carries buffers that are no weights:
 * these may be there and are ignored.
 */
import type { Checkpoint } from "./checkpoint.ts";
import type { ModelConfig } from "./config.ts";
import { quoted } from "./quoted.ts";
import { dimSizes, storedDims, weightNames } from "./weight_names.ts";

/** Tensors that a checkpoint may leave out: zeros then. */
export const optionalTensors: readonly string[] = ["unembed.b_U"];

/** Buffers beside the weights: the causal mask and its fill value. */
export const buffer = /^blocks\.\d+\.attn\.(mask|IGNORE)$/;

/** Name → dims of every weight, in the order of the forward pass. */
export function stateDictShapes(config: ModelConfig): Map<string, number[]> {
  return new Map(
    weightNames(config).map((name) => {
      const sizes = dimSizes(config, name);
      return [name, storedDims(name, config).map((dim) => sizes[dim])];
    }),
  );
}

/** Heads for other purposes that training programs leave beside the weights (TRL's value head). */
const besideTheModel = /^v_head\./;

/** What a checkpoint is checked against. */
export interface ExpectedTensors {
  /** Name → dims, as stored. */
  shapes: ReadonlyMap<string, readonly number[]>;
  /** Names that may be missing. */
  optional: readonly string[];
  /** Names that may be there and are not read. */
  ignored: RegExp;
}

/**
 * @throws when the checkpoint lacks a weight, has one of other dims or type, or holds one that no such model
 * has.
 */
export function checkStateDict(config: ModelConfig, checkpoint: Checkpoint): void {
  checkTensors(checkpoint, { shapes: stateDictShapes(config), optional: optionalTensors, ignored: buffer });
}

/** {@linkcode checkStateDict} for any layout. */
export function checkTensors(checkpoint: Checkpoint, { shapes, optional, ignored }: ExpectedTensors): void {
  for (const [name, dims] of shapes) {
    if (!checkpoint.has(name)) {
      if (optional.includes(name)) continue;
      throw new Error(
        `${checkpoint.path} lacks "${name}" [${dims.join(", ")}], which its config.json calls for.`,
      );
    }
    const stored = checkpoint.shape(name);
    if (stored.length !== dims.length || stored.some((dim, i) => dim !== dims[i])) {
      throw new Error(
        `${checkpoint.path}: "${name}" is [${stored.join(", ")}], config.json calls for [${
          dims.join(", ")
        }].`,
      );
    }
  }
  const unknown = checkpoint.names().filter((name) =>
    !shapes.has(name) && !ignored.test(name) && !besideTheModel.test(name)
  );
  if (unknown.length) {
    throw new Error(
      `${checkpoint.path} holds ${
        unknown.length === 1 ? "a tensor" : `${unknown.length} tensors`
      } that config.json does not account for, such as ${quoted(unknown[0])}.`,
    );
  }
}
