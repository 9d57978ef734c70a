// What stands in a file's place: pipes, devices, folders and links to nowhere are refused at once, and by
// their name; so is text in UTF-16. What is not there at all is not there.
import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { readJsonObject } from "../../lib/checkpoints/json_file.ts";
import { openModelFolder } from "../../lib/checkpoints/model_folder.ts";
import { textLines } from "../../lib/checkpoints/prompts/text_lines.ts";
import { RandomAccessFile } from "../../lib/checkpoints/random_access_file.ts";
import { resolveModel } from "../../lib/checkpoints/resolve_model.ts";
import { canMakeOddFiles, link, pipe } from "./odd_files.ts";
import { smallModel, withFolder, writeModelFolder } from "./small_model.ts";

const READERS: Record<string, (path: string) => Promise<unknown>> = {
  readJsonObject,
  textLines: (path) => Array.fromAsync(textLines(path)),
  "RandomAccessFile.open()": (path) => RandomAccessFile.open(path),
};
const FILE_EXPECTED = "it is a folder, a pipe or a device, and a file was expected.";

for (const [name, read] of Object.entries(READERS)) {
  Deno.test({
    name: `${name} refuses a device, which has no end, a folder, and a file in a folder's place`,
    ignore: Deno.build.os === "windows",
    fn: () =>
      withFolder(async (folder) => {
        for (const path of ["/dev/zero", folder]) {
          await assertRejects(() => read(path), Error, FILE_EXPECTED);
        }
        await Deno.writeTextFile(join(folder, "file"), "");
        await assertRejects(() => read(join(folder, "file", "x")), Error, "a part of its path is a file");
      }),
  });

  Deno.test({
    name: `${name} refuses a pipe that nobody writes to, and does not wait; and links that lead nowhere`,
    ignore: !canMakeOddFiles,
    fn: () =>
      withFolder(async (folder) => {
        const [fifo, dangling, loop] = ["fifo", "dangling", "loop"].map((name) => join(folder, name));
        await pipe(fifo);
        await link("nowhere", dangling);
        await link("loop", loop);
        await assertRejects(() => read(fifo), Error, FILE_EXPECTED);
        await assertRejects(
          () => read(dangling),
          Error,
          'it is a link to "nowhere", and there is no such file.',
        );
        await assertRejects(() => read(loop), Error, "it is a link that leads back to itself.");
      }),
  });
}

/** What is read of a model's folder, where it is there. */
const PARTS = ["config.json", "tokenizer.json", "tokenizer_config.json", "cleanup.json", "adversarial.json"];
const FILES = [...PARTS, "prompts.json", "model.safetensors"];
const IN_PLACE: Record<string, { make: (path: string) => Promise<void>; says: string }> = {
  "a folder": { make: (path) => Deno.mkdir(path), says: FILE_EXPECTED },
  "a pipe": { make: pipe, says: FILE_EXPECTED },
  "a link to nowhere": { make: (path) => link("/nowhere/at all", path), says: '"/nowhere/at all"' },
  "a link to itself": { make: (path) => link(path, path), says: "leads back to itself" },
};

for (const [what, { make, says }] of Object.entries(IN_PLACE)) {
  Deno.test({
    name: `openModelFolder() refuses ${what} in the place of any file that it reads, by its name`,
    ignore: what !== "a folder" && !canMakeOddFiles,
    fn: () =>
      withFolder(async (folder) => {
        await writeModelFolder(folder, smallModel(3));
        const tokenizer = new URL("../../data/models/tiny-gelu-4l/tokenizer.json", import.meta.url);
        await Deno.copyFile(tokenizer, join(folder, "tokenizer.json"));
        (await openModelFolder(folder)).checkpoint.close();
        for (const name of FILES) {
          const path = join(folder, name), bytes = await Deno.readFile(path).catch(() => undefined);
          if (bytes) await Deno.remove(path);
          await make(path);
          const { message } = await assertRejects(() => openModelFolder(folder), Error);
          assertStringIncludes(message, path);
          assertStringIncludes(message, says);
          await Deno.remove(path);
          if (bytes) await Deno.writeFile(path, bytes);
        }
        (await openModelFolder(folder)).checkpoint.close();
      }),
  });
}

Deno.test({
  name: "a model's name that is a pipe or a link to nowhere is not asked for at the Hub",
  ignore: !canMakeOddFiles,
  fn: () =>
    withFolder(async (folder) => {
      await pipe(join(folder, "pipe"));
      await link("gone", join(folder, "link"));
      await assertRejects(() => resolveModel(join(folder, "pipe")), Error, FILE_EXPECTED);
      await assertRejects(() => resolveModel(join(folder, "link")), Error, 'it is a link to "gone"');
    }),
});

Deno.test("readJsonObject() says of an empty file that it is empty", () =>
  withFolder(async (folder) => {
    await Deno.writeTextFile(join(folder, "a.json"), "");
    await assertRejects(() => readJsonObject(join(folder, "a.json")), Error, "it is empty. Was it copied");
  }));

Deno.test("readJsonObject() reads past a byte order mark, and says what UTF-16 is", async () => {
  await withFolder(async (folder) => {
    const path = join(folder, "config.json");
    await Deno.writeFile(path, Uint8Array.of(0xEF, 0xBB, 0xBF, ...new TextEncoder().encode('{"a": 1}')));
    assertEquals(await readJsonObject(path), { a: 1 });
    for (const bytes of [[0xFF, 0xFE, 0x7B, 0, 0x7D, 0], [0xFE, 0xFF, 0, 0x7B, 0, 0x7D]]) {
      await Deno.writeFile(path, Uint8Array.from(bytes));
      await assertRejects(() => readJsonObject(path), Error, "it is text in UTF-16; save it as UTF-8");
    }
  });
});
