/**
 * `drive.ts FOLDER [PAGE …]`: opens the built site in Chromium and prints as JSON what happened, or null where there is none. Started as a
 * process of its own, with every permission and with lib/site/deno.json: tests may run Deno alone.
 */
import { Site } from "./browser.ts";
import { type PageRun, runPages } from "./run_pages.ts";

export interface Driven {
  runs: PageRun[];
  wrong: string[];
}

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

async function drive(folder: string, pages: string[], program: string): Promise<Driven> {
  await using site = await Site.open(folder, program);
  const runs = await runPages(site, pages);
  return { runs, wrong: site.wrong };
}

const [folder, ...pages] = Deno.args;
const program = found();
console.log(JSON.stringify(program ? await drive(folder, pages, program) : null));
