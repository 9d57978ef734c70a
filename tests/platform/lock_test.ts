// The lock that Node and Bun use: one process holds it, and a process that ended holds nothing.
import { assert, assertEquals } from "@std/assert";
import { lockByName, tryLock } from "../../lib/platform/lock.ts";

const inFolder = async (test: (folder: string) => Promise<void>) => {
  const folder = await Deno.makeTempDir();
  try {
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
};

for (const [name, take] of Object.entries({ tryLock, lockByName })) {
  Deno.test(`${name}() is held once, until it is disposed of`, async () => {
    await inFolder(async (folder) => {
      const path = `${folder}/a.lock`;
      {
        await using lock = await take(path);
        assert(lock);
        assertEquals(await take(path), undefined);
      }
      await using again = await take(path);
      assert(again);
    });
  });
}

Deno.test("lockByName() takes over from a process that has ended, at the second try", async () => {
  await inFolder(async (folder) => {
    const path = `${folder}/a.lock`;
    const child = new Deno.Command(Deno.execPath(), { args: ["--version"], stdout: "null" }).spawn();
    await child.status;
    await Deno.writeTextFile(path, String(child.pid));
    assertEquals(await lockByName(path), undefined);
    await using lock = await lockByName(path);
    assert(lock);
  });
});
