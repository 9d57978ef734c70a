/** Figures 6 to 10, the appendix and the heat map. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { NormRow, PairResponseRow } from "../../lib/experiments/rows.ts";
import type { ScanResult } from "../../lib/experiments/scan/scan.ts";
import { appendix } from "../../lib/figures/appendix.ts";
import { fig10 } from "../../lib/figures/fig10.ts";
import { fig6, fig6Shared } from "../../lib/figures/fig6.ts";
import { fig7 } from "../../lib/figures/fig7.ts";
import { fig8 } from "../../lib/figures/fig8.ts";
import { fig9 } from "../../lib/figures/fig9.ts";
import { heatMap } from "../../lib/figures/heat_map.ts";
import { layersPlot } from "../../lib/figures/report.ts";
import { toSvg } from "../../lib/figures/svg.ts";
import { Random } from "../../lib/stats/random.ts";
import { locationNames, locationRows } from "./made_up_rows.ts";
import { assertSound } from "./svg_checks.ts";

const heads = Array.from({ length: 8 }, (_, h) => `L0H${h}`);
const prompts = ["class Ship:\n\tdef", "She studied chemistry at Oxford", "To the"];

function normRows(nodes: string[]): NormRow[] {
  return nodes.flatMap((node, h) =>
    (["token", "position"] as const).flatMap((embedding) => {
      const width = 0.1 * (h + 1) * (embedding === "token" ? 1 : 2);
      return Array.from({ length: 20 }, (_, i) => ({
        node,
        embedding,
        scale: "own" as const,
        from: i * width,
        to: (i + 1) * width,
        share: i < 4 ? 0.25 : 0,
      }));
    })
  );
}

function lossRows() {
  const random = new Random(6);
  return ["none", ...heads].map((node) => {
    const median = node === "none" ? 2.25 : 0.1 * random.next();
    const by = node === "none" ? "none" as const : "resampled" as const;
    return { node, by, median, mean: median, low: median - 0.02, high: median + 0.03, n: 300 };
  });
}

function positionRows(n: number) {
  const random = new Random(7);
  return (["BOS", "rest"] as const).flatMap((part) =>
    Array.from({ length: n }, (_, position) => {
      const median = (part === "BOS" ? -0.9 : -0.4) + 0.02 * random.normal();
      return { writer: "L0H2", position, part, median, low: median - 0.1, high: median + 0.1, n: 300 };
    })
  );
}

function ablationRows(texts: string[]) {
  const random = new Random(8);
  return texts.flatMap((prompt) =>
    heads.map((node) => ({
      prompt,
      node,
      dla: random.normal(),
      effect: random.normal(),
      zeroed: random.normal(),
    }))
  );
}

function pairs(writers: string[], nodes: string[]): PairResponseRow[] {
  const random = new Random(9);
  return writers.flatMap((writer) => nodes.map((node) => ({ writer, node, ratio: 0.3 * random.normal() })));
}

Deno.test("fig6() draws both kinds of embeddings in a panel a head, as densities", () => {
  const drawing = assertSound(toSvg(fig6(normRows(heads), { writer: "L0H2" })));
  assertEquals(drawing.count("line"), 16);
  assertStringIncludes(drawing.words, "L0H2 (writer)");
  assertEquals(drawing.marks("legend entry").length, 2);
  // A token's bins are half as wide as a position's, so the same shares stand twice as high; each panel has
  // its own scale.
  const top = (line: Element) => {
    const ys = [...line.children[0].getAttribute("d")!.matchAll(/,(-?[\d.]+)/g)].map((m) => Number(m[1]));
    return Math.max(...ys) - Math.min(...ys);
  };
  const lines = drawing.marks("line");
  for (const at of [0, 2, 14]) {
    assert(
      Math.abs(top(lines[at]) / top(lines[at + 1]) - 2) < 0.01,
      `${top(lines[at])} / ${top(lines[at + 1])}`,
    );
    assert(Math.abs(top(lines[at]) / top(lines[0]) - 1) < 0.01, `${top(lines[at])} / ${top(lines[0])}`);
  }
});

Deno.test("fig6() draws one head of a model without positional embeddings", () => {
  const drawing = assertSound(toSvg(fig6(normRows(["L0H0"]).filter((row) => row.embedding === "token"))));
  assertEquals(drawing.marks("legend entry").length, 1);
});

Deno.test("fig6Shared() draws tokens and positions side by side; fig6() refuses rows of two scales", () => {
  const summary = heads.flatMap((node, h) =>
    (["token", "position"] as const).map((embedding) => {
      const median = embedding === "token" ? 0.3 : 0.02 * (h + 1);
      return { node, embedding, norm: median, median, low: 0.8 * median, high: 1.2 * median, n: 100 };
    })
  );
  const drawing = assertSound(toSvg(fig6Shared(summary, { writer: "L0H2" })));
  assertEquals(drawing.count("dot"), 16);
  assertStringIncludes(drawing.words, "L0H2 (writer)");
  assertStringIncludes(drawing.words, "divided by one scale");
  assertStringIncludes(assertSound(toSvg(fig6(normRows(heads)))).words, "its own LayerNorm scale");
  const shared = normRows(heads).map((row) => ({ ...row, scale: "shared" as const }));
  assertThrows(() => fig6([...normRows(heads), ...shared]), Error, "got rows of the scales own and shared");
});

Deno.test("fig7() draws zero and mean beside the resampled writer, and says what they are", () => {
  const [none, ...rest] = lossRows();
  const more = (["zero", "mean"] as const).map((by) => ({ ...rest[2], by }));
  const drawing = assertSound(toSvg(fig7([none, ...rest, ...more], { writer: "L0H2" })));
  assertEquals(drawing.count("dot"), 10);
  assertStringIncludes(drawing.words, "L0H2 zero");
  assertStringIncludes(drawing.words, "its mean over the prompts at the same position");
});

Deno.test("fig8() says where both curves are one", () => {
  const words = (apart?: boolean) => assertSound(toSvg(fig8(positionRows(20), { apart }))).words;
  assertStringIncludes(words(false), "do not tell which part is erased");
  assert(!words(true).includes("one line") && !words().includes("one line"));
});

Deno.test("fig7() draws the heads, marks the writer, and names the clean loss", () => {
  const drawing = assertSound(toSvg(fig7(lossRows(), { writer: "L0H2" })));
  assertEquals(drawing.count("dot"), 8);
  assertStringIncludes(drawing.words, "Median loss of the clean run: 2.25 nats per token.");
  assertEquals(drawing.marks("legend entry").length, 2);
  assertSound(toSvg(fig7(lossRows())));
  assertThrows(() => fig7(lossRows().slice(0, 1)), Error, "got only the clean run");
});

Deno.test("fig8() draws both parts with bands and names them at their ends", () => {
  const drawing = assertSound(toSvg(fig8(positionRows(1024))));
  assertEquals([drawing.count("line"), drawing.count("area")], [2, 2]);
  assert(["BOS", "rest"].every((name) => drawing.texts.some((box) => box.text === name)));
  const close = positionRows(30).map((row) => ({ ...row, median: -0.5, low: -0.6, high: -0.4 }));
  assertSound(toSvg(fig8(close)));
  assertSound(toSvg(fig8(positionRows(1))));
  const two = [...positionRows(3), { ...positionRows(1)[0], writer: "L0H5" }];
  assertThrows(() => fig8(two), Error, "shows one writer, but the rows name L0H2, L0H5");
});

Deno.test("fig9() draws a mark a head and prompt, and rings the writer", () => {
  const drawing = assertSound(toSvg(fig9(ablationRows(prompts), { writer: "L0H2" })));
  assertEquals(drawing.count("dot"), 24 + 3 + 3);
  assertStringIncludes(drawing.words, "“class Ship:⏎⇥def”");
  assertStringIncludes(drawing.words, "8 heads, 3 prompts");
  assertEquals(drawing.marks("legend entry").length, 5);
  assertStringIncludes(drawing.words, "L0H2 set to zero instead");
  const many = assertSound(toSvg(fig9(ablationRows(Array.from({ length: 9 }, (_, i) => `prompt ${i}`)))));
  assertEquals(
    many.marks("legend entry").length,
    0,
    "nine prompts cannot be told apart, so no legend says they can",
  );
});

Deno.test("fig10() draws a line a prompt and refuses more than can be told apart", () => {
  const rows = (texts: string[]) =>
    texts.flatMap((prompt) =>
      locationNames(4).map((location, i) => ({ writer: "L0H2", prompt, location, ratio: i / 9 }))
    );
  const drawing = assertSound(toSvg(fig10(rows(prompts))));
  assertEquals(drawing.count("line"), 3);
  assertEquals(drawing.marks("legend entry").length, 3);
  assertSound(toSvg(fig10(rows(prompts.map((text) => text.repeat(50))))));
  const eight = rows(Array.from({ length: 8 }, (_, i) => `prompt ${i}`));
  assertThrows(() => fig10(eight), Error, "up to 7 prompts, but the rows name L0H2 and 8 prompts");
});

Deno.test("appendix() draws a panel a node, with ticks under the lowest only", () => {
  const nodes = Array.from(
    { length: 4 },
    (_, l) => [...heads.map((head) => head.replace("0", `${l}`)), `MLP${l}`],
  ).flat();
  const drawing = assertSound(toSvg(appendix(locationRows(nodes), { writer: "L0H2" })));
  assertEquals([drawing.count("line"), drawing.count("area")], [36, 36]);
  assertEquals(drawing.texts.filter((box) => box.text === "post3").length, 4);
  for (const node of nodes) assert(drawing.words.includes(node), `${node} has no panel`);
  assertSound(toSvg(appendix(locationRows(["L0H2", "L0H3", "L0H4", "L0H5", "L0H6"], 12))));
});

Deno.test("heatMap() draws every measured pair, white at 0, and says what is missing", () => {
  const rows = pairs(heads, ["L2H0", "L2H1", "L2H2", "L2H3"]);
  rows[0].ratio = NaN;
  rows[1].ratio = 0;
  const drawing = assertSound(toSvg(heatMap(rows)));
  assertEquals(drawing.count("cell"), rows.length - 1);
  const fill = drawing.marks("cell")[0].children[0].getAttribute("fill")!;
  assert(fill.match(/\d+/g)!.every((channel) => Number(channel) > 230), `0 is near white, got ${fill}`);
  assertStringIncludes(drawing.words, "Grey: does not read it.");
  assert(drawing.root.querySelector("image") !== null, "the colour legend is drawn");
});

Deno.test("heatMap() draws 157 × 157 nodes, one pair, and leaves out nodes of which nothing was measured", () => {
  const names = Array.from({ length: 157 }, (_, i) => `L${Math.floor(i / 13)}H${i % 13}`);
  assertSound(toSvg(heatMap(pairs(names, names))));
  assertSound(toSvg(heatMap(pairs(["L0H2"], ["L2H2"]))));
  const rows = [...pairs(["L0H2"], ["L2H2", "L2H3"]), { writer: "L1H1", node: "L3H3", ratio: NaN }];
  assert(!assertSound(toSvg(heatMap(rows))).words.includes("L1H1"));
});

Deno.test("heatMap() says how many values lie beyond its limit", () => {
  const rows = pairs(["L0H2"], ["L2H2", "L2H3", "L2H4"]).map((row, i) => ({
    ...row,
    ratio: [5, -0.2, -3][i],
  }));
  assertStringIncludes(
    assertSound(toSvg(heatMap(rows))).words,
    "2 values beyond ±1 have the colour of the end.",
  );
});

Deno.test("the other figures refuse no rows as well", () => {
  assertThrows(() => fig6([]), Error, "Drawing Figure 6 failed: got no rows");
  assertThrows(() => fig7([]), Error, "Drawing Figure 7 failed: got no rows");
  assertThrows(() => fig8([]), Error, "Drawing Figure 8 failed: got no rows");
  assertThrows(() => fig9([]), Error, "Drawing Figure 9 failed: got no rows");
  assertThrows(() => fig10([]), Error, "Drawing Figure 10 failed: got no rows");
  assertThrows(() => appendix([]), Error, "Drawing the appendix failed: got no rows");
  assertThrows(() => heatMap([]), Error, "Drawing the heat map failed: got no rows");
});

Deno.test("layersPlot() leaves out what writes nothing, and there is none where nothing writes", () => {
  const of = (...lefts: [kind: "head" | "mlp", layer: number, left: number][]) =>
    layersPlot({
      layers: lefts.map(([kind, layer, left]) => ({ kind, layer, left, low: left - 0.1, high: left + 0.1 })),
    } as ScanResult);
  assertSound(toSvg(of(["head", 0, 0.5], ["mlp", 0, NaN], ["head", 1, 0.4], ["mlp", 1, NaN])!));
  assertEquals(of(["head", 0, NaN], ["head", 1, NaN]), undefined);
});
