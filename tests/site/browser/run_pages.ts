/** Runs all cells of every page, two pages at a time, and gives what each printed, failed at and saved. */
import { runAll, type Site, type Window } from "./browser.ts";

export interface PageRun {
  name: string;
  status: string;
  faults: string[];
  /** Name → content of what `show` saved. */
  files: Record<string, string>;
  /** Figures without a text. */
  unnamed: number;
  figures: number;
  /** Of all of Chromium that there was at the page's end. */
  cpuSeconds: number;
  seconds: number;
}

const LONGEST_MS = 900_000;

async function runPage(site: Site, window: Window, name: string): Promise<PageRun> {
  const page = await window.page(name);
  const began = performance.now();
  await runAll(page, LONGEST_MS);
  const files = await page.evaluate(async () => {
    const links = [...document.querySelectorAll<HTMLAnchorElement>(".downloads a[download]")];
    return Object.fromEntries(
      await Promise.all(links.map(async (link) => [link.download, await (await fetch(link.href)).text()])),
    );
  });
  const run = {
    name,
    status: await page.textContent("#status") ?? "",
    faults: await page.locator(".fault").allTextContents(),
    files,
    figures: await page.locator("figure img").count(),
    unnamed: await page.locator('figure img:not([alt]), figure img[alt=""]').count(),
    cpuSeconds: await site.cpuSeconds(),
    seconds: (performance.now() - began) / 1000,
  };
  await page.close();
  return run;
}

export async function runPages(site: Site, names: readonly string[]): Promise<PageRun[]> {
  await using window = await site.window();
  const waiting = [...names], runs: PageRun[] = [];
  const work = async () => {
    for (let name = waiting.shift(); name; name = waiting.shift()) {
      runs.push(await runPage(site, window, name));
    }
  };
  await Promise.all([work(), work()]);
  return runs;
}
