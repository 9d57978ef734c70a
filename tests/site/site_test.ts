// The site in a real browser: all cells of every page run there, and give the rows that are committed.
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";
import { join } from "node:path";
import { differences } from "../row_differences.ts";
import { fewPromptsRows } from "./few_prompts.ts";
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
  barriers: string[];
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

/**
 * Compressed, without the runtime's WebAssembly: the style sheet and all scripts but that which is fetched
 * for a graphics card alone.
 */
const MOST_BYTES = 600_000;

/** Of all prompts each takes 15 to 130 s of a processor in a browser. What takes longest goes first. */
const FEW_PROMPTS = [
  ...["findings", "fig7_resampling", "role", "reuse", "fig1_residual_stream", "fig3_patched"],
  ...["check_your_model", "fig2_nodes", "figA_all_pairs", "fig8_bos", "00_start_here"],
];

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
  // The path of the guide: its pages, in its order.
  const path = index.slice(index.indexOf('id="path"'), index.indexOf('id="pages"'));
  const linked = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, name]) => name);
  const guide = await Deno.readTextFile(join(ROOT, "notebooks", "README.md"));
  const section = guide.slice(guide.indexOf("## Ninety minutes"), guide.indexOf("## Half a day"));
  assertEquals(linked(path, /href="(\w+)\.html"/g), linked(section, /\((\w+)\.ipynb\)/g));
  assertGreater(linked(path, /href="(\w+)\.html"/g).length, 3);
});

/** In the script of the runtime that can also use a graphics card. */
const LOADS_FOR_CARD = '="ort-wasm-simd-threaded.asyncify.mjs"';

const scriptText = async (path: string) => path.endsWith(".js") ? await Deno.readTextFile(path) : "";

async function compressed(path: string): Promise<number> {
  const body = (await Deno.open(path)).readable.pipeThrough(new CompressionStream("gzip"));
  return (await new Response(body).arrayBuffer()).byteLength;
}

Deno.test(`the scripts of the site are at most ${MOST_BYTES / 1000} kB, compressed`, async () => {
  await site();
  let sum = 0, forCard = 0;
  for await (const { name } of Deno.readDir(join(FOLDER, "assets"))) {
    const path = join(FOLDER, "assets", name);
    if (!/\.(m?js|css)$/.test(name)) continue;
    const isForCard = name.includes(".asyncify-") || (await scriptText(path)).includes(LOADS_FOR_CARD);
    if (isForCard) forCard++;
    else sum += await compressed(path);
  }
  assertEquals(forCard, 2); // the runtime's script, and the module that it loads
  assertGreater(sum, 100_000);
  assertLess(sum, MOST_BYTES);
});

async function pageNames(): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(FOLDER))).map(({ name }) => name)
    .filter((name) => name.endsWith(".html") && !["index.html", "explorer.html"].includes(name))
    .map((name) => name.slice(0, -".html".length));
}

/** Beside one another: a scenario mostly waits. */
async function inChromium(names: string[]): Promise<[Driven, Scenarios, Map<string, unknown>] | undefined> {
  const pages = [
    ...FEW_PROMPTS.map((name) => `${name}:few`),
    ...names.filter((name) => !FEW_PROMPTS.includes(name)),
  ];
  const [pageRuns, scenarios] = await Promise.all([
    driven<Driven | null>("drive.ts", FOLDER, "pages", ...pages),
    driven<Scenarios | null>("drive.ts", FOLDER, "scenarios"),
  ]);
  if (pageRuns === null || scenarios === null) return undefined;
  return [pageRuns, scenarios, await fewPromptsRows(join(ROOT, "notebooks"), FEW_PROMPTS)];
}

Deno.test("in Chromium every page's cells run and give the rows of Deno, and readers may do as they like", async (t) => {
  await site();
  const names = await pageNames();
  const found = await inChromium(names);
  if (!found) return console.log(NO_CHROMIUM);
  const [{ runs, wrong }, { scenarios, wrong: alsoWrong }, ofFew] = found;
  assertEquals([...wrong, ...alsoWrong], [], "errors in consoles, requests to other hosts");
  assertEquals(runs.map(({ name }) => name).sort(), names.sort());
  const compared = new Set<string>();
  for (const { name, status, faults, files, figures, unnamed, barriers } of runs) {
    await t.step(name, async () => {
      assertEquals(faults, []);
      assert(status.startsWith("All cells ran"), status);
      assertEquals(unnamed, 0);
      assertEquals(barriers, []);
      if (name.startsWith("fig")) assertGreater(figures, 0);
      for (const [file, text] of Object.entries(files).filter(([file]) => file.endsWith(".json"))) {
        const expected = FEW_PROMPTS.includes(name)
          ? ofFew.get(file)
          : JSON.parse(await Deno.readTextFile(join(ROOT, "data", "expected", "rows", file)));
        assertEquals(differences(JSON.parse(text), expected, file), []);
        compared.add(file);
      }
    });
  }
  const committed = await Array.fromAsync(Deno.readDir(join(ROOT, "data", "expected", "rows")));
  assertEquals([...compared].sort(), committed.map(({ name }) => name).sort());
  assertGreater(Object.keys(scenarios).length, 5);
  for (const [name, wrong] of Object.entries(scenarios)) {
    await t.step(name, () => assertEquals(wrong, null));
  }
});
