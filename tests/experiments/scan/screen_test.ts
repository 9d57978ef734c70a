// The first pass against statistics computed from whole activations, its pieces, its state on disk, and unusual models.
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import type { Prompts } from "../../../lib/checkpoints/mod.ts";
import { candidates } from "../../../lib/experiments/scan/candidates.ts";
import { pairTable } from "../../../lib/experiments/scan/pairs.ts";
import { Screen } from "../../../lib/experiments/scan/screen.ts";
import { loadScreen, saveScreen, screenKey } from "../../../lib/experiments/scan/screen_state.ts";
import { DEFAULT_SETTINGS } from "../../../lib/experiments/scan/settings.ts";
import { quantiles } from "../../../lib/stats/quantiles.ts";
import type { Model } from "../../../lib/transformer/model.ts";
import { withFolder } from "../../checkpoints/small_model.ts";
import { randomPrompts, small } from "../../transformer/models.ts";

/** What every component writes at every token, by name, and the residual stream, from whole activations. */
async function activations(model: Model, prompts: Prompts) {
  const { config } = model, { d_model, n_heads } = config;
  const { cache } = await model.runWithCache(prompts);
  const tokens = prompts.count * prompts.length;
  const row = (name: string, t: number, head?: number) => {
    const step = head === undefined ? d_model : d_model * n_heads;
    const start = t * step + (head ?? 0) * d_model;
    return Array.from(cache[name].data.subarray(start, start + d_model), Number);
  };
  const rows = (name: string, head?: number) => Array.from({ length: tokens }, (_, t) => row(name, t, head));
  const written = new Map<string, number[][]>([["embed", rows("hook_embed")], [
    "pos_embed",
    rows("hook_pos_embed"),
  ]]);
  const stream = new Map<string, number[][]>([["resid_pre0", rows("blocks.0.hook_resid_pre")]]);
  for (let layer = 0; layer < config.n_layers; layer++) {
    for (let head = 0; head < n_heads; head++) {
      written.set(`L${layer}H${head}`, rows(`blocks.${layer}.attn.hook_result`, head));
    }
    if (!config.attn_only) {
      written.set(`MLP${layer}`, rows(`blocks.${layer}.hook_mlp_out`));
      stream.set(`resid_mid${layer}`, rows(`blocks.${layer}.hook_resid_mid`));
    }
    stream.set(`resid_post${layer}`, rows(`blocks.${layer}.hook_resid_post`));
  }
  return { written, stream };
}

const dot = (a: number[], b: number[]) => a.reduce((sum, x, i) => sum + x * b[i], 0);

for (const [kind, changes] of Object.entries({ "as usual": {}, "attention only": { attn_only: true } })) {
  Deno.test(`Screen, ${kind}: every pair and location as computed from whole activations`, async () => {
    const { model } = small(11, changes);
    const prompts = randomPrompts(model, 12, 6, 9);
    const screen = new Screen(model);
    await screen.fold(prompts, { batchSize: 4 });
    assertEquals(screen.state.prompts[0], 6);
    const { written, stream } = await activations(model, prompts);
    const table = pairTable(screen);
    assertEquals(table.writers, [...written.keys()]);
    let compared = 0;
    table.writers.forEach((writer, w) => {
      const b = written.get(writer)!;
      const norms = b.map((v) => dot(v, v));
      const index = screen.components.findIndex((c) => c.name === writer);
      table.nodes.forEach((node, c) => {
        const after = table.writers.indexOf(node) > w && layerOf(node, writer);
        assertEquals(table.ratio[w][c] !== null, after, `${node} onto ${writer}`);
        if (!after) return;
        const dots = written.get(node)!.map((a, t) => dot(a, b[t]));
        const ratios = Float32Array.from(dots, (x, t) => x / norms[t]);
        const sum = (x: ArrayLike<number>) => Array.from(x).reduce((a, b) => a + b, 0);
        const where = `${node} onto ${writer}`;
        assertAlmostEquals(table.ratio[w][c]!, sum(dots) / sum(norms), 1e-4, where);
        // The table's median of the histogram may be a bin off, or between the two values around the middle.
        const [low, high] = quantiles(ratios, [0.48, 0.52]);
        const bin = Math.abs(high) < 2 && Math.abs(low) < 2 ? 0.021 : 1.01;
        assert(table.median[w][c]! > low - bin && table.median[w][c]! < high + bin, `median of ${where}`);
        assertAlmostEquals(table.below[w][c]!, ratios.filter((x) => x < 0).length / ratios.length, 1e-6);
        const cosines = dots.map((x, t) =>
          x / Math.sqrt(norms[t] * dot(written.get(node)![t], written.get(node)![t]))
        );
        assertAlmostEquals(table.cosine[w][c]!, sum(cosines) / cosines.length, 1e-4, `cosine of ${where}`);
        const early = dots.map((_, t) => t).filter((t) => Math.min(7, Math.floor((t % 9) * 8 / 9)) === 0);
        const part = sum(early.map((t) => dots[t])) / sum(early.map((t) => norms[t]));
        assertAlmostEquals(table.byPosition[w][c]![0]!, part, 1e-4, `first part of ${where}`);
        compared++;
      });
      const placed = screen.locations.filter(({ count }) => count > index);
      for (const { location } of placed) {
        const ratios = Float32Array.from(stream.get(location)!, (r, t) => dot(r, b[t]) / norms[t]);
        const [low, high] = quantiles(ratios, [0.48, 0.52]);
        const place = screen.place(index, screen.locations.findIndex((l) => l.location === location));
        const median = screen.atLocations.quantile(place, 0.5);
        const bin = Math.abs(high) < 2 && Math.abs(low) < 2 ? 0.021 : 1.01;
        assert(
          median > low - bin && median < high + bin,
          `${location} onto ${writer}: ${median}, ${low} … ${high}`,
        );
      }
    });
    assert(compared > 10);
  });
}

/** Whether `node` is in a later sublayer than `writer`. */
function layerOf(node: string, writer: string): boolean {
  const place = (name: string) => {
    const [, head, mlp] = /^L(\d+)H|^MLP(\d+)/.exec(name) ?? [];
    return head !== undefined ? 2 * Number(head) : mlp !== undefined ? 2 * Number(mlp) + 1 : -1;
  };
  return place(node) > place(writer);
}

Deno.test("Screen: pieces of positions give what the whole gives", async () => {
  const { model } = small(13, { n_ctx: 40 });
  const prompts = randomPrompts(model, 14, 3, 40);
  const whole = new Screen(model);
  assertEquals(Object.keys(whole.outputs(40)).length, 1);
  await whole.fold(prompts);
  const pieces = new Screen(model);
  pieces.outputs = (length) => Screen.prototype.outputs.call(pieces, length, 20_000);
  const lengths = Object.values(pieces.outputs(40)).map(({ dims }) =>
    dims.find((d) => d.name === "pos")!.size
  );
  assertEquals(lengths, [13, 13, 13, 1]); // 12 components take 4 · 12 · (2 · 10 + 12) bytes for each position
  await pieces.fold(prompts);
  // A ratio at the edge of a bin may be rounded to either side; sums are the same but for rounding.
  const moved = pieces.state.nodeCounts.filter((count, i) => count !== whole.state.nodeCounts[i]).length;
  assert(moved <= 0.001 * whole.pairs * 120, `${moved} counts differ`);
  pieces.state.dot.forEach((x, i) => assertAlmostEquals(x, whole.state.dot[i], 1e-5));
});

Deno.test("Screen: interrupted, saved, loaded and taken up again, it is as if never interrupted", async () => {
  const { model } = small(15);
  const prompts = randomPrompts(model, 16, 10, 9);
  const straight = new Screen(model);
  await straight.fold(prompts, { batchSize: 3 });
  await withFolder(async (folder) => {
    const path = `${folder}/screen.safetensors`;
    const key = await screenKey(model, prompts);
    assertEquals(await loadScreen(path, model, key), undefined);
    const stop = new AbortController();
    const first = new Screen(model);
    await assertRejects(
      () =>
        first.fold(prompts, {
          batchSize: 3,
          signal: stop.signal,
          onBatch: () => stop.abort(new Error("enough")),
        }),
      Error,
      "enough",
    );
    await saveScreen(path, first, key);
    const second = (await loadScreen(path, model, key))!;
    assertEquals(second.state.prompts[0], 3);
    const progress: number[] = [];
    await second.fold(prompts, { batchSize: 3, onProgress: ({ done, total }) => progress.push(done, total) });
    assertEquals(progress, [6, 10, 9, 10, 10, 10]);
    for (const [name, array] of Object.entries(straight.state)) {
      const other = second.state[name as keyof typeof second.state];
      array.forEach((x: number, i: number) => assertAlmostEquals(other[i], x, 1e-9, name));
    }
  });
});

Deno.test("loadScreen() takes no state of other weights, other prompts or a damaged file", async () => {
  const { model } = small(15);
  const prompts = randomPrompts(model, 16, 4, 9);
  const key = await screenKey(model, prompts);
  const other = small(16).model;
  assert(key !== await screenKey(other, prompts));
  assert(key !== await screenKey(model, randomPrompts(model, 17, 4, 9)));
  assertEquals(key, await screenKey(small(15).model, randomPrompts(model, 16, 4, 9)));
  await withFolder(async (folder) => {
    const path = `${folder}/screen.safetensors`;
    await saveScreen(path, new Screen(model), key);
    assert(await loadScreen(path, model, key));
    assertEquals(await loadScreen(path, other, await screenKey(other, prompts)), undefined);
    await Deno.truncate(path, (await Deno.stat(path)).size - 1);
    assertEquals(await loadScreen(path, model, key), undefined);
    await Deno.writeTextFile(path, "");
    assertEquals(await loadScreen(path, model, key), undefined);
  });
});

Deno.test("Screen: a writer that writes nothing is skipped, and candidates() says why", async () => {
  const { model, stored } = small(17);
  const W_O = model.weights.get("blocks.0.attn.W_O")!;
  W_O.data.fill(0, 0, W_O.data.length / 3); // head 0 of three
  assert(stored.size > 0);
  const screen = new Screen(model);
  const prompts = randomPrompts(model, 18, 6, 9);
  await screen.fold(prompts);
  const index = screen.components.findIndex((c) => c.name === "L0H0");
  assertEquals(screen.state.zeros[index], 54);
  assertEquals(screen.state.tokens[index], 0);
  const all = candidates(screen, DEFAULT_SETTINGS);
  assertEquals(all.find((c) => c.name === "L0H0")!.rejected, "its output is zero everywhere");
  assertEquals(all.at(-1)!.name, "L0H0");
  const table = pairTable(screen);
  assert(table.ratio[table.writers.indexOf("L0H0")].every((x) => x === null));
});
