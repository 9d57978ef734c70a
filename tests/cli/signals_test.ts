// A task ends when it is told to, and when the process that started it is gone: a SIGKILL can be passed on by
// nobody.
import { assertEquals } from "@std/assert";
import { withFolder } from "../checkpoints/small_model.ts";

const signals = new URL("../../lib/cli/signals.ts", import.meta.url).href;
const partial = new URL("../../lib/cli/partial_folder.ts", import.meta.url).href;

/** Waits, and leaves its exit code as a file. */
const CHILD = `import { onInterrupt } from "${signals}";
const interrupt = onInterrupt();
const alive = setInterval(() => {}, 1000);
interrupt.signal.addEventListener("abort", () => {
  Deno.writeTextFileSync(Deno.args[0] + "/ended.tmp", String(interrupt.exitCode));
  Deno.renameSync(Deno.args[0] + "/ended.tmp", Deno.args[0] + "/ended");
  clearInterval(alive);
  Deno.exit(interrupt.exitCode);
});
Deno.writeTextFileSync(Deno.args[0] + "/ready", String(Deno.pid));`;

const PARENT = `import { STARTED_BY } from "${signals}";
const known = Deno.args[1] === "known" ? { [STARTED_BY]: String(Deno.pid) } : {};
await new Deno.Command(Deno.execPath(), {
  args: ["run", "--no-prompt", "--allow-read", "--allow-write=" + Deno.args[0], "--allow-env=" + STARTED_BY, Deno.args[0] + "/child.ts", Deno.args[0]],
  env: known,
}).spawn().status;`;

async function until(path: string, mostMs: number): Promise<string | undefined> {
  for (const end = performance.now() + mostMs; performance.now() < end;) {
    try {
      return await Deno.readTextFile(path);
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

for (const [how, expected] of [["known", "137"], ["unknown", undefined]] as const) {
  Deno.test({
    name: `onInterrupt(): a task whose ${how} parent is killed ${
      expected ? "ends" : "goes on, as under nohup"
    }`,
    ignore: Deno.build.os === "windows",
    fn: () =>
      withFolder(async (folder) => {
        await Deno.writeTextFile(`${folder}/child.ts`, CHILD);
        await Deno.writeTextFile(`${folder}/parent.ts`, PARENT);
        const parent = new Deno.Command(Deno.execPath(), {
          args: ["run", "--no-prompt", "-A", `${folder}/parent.ts`, folder, how],
          stdout: "null",
          stderr: "null",
        }).spawn();
        const child = Number(await until(`${folder}/ready`, 30_000));
        parent.kill("SIGKILL");
        await parent.status;
        assertEquals(await until(`${folder}/ended`, expected ? 30_000 : 2000), expected);
        if (expected === undefined) {
          const kill = `Deno.kill(${child}, "SIGTERM")`; // for which this process has no permission
          await new Deno.Command(Deno.execPath(), { args: ["eval", kill] }).output();
          assertEquals(await until(`${folder}/ended`, 30_000), "143");
        }
      }),
  });
}

Deno.test("removeLeftovers() removes folders of its prefix whose process is gone, and no others", async () => {
  await withFolder(async (folder) => {
    const { makePartialFolder, removeLeftovers } = await import(partial);
    const make = `import { makePartialFolder } from "${partial}";
for (const prefix of [".permissions-", ".partial-"]) await makePartialFolder("${folder}", prefix);
Deno.kill(Deno.pid, "SIGKILL");`;
    await Deno.writeTextFile(`${folder}/make.ts`, make);
    const config = new URL("../../deno.json", import.meta.url).pathname;
    await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", `--config=${config}`, `${folder}/make.ts`],
      stderr: "null",
    }).output();
    await using own = await makePartialFolder(folder, ".permissions-");
    const names = () =>
      [...Deno.readDirSync(folder)].filter((e) => e.isDirectory).map(({ name }) => name.replace(/-.*/, ""))
        .sort();
    assertEquals(names(), [".partial", ".permissions", ".permissions"]);
    assertEquals(await removeLeftovers(folder, ".permissions-"), 1);
    assertEquals(names(), [".partial", ".permissions"]);
    assertEquals((await Deno.stat(own.path)).isDirectory, true);
  });
});
