/** prompts.json and adversarial.json: what a model folder says of the prompts that belong to the model. */
import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { parseAdversarial, readAdversarial } from "../../lib/checkpoints/adversarial.ts";
import { dataPath } from "../../lib/checkpoints/data_folder.ts";
import {
  loadPromptSource,
  parsePromptSource,
  readPromptSource,
} from "../../lib/checkpoints/prompts/prompt_source.ts";
import { writeSafetensors } from "../../lib/checkpoints/safetensors_write.ts";
import { openModelFolder } from "../../lib/checkpoints/model_folder.ts";
import { smallModel, withFolder } from "./small_model.ts";

Deno.test("readPromptSource() and loadPromptSource() find a model's prompts, built in or beside it", async () => {
  const builtin = await readPromptSource(dataPath("models/tiny-gelu-4l"));
  assertEquals((await loadPromptSource(builtin, { count: 3 })).count, 3);
  assertEquals(await readPromptSource(dataPath("models/gelu-4l")), { builtin: "c4-code" });
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/prompts.json`, '{"file": "mine.safetensors"}');
    await writeSafetensors(`${folder}/mine.safetensors`, {
      tokens: { dtype: "I32", dims: [2, 3], data: new Int32Array([1, 2, 3, 1, 5, 6]) },
    });
    const prompts = await loadPromptSource(await readPromptSource(folder));
    assertEquals([prompts.count, prompts.length, [...prompts.tokens]], [2, 3, [1, 2, 3, 1, 5, 6]]);
  });
});

Deno.test("openModelFolder() does not take a model's prompts for its weights", async () => {
  const { tensors, json: config } = smallModel(5);
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
    await Deno.writeTextFile(`${folder}/prompts.json`, '{"file": "mine.safetensors"}');
    await writeSafetensors(`${folder}/mine.safetensors`, {
      tokens: { dtype: "I32", dims: [1, 2], data: new Int32Array([1, 2]) },
    });
    await writeSafetensors(`${folder}/weights.safetensors`, tensors);
    const { checkpoint } = await openModelFolder(folder);
    assertEquals(checkpoint.path, `${folder}/weights.safetensors`);
    checkpoint.close();
  });
});

for (
  const [json, message] of [
    [{}, "expected"],
    [{ builtin: 3 }, "expected"],
    [{ builtin: "held-out", file: "a.safetensors" }, "expected"],
    [{ path: "a.safetensors" }, '"path"'],
    [{ file: "../a.safetensors" }, "beside it"],
    [{ file: "a.json" }, "beside it"],
  ] as [Record<string, unknown>, string][]
) {
  Deno.test(`parsePromptSource() refuses ${JSON.stringify(json)}`, () => {
    assertThrows(() => parsePromptSource(json, "/folder"), Error, message);
  });
}

Deno.test("loadPromptSource() says when a set is not known or a file is missing", async () => {
  await assertRejects(() => loadPromptSource({ builtin: "heldout" }), Error, 'Did you mean "held-out"?');
  await assertRejects(() => loadPromptSource({ file: "/no/such.safetensors" }), Error, "no such file");
});

Deno.test("readAdversarial() reads the post's four prompts", async () => {
  const { prompts } = await readAdversarial(dataPath("models/gelu-4l/adversarial.json"));
  assertEquals(prompts.map(({ correct, incorrect }) => [correct, incorrect]), [
    [" bottom", " top"],
    [" State", " University"],
    [" __", " get"],
    [" Church", " church"],
  ]);
});

const one = { text: "a" };
for (
  const [json, message] of [
    [{ prompts: [one] }, '"source"'],
    [{ source: "x" }, "at least one prompt"],
    [{ source: "x", prompts: [] }, "at least one prompt"],
    [{ source: "x", prompts: [one, "b"] }, "prompt 1"],
    [{ source: "x", prompts: [{ ...one, correct: " b" }] }, "only one of"],
    [{ source: "x", prompts: [{ correct: " b", incorrect: " c" }] }, 'has no "text"'],
    [{ source: "x", prompts: [{ text: "" }] }, "at least one character"],
    [{ source: "x", prompts: [{ ...one, answer: " b" }] }, '"answer"'],
  ] as [Record<string, unknown>, string][]
) {
  Deno.test(`parseAdversarial() refuses ${JSON.stringify(json)}`, () => {
    assertThrows(() => parseAdversarial(json, "adversarial.json"), Error, message);
  });
}
