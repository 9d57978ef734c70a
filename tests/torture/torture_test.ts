// A few random moments of every scenario and fault, and that the harness sees what it is to see.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { withFolder } from "../checkpoints/small_model.ts";
import { difference, look } from "./files.ts";

const TIMES = 1;

/** Processes are found in /proc, which Deno reads with every permission alone: hence a process of its own. */
async function torture(...args: string[]): Promise<{ code: number; text: string }> {
  const script = new URL("./torture.ts", import.meta.url).pathname;
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--frozen", "--allow-all", script, ...args],
    env: { NO_COLOR: "1" },
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, text: decode(stdout) + decode(stderr) };
}

for (const scenario of ["figures", "scan", "shard", "merge", "census", "attribution", "download"]) {
  Deno.test({
    name: `torture ${scenario}: nothing is left, and the next run's results are those of an undisturbed one`,
    ignore: Deno.build.os !== "linux",
    fn: async () => {
      const { code, text } = await torture(scenario, "--times", String(TIMES), "--seed", "5");
      assertEquals(code, 0, text);
      for (
        const fault of scenario === "figures"
          ? ["SIGTERM", "SIGKILL", "kernel", "disk"]
          : ["SIGTERM", "SIGKILL", "disk"]
      ) {
        assertMatch(text, new RegExp(`${fault}.*: ${TIMES} times, .* 0 failures`));
      }
    },
  });
}

Deno.test("torture refuses what it does not know", async () => {
  const { code, text } = await torture("scam");
  assertEquals(code, 2);
  assertStringIncludes(text, Deno.build.os === "linux" ? 'no scenario "scam"' : "only Linux");
});

Deno.test("look() and difference() see what is unfinished, missing, changed and too much, and no times", async () => {
  await withFolder(async (folder) => {
    const put = async (name: string, text: string) => {
      await Deno.mkdir(`${folder}/${name}`.replace(/[^/]*$/, ""), { recursive: true });
      await Deno.writeTextFile(`${folder}/${name}`, text);
    };
    await put("one/a.json", "1");
    await put("one/b.ipynb", `{"seconds": 1.5}`);
    await put("two/a.json", "2");
    await put("two/b.ipynb", `{"seconds": 7}`);
    await put("two/sub/c", "3");
    for (const name of [".partial-x/y", ".partial-x.lock", "r.json.12345678.tmp", "blobs/ab.incomplete"]) {
      await put(`two/${name}`, "");
    }
    const [one, two] = ["one", "two"].map((name) => look(`${folder}/${name}`));
    assertEquals(one.unfinished, []);
    assertEquals(two.unfinished.sort(), [
      "/.partial-x",
      "/.partial-x.lock",
      "/blobs/ab.incomplete",
      "/r.json.12345678.tmp",
    ]);
    assertEquals(difference(one.files, one.files), undefined);
    assertEquals(difference(one.files, two.files), "/a.json differs, /sub/c is too much");
    assertEquals(difference(two.files, one.files), "/a.json differs, /sub/c is missing");
    assertEquals(look(`${folder}/none`), { files: {}, unfinished: [] });
  });
});
