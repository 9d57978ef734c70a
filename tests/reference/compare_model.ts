/**
 * By hand: a model folder of real, trained weights against what transformers computes with it.
 *
 *     deno run --allow-read --allow-ffi tests/reference/compare_model.ts FOLDER
 *
 * FOLDER/logits.safetensors holds tokens [batch, pos], logits [batch, pos, d_vocab] and hooks by name, as
 * recorded by compare_model.py. Prints the largest difference of each, as a share of its largest value,
 * unprocessed and processed.
 */
import { SafetensorsFile } from "../../lib/checkpoints/safetensors.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { logProbabilities, off } from "../transformer/families/recorded.ts";

const [folder] = Deno.args;
const file = await SafetensorsFile.open(`${folder}/logits.safetensors`);
const { dims: [count, length], data } = await file.read("tokens");
const prompts = { tokens: Int32Array.from(data as ArrayLike<number>), count, length, source: folder };
const logits = (await file.read("logits")).data as Float32Array;
const hooks = [...file.tensors.keys()].filter((name) => name.includes("hook_"));
for (const processing of [false, {}] as const) {
  const model = await loadModel(folder, { processing });
  const run = await model.runWithCache(prompts, processing === false ? hooks : []);
  const { d_vocab } = model.config;
  const error = processing === false
    ? off(run.logits.data, logits)
    : off(logProbabilities(run.logits.data, d_vocab), logProbabilities(logits, d_vocab));
  console.log(
    processing === false ? "as stored: logits" : "processed: log-probabilities",
    error.toExponential(1),
  );
  for (const [name, { data }] of Object.entries(run.cache)) {
    console.log(`  ${name}`, off(data, (await file.read(name)).data as Float32Array).toExponential(1));
  }
}
file.close();
