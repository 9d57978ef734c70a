// Figure 6: norms worked out by hand, by loops, and by TransformerLens.
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { embeddingNorms } from "../../lib/experiments/embedding_norms.ts";
import { compare, loadExpected } from "../../lib/experiments/expected.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { currentWeights } from "../transformer/models.ts";
import { handMade, letterModel, quantile } from "./plain_values.ts";

Deno.test("embeddingNorms() by hand: (3, 4, 0, 0) has RMS 2.5, and is read and written coordinate by coordinate", async () => {
  const model = handMade(
    {
      d_model: 4,
      n_layers: 1,
      n_heads: 2,
      d_head: 1,
      d_mlp: 1,
      n_ctx: 1,
      d_vocab: 2,
      normalization: "RMSPre",
      eps: 1e-12,
    },
    {
      "embed.W_E": [3, 4, 0, 0, 0, 0, 5, 0], // the second: RMS 2.5, and nothing where the heads read
      "pos_embed.W_pos": [0, 6, 8, 0], // RMS 5
      "blocks.0.attn.W_V": [1, 0, 0, 0, 0, 1, 0, 0],
      "blocks.0.attn.W_O": [0, 0, 3, 4, 0, 0, 0, 2],
    },
  );
  const { summary, rows } = await embeddingNorms(model, { bins: 10 });
  const largest = (node: string, embedding: string) =>
    Math.max(...rows.filter((r) => r.node === node && r.embedding === embedding).map((r) => r.to));
  assertAlmostEquals(largest("L0H0", "token"), 3 / 2.5 * 5, 1e-5);
  assertAlmostEquals(largest("L0H1", "token"), 4 / 2.5 * 2, 1e-5);
  assertAlmostEquals(largest("L0H1", "position"), 6 / 5 * 2, 1e-5);
  // One of two tokens in the first bin, one in the last; the mode is the first of the fullest.
  const shares = rows.filter((r) => r.node === "L0H0" && r.embedding === "token").map((r) => r.share);
  assertEquals(shares, [0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0.5]);
  const tokens = summary.find((s) => s.node === "L0H0" && s.embedding === "token")!;
  assertAlmostEquals(tokens.norm, 0.3, 1e-5);
  assertAlmostEquals(tokens.median, 3, 1e-5);
  assertEquals(tokens.n, 2);
  const positions = summary.find((s) => s.node === "L0H1" && s.embedding === "position")!;
  assertAlmostEquals(positions.median, 2.4, 1e-5);
  // One scale for all: √(6.25 + 25), the mean squares of a token and of a position.
  const shared = await embeddingNorms(model, { bins: 10, scale: "shared" });
  const top = (node: string, embedding: string) =>
    shared.summary.find((s) => s.node === node && s.embedding === embedding)!;
  assertAlmostEquals(2 * top("L0H0", "token").median, 3 * 5 / Math.sqrt(31.25), 1e-5);
  assertAlmostEquals(top("L0H1", "position").median, 6 * 2 / Math.sqrt(31.25), 1e-5);
  assertEquals([rows[0].scale, shared.rows[0].scale], ["own", "shared"]);
});

for (const processed of [true, false]) {
  Deno.test(`embeddingNorms() by loops, ${processed ? "processed" : "stored"} weights: quartiles, shares and range`, async () => {
    const model = letterModel(61, processed);
    const { n_heads, d_model: D, d_head: K, eps } = model.config;
    const weights = currentWeights(model);
    const { rows, summary } = await embeddingNorms(model, { bins: 7 });
    assertEquals(rows.length, n_heads * 2 * 7);
    const [W_V, W_O] = ["W_V", "W_O"].map((name) => weights.get(`blocks.0.attn.${name}`)!);
    const w = weights.get("blocks.0.ln1.w") ?? new Float32Array(D).fill(1);
    for (const [embedding, name] of [["token", "embed.W_E"], ["position", "pos_embed.W_pos"]]) {
      const table = weights.get(name)!;
      for (let h = 0; h < n_heads; h++) {
        const norms = Array.from({ length: table.length / D }, (_, row) => {
          const e = Array.from(table.subarray(row * D, (row + 1) * D));
          const mean = e.reduce((a, b) => a + b) / D;
          const scale = Math.sqrt(e.reduce((a, x) => a + (x - mean) ** 2, 0) / D + eps);
          const read = e.map((x, m) => (x - mean) / scale * w[m]);
          const v = Array.from(
            { length: K },
            (_, k) => read.reduce((a, x, m) => a + x * W_V[(h * D + m) * K + k], 0),
          );
          const out = Array.from(
            { length: D },
            (_, m) => v.reduce((a, x, k) => a + x * W_O[(h * K + k) * D + m], 0),
          );
          return Math.hypot(...out);
        });
        const found = summary.find((s) => s.node === `L0H${h}` && s.embedding === embedding)!;
        for (const [field, p] of [["median", 0.5], ["low", 0.25], ["high", 0.75]] as const) {
          assertAlmostEquals(found[field], quantile(norms, p), 1e-5);
        }
        const bars = rows.filter((r) => r.node === `L0H${h}` && r.embedding === embedding);
        assertAlmostEquals(bars.reduce((a, r) => a + r.share, 0), 1, 1e-9);
        assertAlmostEquals(bars.at(-1)!.to, Math.max(...norms), 1e-5);
        for (const { from, to, share } of bars.slice(0, -1)) {
          assertAlmostEquals(share, norms.filter((x) => x >= from && x < to).length / norms.length, 1e-9);
        }
      }
    }
  });
}

Deno.test("embeddingNorms() of the embedded model are those of TransformerLens", async () => {
  const expected = await loadExpected("tiny-gelu-4l");
  const { summary } = await embeddingNorms(await loadModel("tiny-gelu-4l"));
  const checks = compare("fig6", summary, expected);
  assertEquals(checks.length, 8 * 2 * 5); // norm, median, low, high, n
  assertEquals(checks.filter((c) => c.verdict !== "agrees"), []);
  assert(checks.every((c) => c.measured !== 0));
});
