// Colours that can be read: of the site, in light and dark, of reports, and of an exercise's verdict in
// JupyterLab's two themes. Text in figures: tests/figures/svg_checks.ts.
import { assert, assertAlmostEquals, assertEquals, assertGreater } from "@std/assert";
import { join } from "node:path";
import { contrast, MARK, TEXT } from "./contrast.ts";

const LIB = join(import.meta.dirname!, "..", "lib");
const read = (path: string) => Deno.readTextFile(join(LIB, path));

Deno.test("contrast(): 21 of black on white, 1 of a colour on itself, and the published 4.54 of #767676", () => {
  assertAlmostEquals(contrast("#000000", "#ffffff"), 21, 1e-9);
  assertEquals(contrast("#0072b2", "#0072b2"), 1);
  assertAlmostEquals(contrast("#767676", "#fff"), 4.54, 0.005); // https://webaim.org/resources/contrastchecker
});

/** Colours of a style sheet by name, in [light, dark] or alone. */
function colors(css: string): Map<string, [string, string]> {
  const found = css.matchAll(/--([\w-]+):\s*(?:light-dark\(([^,]+),\s*([^)]+)\)|(#\w+))/g);
  return new Map([...found].map(([, name, light, dark, one]) => [name, [light ?? one, dark ?? one]]));
}

Deno.test("the site's texts have a contrast of 4.5 or more on each ground, in light and dark", async () => {
  const named = colors(await read("site/style.css"));
  const grounds = ["paper", "panel"],
    texts = [...named.keys()].filter((name) =>
      !["paper", "panel", "rule", "selection", "faulty", "on-accent"].includes(name)
    );
  assertGreater(texts.length, 10);
  const pairs = texts.flatMap((text) => grounds.map((ground) => [text, ground]));
  pairs.push(["on-accent", "accent"], ["fault", "faulty"], ["ink", "faulty"], ["ink", "selection"]);
  for (const [text, ground] of pairs) {
    for (const scheme of [0, 1]) {
      const [one, other] = [named.get(text)![scheme], named.get(ground)![scheme]];
      const ratio = contrast(one, other);
      assert(ratio >= TEXT, `${text} ${one} on ${ground} ${other}: ${ratio.toFixed(2)}`);
    }
  }
});

Deno.test("texts of reports and of the page of figures have a contrast of 4.5 or more", async () => {
  for (const path of ["cli/page.ts", "cli/index_page.ts"]) {
    const named = colors(await read(path));
    for (const name of ["ink", "quiet", ...named.has("link") ? ["link"] : []]) {
      assertGreater(contrast(named.get(name)![0], "#fff"), TEXT, `${path}: ${name}`);
    }
  }
});

Deno.test("an exercise's verdict: text in the theme's colour, and a bar that is seen on both themes", async () => {
  const bars = [...(await read("jupyter/exercise.ts")).matchAll(/\["(#\w{6})"/g)].map(([, color]) => color);
  assertEquals(bars.length, 4);
  // JupyterLab 4: --jp-layout-color0 of the themes Light and Dark
  for (const ground of ["#ffffff", "#111111"]) {
    for (const bar of bars) assertGreater(contrast(bar, ground), MARK, `${bar} on ${ground}`);
  }
});
