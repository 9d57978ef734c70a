/**
 * `deno task site`: builds the web site that runs the notebooks, in out/site, for any static host. `--serve`
 * shows it on this machine, with the headers that let the runtime use several threads.
 */
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { buildSite } from "./build/build.ts";
import { serve } from "./serve.ts";

const USAGE = `deno task site [--serve] [--port N]
  --serve   show the site at http://127.0.0.1:8000/ after building it
  --port N  at another port`;

const root = resolve(fileURLToPath(new URL("../..", import.meta.url)));
const options = { serve: { type: "boolean" }, port: { type: "string" }, help: { type: "boolean" } } as const;

try {
  const { values } = parseArgs({ options });
  if (values.help) {
    console.log(USAGE);
  } else {
    const port = Number(values.port ?? 8000);
    if (!(Number.isInteger(port) && port > 0 && port < 65536)) {
      throw new Error(`got the port "${values.port}"; expected 1 to 65535.\n${USAGE}`);
    }
    const { folder, pages } = await buildSite(root, join(root, "out", "site"));
    console.log(`${pages.length} pages in ${folder}. Any static host serves them; in a sub-folder too.`);
    if (values.serve) serve(folder, port);
  }
} catch (error) {
  console.error(`site: ${(error as Error).message}`);
  Deno.exit(1);
}
