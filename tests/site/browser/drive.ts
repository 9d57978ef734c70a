/**
 * Opens the built site in Chromium and prints as JSON what happened, or null where there is no Chromium.
 * Started as a process of its own, with every permission and with lib/site/deno.json: tests may run Deno
 * alone.
 *
 *     drive.ts FOLDER pages PAGE …          runs all cells of these pages
 *     drive.ts FOLDER scenarios [NAME …]    what a reader may do besides; default: all of them
 */
import { Site } from "./browser.ts";
import { runPages } from "./run_pages.ts";
import { SCENARIOS, THREADS } from "./scenarios.ts";

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

/** Name → what went wrong; null: nothing. */
async function runScenarios(site: Site, names: readonly string[]): Promise<Record<string, string | null>> {
  const results: Record<string, string | null> = {};
  for (const name of names) {
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
  const result = what === "pages"
    ? { runs: await runPages(site, names) }
    : { scenarios: await runScenarios(site, names.length ? names : Object.keys(SCENARIOS)) };
  console.log(JSON.stringify({ ...result, wrong: site.wrong }));
}
