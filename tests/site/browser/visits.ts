/**
 * How long a reader waits: from the load of Figure 1's page to its figure, at the first visit and at the
 * second, on one thread.
 */
import { runAll, type Site, type Window } from "./browser.ts";

const PAGE = "fig1_residual_stream";

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

/** In seconds, in a window that has kept nothing yet. */
export async function visits(site: Site): Promise<Visits> {
  await using window = await site.window();
  return { first: await secondsToFigure(window), second: await secondsToFigure(window) };
}
