/**
 * What all sides of bench_peer.ts read: weights and tokens of gelu-4l's dimensions, random but the same,
 * unprocessed; and a rotation.
 */
import { stateDictShapes } from "../../lib/checkpoints/state_dict.ts";
import { writeSafetensors } from "../../lib/checkpoints/safetensors_write.ts";
import type { RawTensor } from "../../lib/checkpoints/dtypes.ts";
import { rotationMatrix } from "../../lib/metrics/rotation.ts";
import { CLEANUP, GELU_4L, randomPrompts } from "./gelu_4l_config.ts";

/** Seed of the control's rotation. */
export const ROTATION = 1;

/**
 * Uniform in ±0.035, LayerNorm weights around 1; biases and LayerNorm biases are not zero, so that folding
 * them counts. b_U is: GPT-2 of `transformers`, which two of the peers take, has none.
 */
export async function writePeerFolder(folder: string, prompts: number, length: number): Promise<void> {
  const config = { ...GELU_4L, normalization: "LN" as const };
  const tensors: Record<string, RawTensor> = {};
  let state = 1;
  for (const [name, dims] of stateDictShapes(config)) {
    const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
    const middle = /ln(1|2|_final)\.w$/.test(name) ? 1 : 0;
    for (let i = 0; i < data.length; i++) {
      state = Math.imul(state, 1664525) + 1013904223 | 0;
      data[i] = middle + state / 2 ** 31 * 0.035;
    }
    if (name === "unembed.b_U") data.fill(0);
    tensors[name] = { dtype: "F32", dims, data };
  }
  await writeSafetensors(`${folder}/model.safetensors`, tensors);
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
  await Deno.writeTextFile(`${folder}/cleanup.json`, JSON.stringify(CLEANUP));
  const { tokens } = randomPrompts(config, prompts, length);
  await writeSafetensors(`${folder}/tokens.safetensors`, {
    tokens: { dtype: "I32", dims: [prompts, length], data: tokens },
  });
  const rotation = Float32Array.from(rotationMatrix(config, ROTATION));
  await writeSafetensors(`${folder}/rotation.safetensors`, {
    rotation: { dtype: "F32", dims: [config.d_model, config.d_model], data: rotation },
  });
}
