// promptsFor(): a folder without prompts.json gets the held-out text, tokenised by its own tokenizer.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { dataPath } from "../../lib/checkpoints/mod.ts";
import { loadModel, promptsFor } from "../../lib/transformer/load.ts";

/** The embedded model in a folder of its own, with these files only. */
async function folderWith(files: string[]): Promise<string> {
  const folder = await Deno.makeTempDir();
  for (const file of files) {
    await Deno.copyFile(dataPath(`models/tiny-gelu-4l/${file}`), `${folder}/${file}`);
  }
  return folder;
}

const FILES = ["config.json", "model.safetensors"];

Deno.test("promptsFor() of a folder without prompts.json: the held-out text again, BOS first, and it says so", async () => {
  const folder = await folderWith([...FILES, "tokenizer.json"]);
  try {
    const model = await loadModel(folder);
    const prompts = await promptsFor(model, { count: 100 });
    const own = await promptsFor(await loadModel());
    assertEquals([prompts.count, prompts.length], [100, 256]);
    assert(
      prompts.source.includes("has no prompts.json: the embedded model's held-out text, packed"),
      prompts.source,
    );
    // The same tokenizer gives the first prompt back, where its text is tokenised as it was in the whole
    // document.
    const same = prompts.tokens.subarray(0, 256).filter((id, i) => id === own.tokens[i]).length;
    assert(same > 200, `${same} of 256 tokens`);
    assertEquals((await promptsFor(model, { count: 100_000 })).count, (await promptsFor(model)).count);
    assertEquals((await promptsFor(model, { count: 2, length: 16 })).length, 16);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("promptsFor() of a file of texts: these in place of the model's own, as long and as many as asked", async () => {
  const folder = await folderWith([...FILES, "tokenizer.json"]);
  try {
    const texts = `${folder}/texts.jsonl`;
    const line = JSON.stringify({ text: "The cat sat on the mat, and the dog sat on the cat. ".repeat(20) });
    await Deno.writeTextFile(texts, `${line}\n${line}\n`);
    for (const model of [await loadModel(folder), await loadModel()]) {
      const prompts = await promptsFor(model, { texts, count: 3, length: 16 });
      assertEquals([prompts.count, prompts.length], [3, 16]);
      assertEquals(prompts.source, `${texts}, packed, BOS first`);
      const first = model.tokenizer!.decode(prompts.tokens.subarray(1, 8));
      assert(first.startsWith("The cat"), first);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("promptsFor() of a folder with neither prompts.json nor tokenizer.json says what is missing", async () => {
  const folder = await folderWith(FILES);
  try {
    const model = await loadModel(folder);
    await assertRejects(() => promptsFor(model), Error, "has no prompts.json and no tokenizer.json");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
