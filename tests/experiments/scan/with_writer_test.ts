// withWriter(): a model of one's own gets a writer, and the note says how sure that is. And
// Model.withCleanup(), by which it gets it.
import {
  assert,
  assertEquals,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { adversarialFor } from "../../../lib/experiments/find_adversarial.ts";
import { withWriter } from "../../../lib/experiments/scan/with_writer.ts";
import { run } from "../../../lib/tensor/run.ts";
import { loadModel, promptsFor } from "../../../lib/transformer/load.ts";
import { feed } from "../../../lib/transformer/model.ts";
import { smallModel, withFolder, writeModelFolder } from "../../checkpoints/small_model.ts";
import { writeTinyFolder } from "../../tiny_folders.ts";

Deno.test("withWriter() leaves a model as it is whose folder says which node writes", async () => {
  const model = await loadModel();
  const notes: string[] = [];
  assertEquals(await withWriter(model, { onNote: (note) => notes.push(note) }), model);
  assertEquals(notes, []);
});

Deno.test("withWriter() gives a folder of one's own a writer, and says that it is no finding", () =>
  withFolder(async (folder) => {
    await writeTinyFolder(folder, "llama");
    const own = await loadModel(folder);
    const notes: string[] = [];
    const model = await withWriter(own, { onNote: (note) => notes.push(note) });
    const { writer, cleaners, patchedLayers } = model.cleanup;
    // Random weights erase nothing for what it says: no head of them is found.
    assertEquals(notes.length, 1);
    assertStringIncludes(
      notes[0],
      "has no cleanup.json, and a short scan found no head before the last layer whose output is surely",
    );
    assertStringIncludes(notes[0], `${writer} stands in as the writer`);
    assert(/^L0H\d$/.test(writer), writer); // of two layers: the first, so that a later one can be patched
    assertEquals([cleaners.length, patchedLayers], [3, [1]]);
    // What it proposes can be kept: the folder's cleanup.json is read, and says the same.
    await Deno.writeTextFile(`${folder}/cleanup.json`, notes[0].split("\n").at(-1)!);
    assertEquals((await loadModel(folder)).cleanup, model.cleanup);

    // No beginning misleads, and prompts of this model begin without BOS: those with the largest DLA are
    // given, and it says so.
    const { prompts, source } = await adversarialFor(model, await promptsFor(model));
    assert(prompts.length > 0);
    assert(/findAdversarialPrompts on|these do not mislead as the post's do/.test(source), source);
  }));

Deno.test("withWriter() refuses a model of one layer, a misspelt option and a promise", async () => {
  const model = await loadModel();
  // deno-lint-ignore no-explicit-any
  const any = withWriter as any;
  await assertRejects(() => any(model, { onNot: 1 }), Error, 'Did you mean "onNote"?');
  await assertRejects(() => any(Promise.resolve(model)), Error, "model is a promise");
  await withFolder(async (folder) => {
    await writeModelFolder(folder, smallModel(1, { n_layers: 1 }));
    await assertRejects(
      async () => withWriter(await loadModel(folder)),
      Error,
      "has 1 layer; expected two or more",
    );
  });
});

Deno.test("withCleanup() is the same model with another writer, which has no adversarial prompts yet", async () => {
  const model = await loadModel();
  const prompts = await promptsFor(model, { count: 1, length: 8 });
  const cleanup = { writer: "L0H0", cleaners: ["L2H3"], patchedLayers: [2], source: "made up" };
  const other = model.withCleanup(cleanup);
  assertEquals([other.cleanup, other.writersLayer], [cleanup, 0]);
  assertEquals([other.knownAdversarial, other.weights === model.weights], [undefined, true]);
  assertStrictEquals(other.params, model.params); // made anew, they would be sent to no device
  assertEquals(model.cleanup.writer, "L1H5");
  const logits = async (m: typeof model) =>
    (await run({ logits: m.forward().logits }, feed(prompts))).logits.data;
  assertEquals(await logits(other), await logits(model));
  const same = model.withCleanup({ ...cleanup, writer: "L1H5" });
  assertEquals(same.knownAdversarial, model.knownAdversarial);
  assertThrows(
    () => model.withCleanup({ ...cleanup, cleaners: ["L0H1"] }),
    Error,
    "does not come after the writer",
  );
});
