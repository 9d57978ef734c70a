/**
 * What a reader may do on a page besides running it, one scenario each: resolves where the page does right,
 * throws where not.
 */
import type { Page } from "playwright-core";
import { differences } from "../../row_differences.ts";
import { barriersOf } from "./accessible.ts";
import { outputOf, runAll, runCell, settled, type, type Window } from "./browser.ts";
import { savedFiles } from "./run_pages.ts";

/** A page whose cells are quick. */
const QUICK = "fig10_single_prompts";

function expect(found: string, wanted: string | RegExp): void {
  const fits = typeof wanted === "string" ? found.includes(wanted) : wanted.test(found);
  if (!fits) throw new Error(`got ${JSON.stringify(found)}; expected ${wanted}`);
}

const text = (page: Page, cell: string) => outputOf(page, cell).innerText();

/** The code of an exercise's folded solution, as the page shows it. */
const solution = (page: Page) =>
  page.locator("details", { hasText: "Solution" }).first().locator("pre code").textContent();

async function exercise(window: Window): Promise<void> {
  const page = await window.page(QUICK);
  await runAll(page, 120_000);
  expect(await text(page, "check-1"), "not attempted");
  await type(page, "answer-1", "const answer1 = 17;");
  await runCell(page, "answer-1");
  await runCell(page, "check-1");
  expect(await text(page, "check-1"), "not yet");
  await type(page, "answer-1", (await solution(page))!);
  await runCell(page, "answer-1");
  await runCell(page, "check-1");
  expect(await text(page, "check-1"), "right");
  // A cell that fails leaves no old answer behind.
  await type(page, "answer-1", "const answer1 = nothing;");
  await runCell(page, "answer-1");
  expect(await text(page, "answer-1"), /ReferenceError in line 1: nothing is not defined/);
  await runCell(page, "check-1");
  expect(
    await text(page, "check-1"),
    /answer1 is not defined[^]*answer1 is made by code cell \d+: run that first/,
  );
  await page.locator("#cell-answer-1 .reset").click();
  await page.close();
}

async function stop(window: Window): Promise<void> {
  const page = await window.page(QUICK);
  await type(page, "setup", "const before = 1;\nwhile (true) {}");
  await page.locator("#cell-setup .run").click();
  await page.waitForFunction(() => document.getElementById("cell-setup")?.dataset.state === "running");
  await page.waitForTimeout(500);
  expect(await page.evaluate(() => document.title), "Figure 10"); // the page is alive
  await page.click("#stop");
  await settled(page, 10_000);
  expect(await text(page, "setup"), "Stopped");
  await type(page, "setup", "1 + 1");
  await runCell(page, "setup");
  expect(await text(page, "setup"), "2");
  await page.locator("#cell-setup .reset").click();
  await page.close();
}

async function mistakes(window: Window): Promise<void> {
  const page = await window.page(QUICK);
  for (
    const [source, wanted] of [
      ["const a = 1;\nconst b = ;", /SyntaxError in line 2, column 11: /],
      ["const a = 1;\nawait 2\n}", /SyntaxError in line 3/],
      ['import { runn } from "../lib/mod.ts";', /the library has no "runn"\. Did you mean "run"\?/],
      ['import * as x from "npm:left-pad";', /in this page there is "..\/lib\/mod\.ts" alone/],
      [
        "interface A { x: number }\nconst a: A = { x: 1 };\nthrow new Error(`x is ${a.x}`);",
        /Error in line 3: x is 1/,
      ],
      ['import { loadModel } from "../lib/mod.ts";\nawait loadModel("gelu-4l");', /"tiny-gelu-4l" alone/],
      ["Promise.reject(new Error('nobody waits'));\n1", /was not awaited failed: Error: nobody waits/],
    ] as const
  ) {
    await type(page, "setup", source);
    await runCell(page, "setup");
    await page.waitForTimeout(100); // what nobody awaits may come late
    expect(await text(page, "setup"), wanted);
  }
  await page.locator("#cell-setup .reset").click();
  await page.close();
}

/** A value of any size may be a cell's last expression. */
async function longResult(window: Window): Promise<void> {
  const page = await window.page(QUICK);
  await type(page, "setup", "Array.from({ length: 30_000 }, (_, i) => i)");
  await runCell(page, "setup");
  const shown = await text(page, "setup");
  if (shown.length > 20_000) throw new Error(`got ${shown.length} characters; expected at most 20,000`);
  expect(shown, /0, 1, 2, 3, [^]*…\(\d+\)/); // so many are left out
  await page.locator("#cell-setup .reset").click();
  await page.close();
}

async function edits(window: Window): Promise<void> {
  const page = await window.page(QUICK);
  await type(page, "setup", "const kept: number = 41;\nkept + 1");
  await page.reload();
  await page.locator("#cell-setup .cm-content").click();
  await page.keyboard.press("Shift+Enter");
  await settled(page, 60_000);
  expect(await text(page, "setup"), "42");
  expect(await page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? ""), "Code cell 2");
  const [download] = await Promise.all([page.waitForEvent("download"), page.click("#download")]);
  expect(download.suggestedFilename(), `${QUICK}.ipynb`);
  const notebook = JSON.parse(await Deno.readTextFile(await download.path()));
  const cell = notebook.cells.find(({ id }: { id: string }) => id === "setup");
  expect(cell.source.join(""), "const kept: number = 41;\nkept + 1");
  expect(JSON.stringify(cell.outputs), "42");
  page.once("dialog", (dialog) => dialog.accept());
  await page.click("#reset");
  await page.reload();
  expect(await page.locator("#cell-setup .cm-content").innerText(), "adversarialFor");
  await page.close();
}

async function lostConnection(window: Window): Promise<void> {
  const page = await window.page(QUICK, { quiet: true });
  await page.waitForFunction(() => document.getElementById("status")!.textContent!.startsWith("Ready"));
  await window.context.setOffline(true);
  await type(page, "answer-1", "const answer1 = 5;");
  await runCell(page, "setup");
  expect(
    await text(page, "setup"),
    /Fetching [\w.-]+ \([\d.]+ MB\) failed at 0\.0 MB: the connection was lost/,
  );
  await window.context.setOffline(false);
  await runCell(page, "setup");
  expect(await page.locator("#cell-setup").getAttribute("data-state") ?? "", "done");
  expect(await page.locator("#cell-answer-1 .cm-content").innerText(), "const answer1 = 5;");
}

async function noSimd(window: Window): Promise<void> {
  await window.context.route(/\/worker-[^/]*\.js$/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: `WebAssembly.validate = () => false;${await response.text()}` });
  });
  const page = await window.page(QUICK);
  await page.waitForFunction(() => document.getElementById("status")!.textContent!.includes("SIMD"));
  await runCell(page, "setup");
  expect(await text(page, "setup"), "it lacks WebAssembly with SIMD");
}

/** What the explorer shows, once it has run. */
async function explored(page: Page): Promise<string> {
  const busy = () => (document.getElementById("stop") as HTMLButtonElement).disabled === false;
  await page.waitForTimeout(1000); // it waits a moment after the last key
  await page.waitForFunction(`!(${busy})()`, null, { polling: 250 });
  return await page.locator("#cell-view .outputs").innerText();
}

const fill = async (page: Page, name: string, value: string) => {
  await page.locator(`#choices [name=${name}]`).fill(value);
  return await explored(page);
};

async function explorer(window: Window): Promise<void> {
  const page = await window.page("explorer", { hash: "#view=removal&prompt=The+people+of+the+United" });
  const first = await explored(page);
  const writer = await page.locator("#choices [name=writer]").inputValue(); // that of cleanup.json
  expect(writer, /^L\dH\d$/);
  expect(first, `without ${writer}`);
  await page.locator("#choices [name=writer]").selectOption("L0H0");
  const second = await explored(page);
  expect(second, "without L0H0");
  await page.reload();
  expect(await explored(page), second); // the address restores it
  await page.locator("#views a[data-view=attention]").click();
  await explored(page);
  expect(await page.locator("figure img").getAttribute("alt") ?? "", `Attention of ${writer}`);
  await page.locator("#views a[data-view=retention]").click();
  expect(await explored(page), "retention.json");
  await page.locator("#views a[data-view=attribution]").click();
  expect(await explored(page), "L0H0: DLA credits");
  await page.locator("#views a[data-view=tokens]").click();
  expect(await fill(page, "prompt", "\u{1F600} é \u4e2d"), /0:<\|BOS\|>/); // every byte has a token
  expect(
    await fill(page, "prompt", "word ".repeat(400)),
    /prompts of \d+ tokens are longer than the model's context of \d+/,
  );
  expect(await fill(page, "prompt", ""), /0:<\|BOS\|>/);
  await page.locator("#views a[data-view=attribution]").click();
  expect(await explored(page), "expected at least 2");
}

/**
 * What axe-core finds against WCAG 2.2 AA, in light and dark, and on a phone's width whether the page is
 * wider than that.
 */
async function accessible(window: Window): Promise<void> {
  const quick = await window.page(QUICK),
    explorer = await window.page("explorer"),
    index = await window.page("index");
  await runAll(quick, 120_000);
  await explored(explorer);
  for (const page of [quick, explorer, index]) {
    expect((await barriersOf(page)).join("\n"), /^$/);
    await page.setViewportSize({ width: 360, height: 640 });
    for (const menu of ["closed", "open"]) {
      if (menu === "open") await page.locator(".pages summary").click();
      const widest = await page.evaluate(() => document.documentElement.scrollWidth);
      if (widest > 360) {
        throw new Error(`with the menu ${menu} a page is ${widest} wide; expected at most 360`);
      }
    }
    // Nothing lies over the menu.
    await page.locator(".pages nav a").first().click({ trial: true, timeout: 5000 });
  }
}

/** A line that redraws itself does so also after its cell has ended, while another one runs. */
async function lateUpdate(window: Window): Promise<void> {
  const page = await window.page(QUICK);
  const line = (update: boolean, text: string) =>
    `display({ "text/plain": "${text}" }, { id: "a", update: ${update} })`;
  await type(
    page,
    "setup",
    [
      `import { display } from "../lib/mod.ts";`,
      `void ${line(false, "half")};`,
      `const later = () => ${line(true, "all of it")};`,
    ].join("\n"),
  );
  await runCell(page, "setup");
  await type(page, "experiment", "await later();");
  await runCell(page, "experiment");
  // The update goes another way than the end of the cell that waits for it, and may come after.
  for (let wait = 0; wait < 100 && !/^all of it/.test(await text(page, "setup")); wait++) {
    await page.waitForTimeout(100);
  }
  expect(await text(page, "setup"), /^all of it/);
}

/** The host sends no headers for it: the page's service worker does. */
async function threads(window: Window): Promise<void> {
  const page = await window.page(QUICK);
  const ready = () => document.getElementById("status")!.textContent!.startsWith("Ready");
  await page.waitForFunction(ready);
  const several = Math.min(4, await page.evaluate(() => navigator.hardwareConcurrency));
  expect((await page.textContent("#status"))!, several === 1 ? "one thread" : `${several} threads`);
  await runAll(page, 120_000);
  expect((await page.textContent("#status"))!, "All cells ran");
  expect(String(await page.evaluate(() => self.crossOriginIsolated)), "true");
}

/** As when a driver starts anew: the page says so, and goes on. */
async function lostCard(window: Window, page: Page): Promise<void> {
  const browser = await window.context.browser()!.newBrowserCDPSession();
  await browser.send("Browser.crashGpuProcess").catch(() => {}); // it ends without an answer
  await browser.detach();
  await page.click("#run-all");
  await settled(page, 120_000);
  const faults = await page.locator(".fault").allTextContents();
  expect(faults.join("\n"), /The page is ready again.*choose the processor above/);
  await page.locator("#device-choice select").selectOption("cpu");
  await page.waitForFunction(() =>
    /^Ready, one thread/.test(document.getElementById("status")!.textContent!)
  );
  await runAll(page, 120_000);
  expect((await page.textContent("#status"))!, "All cells ran");
}

/** The rows of a page that its reader lets compute on a graphics card are those that are committed. */
async function card(window: Window): Promise<void> {
  const asked: string[] = [];
  window.context.on("request", (request) => asked.push(request.url()));
  const page = await window.page(QUICK);
  const ready = (what: string) =>
    page.waitForFunction((what) => document.getElementById("status")!.textContent === `Ready, ${what}`, what);
  await ready("one thread");
  if (asked.some((url) => url.includes("asyncify"))) throw new Error("the card's runtime is fetched unasked");
  await page.locator("#device-choice select").selectOption("webgpu");
  await ready("on the graphics card");
  await page.reload(); // the choice is kept
  await ready("on the graphics card");
  await runAll(page, 300_000);
  expect((await page.textContent("#status"))!, "All cells ran");
  const committed = new URL("../../../data/expected/rows/fig10.json", import.meta.url);
  const [rows, expected] = [(await savedFiles(page))["fig10.json"], await Deno.readTextFile(committed)];
  expect(differences(JSON.parse(rows), JSON.parse(expected), "fig10.json").join("\n"), /^$/);
  await lostCard(window, page);
}

/** Takes a window in which pages may use several threads. */
export const THREADS = "several threads, from a host that does not send the headers for it";

/** Takes a browser that finds a graphics card. */
export const CARD = "a graphics card, where the reader chooses it";

/** Each is given a window that has kept nothing yet. */
export const SCENARIOS: Readonly<Record<string, (window: Window) => Promise<void>>> = {
  "an exercise, solved wrong and right": exercise,
  "Stop ends an endless loop": stop,
  "mistakes are named, with their line": mistakes,
  "a result of any size is cut": longResult,
  "a line of progress ends after its cell": lateUpdate,
  "edits stay, can be undone and taken away": edits,
  "a lost connection: said, and nothing is lost": lostConnection,
  "no SIMD: said plainly": noSimd,
  [THREADS]: threads,
  [CARD]: card,
  "light and dark read well, also on a phone": accessible,
  "the explorer: views, links, prompts that are too long or empty": explorer,
};
