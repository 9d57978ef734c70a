/**
 * Opens the built site in Chromium and prints as JSON what happened, or null where there is no Chromium.
 * Started as a process of its own, with every permission and with lib/site/deno.json: tests may run Deno
 * alone.
 *
 *     drive.ts FOLDER pages PAGE …          runs all cells of these pages
 *     drive.ts FOLDER visits                how long a reader waits for Figure 1
 *     drive.ts FOLDER scenarios [NAME …]    what a reader may do besides; default: all of them
 */
import { Site } from "./browser.ts";
import { runPages } from "./run_pages.ts";
import { visits } from "./visits.ts";
import { CARD, SCENARIOS, THREADS } from "./scenarios.ts";

const NAMES = ["chromium", "chromium-browser", "google-chrome"];

function found(): string | undefined {
  const folders = (Deno.env.get("PATH") ?? "").split(":");
  return folders.flatMap((folder) => NAMES.map((name) => `${folder}/${name}`)).find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

/** Name → what went wrong; null: nothing. Those that fit the site's browser. */
async function runScenarios(site: Site, names: readonly string[]): Promise<Record<string, string | null>> {
  const results: Record<string, string | null> = {};
  for (const name of names.filter((name) => (name === CARD) === site.card)) {
    await using window = await site.window({ threads: name === THREADS });
    results[name] = await SCENARIOS[name](window).then(() => null, ({ message }) => message);
  }
  return results;
}

const [folder, what, ...names] = Deno.args;
const program = found();
if (!program) {
  console.log("null");
} else {
  await using site = await Site.open(folder, program);
  if (what === "pages") {
    console.log(JSON.stringify({ runs: await runPages(site, names), wrong: site.wrong }));
  } else if (what === "visits") {
    console.log(JSON.stringify(await visits(site)));
  } else {
    await using withCard = await Site.open(folder, program, true);
    const chosen = names.length ? names : Object.keys(SCENARIOS);
    const scenarios = { ...await runScenarios(site, chosen), ...await runScenarios(withCard, chosen) };
    console.log(JSON.stringify({ scenarios, wrong: [...site.wrong, ...withCard.wrong] }));
  }
}
