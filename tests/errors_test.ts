// lib/ERRORS.md: each heading quotes a message that the library still has.
import { assertEquals, assertGreater } from "@std/assert";
import { join } from "node:path";

const LIB = join(import.meta.dirname!, "..", "lib");
/** Of other programs. */
const FOREIGN = ["The lockfile is out of date", "npm install"];

async function sources(folder: string): Promise<string> {
  let all = "";
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) all += await sources(join(folder, name));
    else if (name.endsWith(".ts")) all += await Deno.readTextFile(join(folder, name));
  }
  return all;
}

Deno.test("lib/ERRORS.md quotes messages that the library has", async () => {
  const code = (await sources(LIB)).replace(/" \+\s+"/g, ""); // a message that is broken over two lines
  const headings = [...(await Deno.readTextFile(join(LIB, "ERRORS.md"))).matchAll(/^## .*?`([^`]+)`/gm)];
  assertGreater(headings.length, 9);
  const quoted = headings.map(([, message]) => message).filter((message) => !FOREIGN.includes(message));
  // what stands for a value is left out; of numbers, what stands before them
  const missing = quoted.filter((message) =>
    !message.split(/…|\d+/).map((part) => part.trim()).filter((part) => part.length > 2)
      .every((part) => code.includes(part.replace(/^"|"$/g, "")))
  );
  assertEquals(missing, []);
});

Deno.test("what a file says stands in messages through quoted(), which cuts and escapes it", async () => {
  // `${values.json.clip_qkv}`: a list of 5,000 letters, or one that turns the text
  const raw = /\$\{\s*(?:[\w!]+\.)*json(?!\.length)[.[]/g;
  assertEquals("`${values.json.a} ${quoted(values.json.a)} ${json[key]}`".match(raw)?.length, 2);
  assertEquals((await sources(LIB)).match(raw), null);
});

Deno.test("links in the pages for contributors lead to something", async () => {
  const missing: string[] = [];
  for (const page of ["lib/README.md", "lib/INSTALL.md", "lib/ERRORS.md", ".github/CONTRIBUTING.md"]) {
    const folder = join(LIB, "..", page, "..");
    const links = [...(await Deno.readTextFile(join(LIB, "..", page))).matchAll(/\]\(([^)#]+)\)/g)];
    for (const [, link] of links.filter(([, to]) => !to.startsWith("http"))) {
      await Deno.stat(join(folder, link)).catch(() => missing.push(`${page}: ${link}`));
    }
  }
  assertEquals(missing, []);
});
