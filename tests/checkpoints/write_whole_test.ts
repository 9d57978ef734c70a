// A file is written whole or not at all, and what a killed process left of it is removed by the next that
// writes it.
import { assertEquals, assertRejects } from "@std/assert";
import { writeWhole } from "../../lib/checkpoints/write_whole.ts";
import { withFolder } from "./small_model.ts";

const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test("writeWhole() writes bytes and texts, over what was there", async () => {
  await withFolder(async (folder) => {
    await writeWhole(`${folder}/a`, "naïve");
    assertEquals(await Deno.readTextFile(`${folder}/a`), "naïve");
    const bytes = Uint8Array.from({ length: 3_000_000 }, (_, i) => i);
    await writeWhole(`${folder}/a`, bytes);
    assertEquals(await Deno.readFile(`${folder}/a`), bytes);
    assertEquals(names(folder), ["a"]);
  });
});

Deno.test("writeWhole() removes what no process holds, and nothing else", async () => {
  await withFolder(async (folder) => {
    const others = ["a.txt", "a.12345678.tmp.bak", "b.12345678.tmp", "a.1234567g.tmp"];
    for (const name of [...others, "a.12345678.tmp", "a.abcdefab.tmp"]) {
      await Deno.writeTextFile(`${folder}/${name}`, "x");
    }
    using held = await Deno.open(`${folder}/a.abcdefab.tmp`, { write: true });
    await held.lock(true);
    await writeWhole(`${folder}/a`, "whole");
    assertEquals(names(folder), ["a", "a.abcdefab.tmp", ...others].sort());
  });
});

Deno.test("writeWhole(): many at once leave one whole file", async () => {
  await withFolder(async (folder) => {
    const texts = Array.from({ length: 20 }, (_, i) => String(i % 10).repeat(200_000));
    await Promise.all(texts.map((text) => writeWhole(`${folder}/a`, text)));
    assertEquals(texts.includes(await Deno.readTextFile(`${folder}/a`)), true);
    assertEquals(names(folder), ["a"]);
  });
});

Deno.test("writeWhole() says which file, and leaves nothing", async () => {
  await withFolder(async (folder) => {
    await Deno.mkdir(`${folder}/a`);
    await Deno.mkdir(`${folder}/a/b`);
    await assertRejects(() => writeWhole(`${folder}/a`, "x"), Error, `Cannot write ${folder}/a: `);
    assertEquals(names(folder), ["a"]);
    await assertRejects(() => writeWhole(`${folder}/none/a`, "x"), Error, `Cannot write ${folder}/none/a: `);
  });
});
