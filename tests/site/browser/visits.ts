/**
 * How long a reader waits: from the load of Figure 1's page to its figure, at the first visit and at the
 * second, on one thread and on as many as a page takes.
 */
import { runAll, type Site, type Window } from "./browser.ts";

const PAGE = "fig1_residual_stream";

/** In seconds. */
export interface Visits {
  first: number;
  second: number;
}

async function secondsToFigure(window: Window): Promise<number> {
  const began = performance.now();
  const page = await window.page(PAGE);
  const all = runAll(page, 600_000).catch(() => {}); // ends with the page
  await page.locator("figure img").first().waitFor();
  const seconds = (performance.now() - began) / 1000;
  await page.close();
  await all;
  return seconds;
}

async function visitsOf(site: Site, threads: boolean): Promise<Visits> {
  await using window = await site.window({ threads }); // has kept nothing yet
  return { first: await secondsToFigure(window), second: await secondsToFigure(window) };
}

export const visits = async (site: Site): Promise<Record<string, Visits>> => ({
  "one thread": await visitsOf(site, false),
  "several threads": await visitsOf(site, true),
});
