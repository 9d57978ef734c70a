/** Text widths against resvg, which shapes the same fonts independently. */
import { Resvg } from "@resvg/resvg-js";
import { assert, assertEquals } from "@std/assert";
import { fontFiles, hasGlyph, textWidth, wrapText } from "../../lib/figures/font.ts";
import {
  lastCharacters,
  promptLines,
  symbolNote,
  visible,
  visibleEnds,
} from "../../lib/figures/prompt_text.ts";
import { spread, tickLayout } from "../../lib/figures/location_plot.ts";

/** Advance of `text` in pixels: the distance by which a bar after it is moved. */
function drawnWidth(text: string, size: number, weight: number): number {
  const end = (content: string) => {
    const svg =
      `<svg xmlns="http://www.w3.org/2000/svg" width="2000" height="99" font-family="Inter" font-size="${size}" ` +
      `font-weight="${weight}"><text y="60">${content}H</text></svg>`;
    const box = new Resvg(svg, { font: { loadSystemFonts: false, fontFiles: fontFiles() } }).innerBBox()!;
    return box.x + box.width;
  };
  return end(text) - end("");
}

Deno.test("textWidth() agrees with resvg to 2 % (kerning is left out)", () => {
  for (
    const text of [
      "projection ratio of resid onto L0H2",
      "Figure 1 · Residual stream",
      "−0.903 ± 0.013",
      "⏎⇥␣ def __init__",
    ]
  ) {
    for (const weight of [400, 600]) {
      const drawn = drawnWidth(text, 40, weight), measured = textWidth(text, 40, weight === 600);
      assert(
        Math.abs(measured / drawn - 1) < 0.02,
        `"${text}" ${weight}: measured ${measured}, drawn ${drawn}`,
      );
    }
  }
});

Deno.test("textWidth() grows with the size, counts code points, and gives joiners no width", () => {
  assertEquals(textWidth("", 11), 0);
  assert(Math.abs(textWidth("abc", 22) - 2 * textWidth("abc", 11)) < 1e-9);
  assertEquals(textWidth("-\u200c>", 11), textWidth("->", 11));
  assert(hasGlyph("Σ") && hasGlyph("ب") && !hasGlyph("語"));
});

Deno.test("wrapText() fills lines, keeps words whole where it can, and loses no character", () => {
  const text = "It is a truth universally acknowledged that 123456789012345678901234567890 is long";
  const lines = wrapText(text, 90, 11);
  for (const line of lines) assert(textWidth(line, 11) <= 90, `"${line}" is too wide`);
  assertEquals(lines.join("").replace(/ /g, ""), text.replace(/ /g, ""));
  assertEquals(wrapText("one\ntwo", 500, 11), ["one", "two"]);
  assertEquals(wrapText("", 500, 11), [""]);
});

Deno.test("visible() shows white space and keeps code from becoming arrows", () => {
  assertEquals(visible("a\tb\r\nc  d"), "a⇥b⏎c␣␣d");
  assertEquals(visible("p->q"), "p-\u200c>q");
  assertEquals(visible("a\u0007語"), "a□□");
  assertEquals(visibleEnds(" State"), "␣State");
  assertEquals(visibleEnds("  "), "␣␣");
  assertEquals(symbolNote(["a⇥b", "c"]), "⇥ tab.");
  assertEquals(symbolNote(["plain"]), "");
});

Deno.test("lastCharacters() and promptLines() keep the end of a prompt", () => {
  assertEquals(lastCharacters("short", 10), "short");
  assertEquals(lastCharacters("one two three four", 12), "…three four");
  const lines = promptLines("word ".repeat(100) + "end", 200, 60);
  assert(lines[0].startsWith("“…word") && lines.at(-1)!.endsWith("end”"), lines.join("|"));
});

Deno.test("spread() moves close values apart, the least possible, within the range", () => {
  assertEquals(spread([0, 10], 2, [-5, 15]), [0, 10]);
  assertEquals(spread([3, 3], 2, [0, 10]), [2, 4]);
  assertEquals(spread([5, 4.5, 0], 2, [-10, 10]), [5.75, 3.75, 0]);
  assertEquals(spread([9.9, 9.8, 9.7], 1, [0, 10]), [10, 9, 8]);
  assertEquals(spread([], 1, [0, 1]), []);
});

Deno.test("tickLayout() sets names level, slants them, then leaves some out", () => {
  assertEquals(tickLayout(["a", "b"], 50), { shown: [0, 1], rotate: 0, height: 18 });
  assertEquals(tickLayout(["resid_pre0", "resid_mid0"], 30).rotate, -40);
  assertEquals(tickLayout(Array.from({ length: 9 }, (_, i) => `resid_mid${i}`), 5).shown, [0, 3, 6]);
});
