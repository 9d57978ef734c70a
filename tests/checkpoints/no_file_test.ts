// What stands in a file's place: pipes, devices and folders are refused at once, and so is text in UTF-16.
import { assertEquals, assertRejects } from "@std/assert";
import { join } from "node:path";
import { readJsonObject } from "../../lib/checkpoints/json_file.ts";
import { textLines } from "../../lib/checkpoints/prompts/text_lines.ts";
import { RandomAccessFile } from "../../lib/checkpoints/random_access_file.ts";
import { withFolder } from "./small_model.ts";

const READERS: Record<string, (path: string) => Promise<unknown>> = {
  readJsonObject,
  textLines: (path) => Array.fromAsync(textLines(path)),
  "RandomAccessFile.open()": (path) => RandomAccessFile.open(path),
};

for (const [name, read] of Object.entries(READERS)) {
  Deno.test({
    name: `${name} refuses a device, which has no end, and a folder`,
    ignore: Deno.build.os === "windows",
    fn: () =>
      withFolder(async (folder) => {
        for (const path of ["/dev/zero", folder]) {
          await assertRejects(
            () => read(path),
            Error,
            "a folder, a pipe or a device, and a file was expected",
          );
        }
      }),
  });

  Deno.test({
    name: `${name} refuses a pipe that nobody writes to, and does not wait`,
    ignore: Deno.build.os === "windows" || !mayRun("mkfifo"),
    fn: () =>
      withFolder(async (folder) => {
        const pipe = join(folder, "pipe");
        await new Deno.Command("mkfifo", { args: [pipe] }).output();
        await assertRejects(() => read(pipe), Error, "a pipe or a device, and a file was expected");
      }),
  });
}

function mayRun(command: string): boolean {
  return Deno.permissions.querySync({ name: "run", command }).state === "granted";
}

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
