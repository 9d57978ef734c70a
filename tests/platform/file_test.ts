// An open file: positions, the end, what errors mean, and a close while a read is under way.
import { assert, assertEquals, assertRejects } from "@std/assert";
import { isMissing } from "../../lib/platform/errors.ts";
import { OpenFile } from "../../lib/platform/file.ts";

Deno.test("OpenFile: reads and writes at positions, several at once, and 0 bytes at the end", async () => {
  const path = await Deno.makeTempFile();
  try {
    using file = await OpenFile.toWrite(path);
    await Promise.all([file.write(Uint8Array.of(3, 4), 2), file.write(Uint8Array.of(1, 2), 0)]);
    assertEquals(await file.stat(), { size: 4, isFile: true });
    const [a, b, end] = [new Uint8Array(2), new Uint8Array(9), new Uint8Array(1)];
    assertEquals(await Promise.all([file.read(a, 1), file.read(b, 1), file.read(end, 4)]), [2, 3, 0]);
    assertEquals([...a, ...b.subarray(0, 3)], [2, 3, 2, 3, 4]);
    await file.truncate(1);
    assertEquals((await file.stat()).size, 1);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("OpenFile: a read that is under way ends before the file is closed, a later one is refused", async () => {
  const path = await Deno.makeTempFile();
  try {
    await Deno.writeFile(path, Uint8Array.of(7));
    const file = await OpenFile.toRead(path);
    const target = new Uint8Array(1);
    const reading = file.read(target, 0);
    file.close();
    assertEquals([await reading, target[0]], [1, 7]);
    await assertRejects(() => file.read(target, 0), Error, "has been closed");
    file.close();
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("OpenFile: opening to read makes nothing, and says what is missing", async () => {
  const path = `${await Deno.makeTempDir()}/none`;
  try {
    const error = await assertRejects(() => OpenFile.toRead(path), Error);
    assert(isMissing(error), String(error));
  } finally {
    await Deno.remove(path.replace(/\/none$/, ""));
  }
});
