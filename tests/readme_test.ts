// The README: its code runs as it stands, its links lead to something, and its commands are tasks that exist.
import { assert, assertEquals, assertGreater } from "@std/assert";
import { join } from "node:path";

const ROOT = join(import.meta.dirname!, "..");
const text = await Deno.readTextFile(join(ROOT, "README.md"));

Deno.test("the README's code runs as it stands, and prints a median for each run", async () => {
  const [, code] = /```ts\n(.*?)```/s.exec(text)!;
  await Deno.mkdir(join(ROOT, "out"), { recursive: true });
  const path = join(ROOT, "out", `.readme-${crypto.randomUUID().slice(0, 8)}.ts`);
  try {
    await Deno.writeTextFile(path, code.replaceAll('"./lib/', '"../lib/'));
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--check", "--frozen", "--allow-read", "--allow-ffi", "--allow-env", "--allow-sys", path],
      cwd: ROOT,
      env: { NO_COLOR: "1" },
    }).output();
    assert(success, new TextDecoder().decode(stderr));
    const printed = /^clean median (-?\d\.\d\d)\npatched median (-?\d\.\d\d)\n$/.exec(
      new TextDecoder().decode(stdout),
    );
    assert(printed, "two lines, each with a median");
    assertGreater(Number(printed[2]), Number(printed[1]), "less is erased in the patched run");
  } finally {
    await Deno.remove(path);
  }
});

/** Every page of text that the README and the guide for teachers lead to, themselves among them. */
async function pages(): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const waiting = [join(ROOT, "README.md"), join(ROOT, "notebooks", "README.md")];
  for (let path = waiting.pop(); path; path = waiting.pop()) {
    if (found.has(path) || !path.endsWith(".md")) continue;
    found.set(path, await Deno.readTextFile(path));
    waiting.push(...linksOf(found.get(path)!).map((link) => join(path, "..", link)));
  }
  return found;
}

const linksOf = (page: string) =>
  [...page.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g)].map(([, link]) => link).filter((link) =>
    !link.startsWith("http")
  );

Deno.test("links and pictures of the README, and of every page that it leads to, are there", async () => {
  const missing: string[] = [];
  const all = await pages();
  assertGreater(all.size, 8);
  for (const [path, page] of all) {
    for (const link of linksOf(page)) {
      await Deno.stat(join(path, "..", link)).catch(() => missing.push(`${path}: ${link}`));
    }
  }
  assertEquals(missing, []);
});

Deno.test("the README is short enough to be read", () => {
  const lines = text.trimEnd().split("\n").length;
  assert(lines < 200, `${lines} lines`);
});

Deno.test("the README's commands are tasks, with the version of Deno that the project names", async () => {
  const { tasks } = JSON.parse(await Deno.readTextFile(join(ROOT, "deno.json")));
  const commands = [...text.matchAll(/npx --yes deno@(\S+) task ([\w:]+)/g)];
  assertGreater(commands.length, 2);
  for (const [, version, task] of commands) {
    assertEquals(version, "2.9.6");
    assert(task in tasks, `there is no task ${task}`);
  }
});
