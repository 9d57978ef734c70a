/**
 * Writes what full_size.ts loads: weights of gelu-4l's size, the embedded model's tokenizer with as many
 * tokens added as gelu-4l's has more, what is known of gelu-4l, and random prompts. Arguments: folder, number
 * of prompts, tokens of each.
 */
import { dataPath } from "../../lib/checkpoints/mod.ts";
import { writeSafetensors } from "../../lib/checkpoints/safetensors_write.ts";
import { gelu4lConfigJson, writeGelu4l } from "../checkpoints/gelu_4l_checkpoint.ts";
import { randomInt, randomSource } from "../reference/random.ts";

const BOS = 1;
const [folder, count, length] = [Deno.args[0], Number(Deno.args[1]), Number(Deno.args[2])];

await writeGelu4l(folder, 1);
const tokenizer = JSON.parse(await Deno.readTextFile(dataPath("models/tiny-gelu-4l/tokenizer.json")));
const { vocab } = tokenizer.model;
for (let id = Object.keys(vocab).length; id < gelu4lConfigJson.d_vocab; id++) vocab[`filler${id}`] = id;
await Deno.writeTextFile(`${folder}/tokenizer.json`, JSON.stringify(tokenizer));
await Deno.copyFile(dataPath("models/gelu-4l/cleanup.json"), `${folder}/cleanup.json`);

// Without the post's answers: they are one token each in gelu-4l's own tokenizer only.
const { prompts } = JSON.parse(await Deno.readTextFile(dataPath("models/gelu-4l/adversarial.json")));
const texts = {
  prompts: prompts.map(({ text }: { text: string }) => ({ text })),
  source: "The post, Figure 4.",
};
await Deno.writeTextFile(`${folder}/adversarial.json`, JSON.stringify(texts));

const random = randomSource(3);
const id = (_: unknown, i: number) => i % length === 0 ? BOS : randomInt(random, gelu4lConfigJson.d_vocab);
const data = Int32Array.from({ length: count * length }, id);
await Deno.mkdir(`${folder}/prompts`); // not beside the weights, as whose file it would be taken
await writeSafetensors(`${folder}/prompts/random.safetensors`, {
  tokens: { dtype: "I32", dims: [count, length], data },
});
