/**
 * The MLP: act_fn(x · W_in + b_in) · W_out + b_out, or gated: (act_fn(x · W_gate + b_gate) · (x · W_in +
 * b_in)) · W_out + b_out. Hook points as in TransformerLens: hook_pre is what the activation function reads
 * (in gated MLPs that of the gate), hook_pre_linear what the gate is multiplied with, hook_post what W_out
 * reads.
 */
import type { MlpBranch } from "../checkpoints/blocks.ts";
import type { Activation } from "../checkpoints/config.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { normalize } from "./normalize.ts";
import type { Trace } from "./trace.ts";

/** What the MLP makes of the stream [batch, pos, d_model]. */
export function mlp(trace: Trace, { block, reads, norm, gated }: MlpBranch): Tensor {
  const stream = trace.point(`${block}.hook_mlp_in`, trace.get(reads));
  const read = norm ? normalize(trace, norm, stream) : stream;
  const weight = (name: string) => trace.params.get(`${block}.mlp.${name}`);
  const linear = (name: string) => read.dot(weight(`W_${name}`), "d_model").add(weight(`b_${name}`));
  const point = (name: string, value: Tensor) => trace.point(`${block}.mlp.hook_${name}`, value);
  let hidden: Tensor;
  if (gated) {
    const gate = activate(trace.config.act_fn, point("pre", linear("gate")));
    hidden = gate.mul(point("pre_linear", linear("in")));
  } else hidden = activate(trace.config.act_fn, point("pre", linear("in")));
  return point("post", hidden).dot(weight("W_out"), "d_mlp").add(weight("b_out"));
}

function activate(act_fn: Activation, x: Tensor): Tensor {
  switch (act_fn) {
    case "gelu":
      return x.gelu();
    case "gelu_new":
      return x.gelu("tanh");
    case "relu":
      return x.relu();
    case "relu2":
      return x.relu().mul(x.relu());
    case "silu":
      return x.mul(x.sigmoid());
  }
}
