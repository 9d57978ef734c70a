// The site's own code has a configuration of its own, so what `deno task ok` does for the rest is done for it
// here.
import { assert } from "@std/assert";
import { CONFIG, deno, ROOT } from "./site.ts";

const FOLDERS = ["lib/site", "tests/site/browser"].map((folder) => `${ROOT}/${folder}`);
const [config, path, frozen] = CONFIG;

for (
  const [name, args] of [
    ["is formatted", ["fmt", "--check", config, path, ...FOLDERS]],
    ["lints", ["lint", config, path, ...FOLDERS]],
    ["type-checks", ["check", config, path, frozen, ...FOLDERS]],
  ] as const
) {
  Deno.test(`the site's code ${name}`, async () => {
    const { ok, text, error } = await deno([...args]);
    assert(ok, text + error);
  });
}
