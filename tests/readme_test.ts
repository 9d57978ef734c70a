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

Deno.test("the README's links and pictures are there", async () => {
  const links = [...text.matchAll(/\]\(([^)#]+)\)/g)].map(([, link]) => link).filter((link) =>
    !link.startsWith("http")
  );
  assertGreater(links.length, 8);
  const missing: string[] = [];
  for (const link of links) await Deno.stat(join(ROOT, link)).catch(() => missing.push(link));
  assertEquals(missing, []);
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
