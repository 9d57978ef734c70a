/**
 * Patched runs for any cleaner: what a cleaner reads of a direction is changed, and nothing else.
 * Heads: the V input of their layer (Q and K untouched). MLPs: what ln2 hands to the MLP. LayerNorm scales are frozen to the clean
 * run's unless said otherwise. Source: the post, section "V-input patch"; the variants are this project's controls.
 */
import type { Tensor } from "../tensor/tensor.ts";
import type { Forward } from "../transformer/forward.ts";
import type { Hooks } from "../transformer/hook_points.ts";
import { findNode } from "../transformer/nodes.ts";

export type PatchVariant = "frozen" | "unfrozen" | "direction" | "control";

/** What each variant takes out of x [batch, pos, (head,) d_model]. `random` [batch, pos, d_model] is the control's direction. */
function removed(variant: PatchVariant, x: Tensor, writer: Tensor, random: Tensor): Tensor {
  switch (variant) {
    case "frozen":
    case "unfrozen":
      return writer;
    case "direction": // others may have amplified or rotated what the writer wrote: take out all that lies along it
      return (x.names.includes("head") ? writer.expand("head") : writer)
        .mul(x.dot(writer, "d_model").div(writer.sumSquares("d_model")));
    case "control": // a direction that is as long but has nothing to do with this prompt
      return random.mul(writer.sumSquares("d_model").div(random.sumSquares("d_model")).sqrt());
  }
}

/** Hooks that patch the inputs of the given cleaners (heads are patched by layer, all heads of it at once). */
export function inputPatch(
  clean: Forward,
  cleaners: readonly string[],
  writer: Tensor,
  variant: PatchVariant,
  random: Tensor = writer,
): Hooks {
  const hooks: Record<string, (value: Tensor) => Tensor> = {};
  for (const name of cleaners) {
    const node = findNode(clean.config, name);
    const block = `blocks.${node.layer}`;
    if (node.kind === "head") {
      hooks[`${block}.hook_v_input`] = (v) => v.sub(removed(variant, v, writer, random));
      const scale = `${block}.ln1.hook_scale`;
      if (variant !== "unfrozen") hooks[scale] = () => clean.hook(scale);
    } else if (node.kind === "mlp") {
      const scale = clean.hook(`${block}.ln2.hook_scale`);
      const input = clean.config.parallel_attn_mlp ? `${block}.hook_resid_pre` : `${block}.hook_resid_mid`;
      // The scale stays the run's own in every variant: the patch is made after it, on the normalised input.
      hooks[`${block}.ln2.hook_normalized`] = (x) => {
        const away = removed(variant, clean.hook(input), writer, random);
        const centred = clean.config.normalization.startsWith("LN") ? away.sub(away.mean("d_model")) : away;
        return x.sub(centred.div(scale));
      };
    }
  }
  return hooks;
}
