/**
 * Patched runs for any cleaner: what a cleaner reads of a direction is changed, and nothing else.
 * Heads: the V input of their layer (Q and K untouched). MLPs: their input, before ln2. LayerNorm scales are frozen to the clean run's
 * unless said otherwise. Source: the post, section "V-input patch"; the variants are this project's controls.
 *
 * All heads of a cleaner's layer are patched together, as in the post, so what the other heads of that layer write changes as well.
 */
import { blockOf } from "../checkpoints/blocks.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import type { Hook, Hooks } from "../transformer/hook_points.ts";
import { findNode } from "../transformer/nodes.ts";
import { frozenScales } from "./v_composition.ts";

/**
 * - frozen: the writer's output is subtracted, scales are those of the clean run. The post's patch.
 * - unfrozen: the same with the scales that the patched inputs have.
 * - direction: all that lies along the writer's output is taken out, also what other nodes wrote along it. Scales frozen.
 * - control: a direction as long as the writer's output that has nothing to do with it is subtracted. Scales frozen.
 */
export type PatchVariant = "frozen" | "unfrozen" | "direction" | "control";

/** Keeps 0 / 0 from becoming NaN where a writer writes nothing: NaN would reach all later positions through attention. */
const TINY = 1e-30;

/** What each variant takes out of x [batch, pos, d_model], or with a head dim. `random` [batch, pos, d_model] is the control's. */
function removed(variant: PatchVariant, x: Tensor, writer: Tensor, random: Tensor): Tensor {
  const square = (t: Tensor) => t.sumSquares("d_model").atLeast(TINY);
  switch (variant) {
    case "frozen":
    case "unfrozen":
      return writer;
    case "direction": {
      const heads = x.names.filter((name) => !writer.names.includes(name));
      const along = heads.reduce((t, name) => t.expand(name), writer);
      return along.mul(x.dot(writer, "d_model").div(square(writer)));
    }
    case "control":
      return random.mul(square(writer).div(square(random)).sqrt());
  }
}

/** Hooks that patch the inputs of the given cleaners. `clean`: the run whose scales are kept. */
export function inputPatch(
  clean: Forward,
  cleaners: readonly string[],
  writer: Tensor,
  variant: PatchVariant,
  random: Tensor = writer,
): Hooks {
  const hooks: Record<string, Hook> = {};
  for (const name of cleaners) {
    const node = findNode(clean.config, name);
    if (node.kind === "embed") continue; // reads nothing
    const branch = blockOf(clean.config, node.layer).branches.find(({ kind }) =>
      (kind === "attn") === (node.kind === "head")
    )!;
    const input = node.kind === "head" ? "hook_v_input" : "hook_mlp_in";
    hooks[`${branch.block}.${input}`] = (x) => x.sub(removed(variant, x, writer, random));
    if (variant !== "unfrozen") Object.assign(hooks, frozenScales(clean, branch));
  }
  return hooks;
}
