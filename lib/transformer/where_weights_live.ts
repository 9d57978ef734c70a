/**
 * The one rule of where a model's weights live while it is used.
 *
 * In memory, as float32 arrays with everything folded in, where they take at most 1 GiB so: the fastest, and
 * every file is read and checked once. Larger ones stay in their file as they are (bfloat16, float16 or
 * float32; safetensors, several of them, PyTorch's, and GGUF's that are not quantised). The runtime maps the
 * file into memory, each product reads its weight as float32 while it needs it, and processing is an
 * expression. A model then takes its file's size, which the system can take back, instead of twice to four
 * times that; it is ready at once; and a batch pays for reading the weights (tests/bench/results.md). Tensors
 * that cannot be used where they lie (quantised, or transposed in GGUF) are float32 arrays in any case.
 */
import type { Checkpoint } from "../checkpoints/mod.ts";
import type { Device } from "../tensor/device.ts";

/** "memory": float32 arrays. "file": where they lie, as far as they can be used there. */
export type WeightsIn = "memory" | "file";

const MOST_IN_MEMORY = 2 ** 30;

/**
 * `asked`: what somebody asked for; default: by the rule. Other devices than the processor keep weights of
 * their own, which come from memory. @throws when these are asked to stay in their file
 */
export function whereWeightsLive(
  checkpoint: Checkpoint,
  asked?: WeightsIn,
  device: Device = "cpu",
): WeightsIn {
  if (device !== "cpu") {
    if (asked !== "file") return "memory";
    throw new Error(
      `loadModel: got weights "file" and device "${device}"; weights that stay in their file are read by the processor. ` +
        `Leave one of the two out.`,
    );
  }
  if (asked) return asked;
  const bytes = checkpoint.names().map((name) =>
    checkpoint.place?.(name) ? 4 * checkpoint.shape(name).reduce((a, b) => a * b, 1) : 0
  );
  return bytes.reduce((a, b) => a + b, 0) > MOST_IN_MEMORY ? "file" : "memory";
}
