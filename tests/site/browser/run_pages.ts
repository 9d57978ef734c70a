/** Runs all cells of every page, two pages at a time, and gives what each printed, failed at and saved. */
import type { Page } from "playwright-core";
import { atOnce } from "../../../lib/cli/at_once.ts";
import type { Notebook } from "../../../lib/jupyter/notebook.ts";
import { barriersOf } from "./accessible.ts";
import { runAll, type Site, type, type Window } from "./browser.ts";
import { withFewPrompts } from "./few_prompts.ts";

export interface PageRun {
  name: string;
  status: string;
  faults: string[];
  /** Name → content of what `show` saved. */
  files: Record<string, string>;
  /** Figures without a text. */
  unnamed: number;
  figures: number;
  /** What axe-core finds against WCAG 2.2 AA. */
  barriers: string[];
  /** Of all of Chromium that there was at the page's end. */
  cpuSeconds: number;
  seconds: number;
}

const LONGEST_MS = 900_000;

/** As a reader does who has a slow machine: changes the cell that takes the prompts. */
async function takeFewPrompts(page: Page): Promise<void> {
  const { notebook }: { notebook: Notebook } = JSON.parse((await page.textContent("#page-data"))!);
  const changed = withFewPrompts(notebook);
  for (const [i, { id, source }] of notebook.cells.entries()) {
    if (changed.cells[i].source !== source) await type(page, id, changed.cells[i].source);
  }
}

/** Name → content of what the page offers to save. */
export async function savedFiles(page: Page): Promise<Record<string, string>> {
  return await page.evaluate(async () => {
    const links = [...document.querySelectorAll<HTMLAnchorElement>(".downloads a[download]")];
    return Object.fromEntries(
      await Promise.all(links.map(async (link) => [link.download, await (await fetch(link.href)).text()])),
    );
  });
}

async function runPage(site: Site, window: Window, name: string, few: boolean): Promise<PageRun> {
  const page = await window.page(name);
  if (few) await takeFewPrompts(page);
  const began = performance.now();
  await runAll(page, LONGEST_MS);
  const files = await savedFiles(page);
  const run = {
    name,
    status: await page.textContent("#status") ?? "",
    faults: await page.locator(".fault").allTextContents(),
    files,
    figures: await page.locator("figure img").count(),
    unnamed: await page.locator('figure img:not([alt]), figure img[alt=""]').count(),
    barriers: await barriersOf(page),
    cpuSeconds: await site.cpuSeconds(),
    seconds: (performance.now() - began) / 1000,
  };
  await page.close();
  return run;
}

/** @param names with ":few" behind those that are to take few prompts */
export async function runPages(site: Site, names: readonly string[]): Promise<PageRun[]> {
  await using window = await site.window();
  const runs: PageRun[] = [];
  await atOnce(names, 2, async (name) => {
    const [page, few] = name.split(":");
    runs.push(await runPage(site, window, page, few !== undefined));
  });
  return runs;
}
