/** The figures on reuse: what is on them, and what they refuse. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { ReuseResult } from "../../lib/experiments/reuse/reuse.ts";
import type { SpanName } from "../../lib/experiments/reuse/rows.ts";
import type { Estimate } from "../../lib/experiments/rows.ts";
import { putBackPlot, reusePlot } from "../../lib/figures/reuse_plot.ts";
import { toSvg } from "../../lib/figures/svg.ts";
import { locationNames } from "./made_up_rows.ts";
import { assertSound } from "./svg_checks.ts";

const about = (value: number): Estimate => ({ value, interval: [0.8 * value, 1.3 * value] });
const NODES = ["MLP1", ...Array.from({ length: 8 }, (_, h) => `L2H${h}`), "MLP2", "MLP3"];

/** Made-up numbers of realistic size. */
function made(other?: string): ReuseResult {
  const spans: SpanName[] = ["writer", "random", ...(other ? ["other" as const] : [])];
  const size = (span: SpanName) => ({ writer: 0.2, random: 0.02, other: 0.05 })[span];
  const phase = "between" as const;
  return {
    writer: "L0H2",
    cleaners: ["L2H3"],
    ...(other && { other }),
    spans: [{ span: "writer", node: "L0H2", k: 3, energy: 0.93, chance: 3 / 63 }],
    occupancy: spans.flatMap((span) =>
      locationNames(4).map((location, i) => ({
        span,
        location,
        phase,
        all: about(size(span) / (1 + i)),
        own: about(size(span) / 2),
        rest: about(size(span) / 3),
      }))
    ),
    written: spans.flatMap((span) =>
      NODES.map((node, i) => ({
        span,
        node,
        kind: node.startsWith("M") ? "mlp" as const : "head" as const,
        layer: 2,
        phase,
        cleaner: i === 4,
        all: about(size(span) * (1 + i) / 10),
        rest: about(size(span)),
      }))
    ),
    read: spans.flatMap((span) =>
      (["Q", "K", "V"] as const).flatMap((input) =>
        ["L2H0", "layer 2", "layer 3"].map((reader) => ({
          span,
          reader,
          input,
          layer: 2,
          phase,
          all: about(size(span)),
          own: about(size(span)),
          rest: about(size(span)),
        }))
      )
    ),
    putBack: [0.5, 1].flatMap((lambda) =>
      (["writer", "control"] as const).map((run) => ({ run, lambda, loss: about(lambda / 10) }))
    ),
    changed: [],
    needed: spans.map((span) => ({ span, loss: about(size(span)), divergence: about(size(span)) })),
    assumptions: {},
  };
}

Deno.test("reusePlot() draws what stands there, who writes and who reads, with the controls in the same panels", () => {
  const drawing = assertSound(toSvg(reusePlot(made("L0H5"))));
  assertEquals([drawing.count("line"), drawing.count("area")], [4, 4]);
  assertEquals(drawing.count("dot"), 4 * 9 + 3 * NODES.length + 3 * 6);
  for (
    const word of ["random directions", "those of L0H5, not erased", "K of layer 3", "Cleaners: L2H3", "MLP3"]
  ) {
    assertStringIncludes(drawing.words, word);
  }
  assertStringIncludes(drawing.words, "3 directions with 93 % of the energy");
  const alone = assertSound(toSvg(reusePlot(made())));
  assertEquals(alone.count("line"), 3);
  assert(!alone.words.includes("not erased"));
});

Deno.test("putBackPlot() draws both questions, each beside its control", () => {
  const drawing = assertSound(toSvg(putBackPlot(made("L0H5"))));
  assertEquals(drawing.count("dot"), 2 * 2 + 3);
  for (const word of ["λ = 0.5", "λ = 1", "L0H2’s directions", "random directions", "L0H5’s directions"]) {
    assert(drawing.texts.some(({ text }) => text === word), word);
  }
  assertEquals(assertSound(toSvg(putBackPlot(made()))).count("dot"), 2 * 2 + 2);
  assertThrows(() => putBackPlot({ ...made(), putBack: [] }), Error, "without unembedding has no loss");
});
