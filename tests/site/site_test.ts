// The site in a real browser: all cells of every page run there, and give the rows that are committed.
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { join } from "node:path";
import { differences } from "../row_differences.ts";
import { deno, driven, FOLDER, ROOT } from "./site.ts";
import { taskCommand } from "../task_command.ts";

/** As tests/site/browser/run_pages.ts gives it. */
interface PageRun {
  name: string;
  status: string;
  faults: string[];
  files: Record<string, string>;
  figures: number;
  unnamed: number;
}

interface Driven {
  runs: PageRun[];
  wrong: string[];
}

/** Name → what went wrong; null: nothing. */
interface Scenarios {
  scenarios: Record<string, string | null>;
  wrong: string[];
}

const NO_CHROMIUM =
  "There is no Chromium (Debian: apt-get install chromium), so no page of the site was opened.";

/** Compressed, without the runtime's WebAssembly: all scripts and the style sheet. */
const MOST_BYTES = 600_000;

/** What takes longest goes first, so that neither of two pages side by side is left over at the end. */
const SLOW = ["fig7_resampling", "fig1_residual_stream", "fig3_patched", "check_your_model"];
const slowFirst = (
  names: string[],
) => [...SLOW.filter((name) => names.includes(name)), ...names.filter((name) => !SLOW.includes(name))];

const [, ...command] = await taskCommand("site");
let building: ReturnType<typeof deno> | undefined;
/** The site, built once and only when a test that runs asks for it. */
const site = () => building ??= deno(command);

Deno.test("deno task site builds a page for each notebook, and an index that names it", async () => {
  const { ok, error } = await site();
  assert(ok, error);
  const names = (await Array.fromAsync(Deno.readDir(join(ROOT, "notebooks")))).map(({ name }) => name)
    .filter((name) => name.endsWith(".ipynb"));
  assertGreater(names.length, 10);
  const index = await Deno.readTextFile(join(FOLDER, "index.html"));
  for (const name of names) {
    const page = name.replace(".ipynb", ".html");
    assert((await Deno.stat(join(FOLDER, page))).isFile);
    assert(index.includes(`href="${page}"`), page);
  }
});

async function compressed(path: string): Promise<number> {
  const body = (await Deno.open(path)).readable.pipeThrough(new CompressionStream("gzip"));
  return (await new Response(body).arrayBuffer()).byteLength;
}

Deno.test(`the scripts of the site are at most ${MOST_BYTES / 1000} kB, compressed`, async () => {
  await site();
  let sum = 0;
  for await (const { name } of Deno.readDir(join(FOLDER, "assets"))) {
    if (/\.(m?js|css)$/.test(name)) sum += await compressed(join(FOLDER, "assets", name));
  }
  assertGreater(sum, 100_000);
  assertLess(sum, MOST_BYTES);
});

Deno.test("every page's cells run in Chromium and give the committed rows", async (t) => {
  await site();
  const names = (await Array.fromAsync(Deno.readDir(FOLDER))).map(({ name }) => name)
    .filter((name) => name.endsWith(".html") && !["index.html", "explorer.html"].includes(name)).map((name) =>
      name.slice(0, -5)
    );
  const result = await driven<Driven | null>("drive.ts", FOLDER, "pages", ...slowFirst(names));
  if (result === null) return console.log(NO_CHROMIUM);
  assertEquals(result.wrong, [], "errors in consoles, requests to other hosts");
  assertEquals(result.runs.map(({ name }) => name).sort(), names.sort());
  let compared = 0;
  for (const { name, status, faults, files, figures, unnamed } of result.runs) {
    await t.step(name, async () => {
      assertEquals(faults, []);
      assert(status.startsWith("All cells ran"), status);
      assertEquals(unnamed, 0);
      if (name.startsWith("fig")) assertGreater(figures, 0);
      for (const [file, text] of Object.entries(files).filter(([file]) => file.endsWith(".json"))) {
        const path = join(ROOT, "data", "expected", "rows", file);
        assertEquals(differences(JSON.parse(text), JSON.parse(await Deno.readTextFile(path)), file), []);
        compared++;
      }
    });
  }
  const committed = await Array.fromAsync(Deno.readDir(join(ROOT, "data", "expected", "rows")));
  assertEquals(compared, committed.length);
});

Deno.test("what a reader may do on a page, right or wrong", async (t) => {
  await site();
  const result = await driven<Scenarios | null>("drive.ts", FOLDER, "scenarios");
  if (result === null) return console.log(NO_CHROMIUM);
  assertGreater(Object.keys(result.scenarios).length, 5);
  for (const [name, wrong] of Object.entries(result.scenarios)) {
    await t.step(name, () => assertEquals(wrong, null));
  }
  assertEquals(result.wrong, [], "errors in consoles, requests to other hosts");
});
