/**
 * What the metrics rest on, in every family: components add up to the stream at each place, head by head and
 * for some positions alone; a dot product taken in head space is that with what the head writes; DLA of all
 * components adds up to the difference of the logits (before a soft cap). In models that normalise what a
 * branch writes, these fail by factors when that norm is left out: one test says by how much.
 */
import { assert } from "@std/assert";
import { attentionOf } from "../../../lib/checkpoints/blocks.ts";
import { outputSize } from "../../../lib/checkpoints/config.ts";
import { attributionVector, topTwo, unembedding } from "../../../lib/metrics/attribution.ts";
import { laterLocations, laterNodes } from "../../../lib/metrics/later_nodes.ts";
import { decompose } from "../../../lib/metrics/components.ts";
import {
  headDots,
  headProjectionRatios,
  projectionRatiosOntoHeads,
} from "../../../lib/metrics/projection.ts";
import { atPositions, removal, responses, retained } from "../../../lib/metrics/retention.ts";
import { run } from "../../../lib/tensor/run.ts";
import type { Tensor } from "../../../lib/tensor/tensor.ts";
import type { Hooks } from "../../../lib/transformer/hook_points.ts";
import { feed } from "../../../lib/transformer/model.ts";
import { load, off, recorded, recordedNames } from "./recorded.ts";

for (const name of recordedNames) {
  Deno.test(`${name}: components add up to the stream at each place, of all positions and of some`, async () => {
    const { prompts } = await recorded(name);
    for (const processing of [false, {}] as const) {
      const pass = (await load(name, processing)).forward();
      const outputs: Record<string, Tensor> = {};
      for (const range of [undefined, { start: 2, end: 5 }]) {
        const { outputs: parts, locations } = decompose(pass, range);
        const stream = new Map(pass.residualStream().map(({ location, value }) => [location, value]));
        for (const { location, count } of locations) {
          const there = stream.get(location)!;
          outputs[`${location} ${!range}`] = range ? there.slice("pos", range.start, range.end) : there;
          outputs[`sum ${location} ${!range}`] = parts.slice("component", 0, count).sum("component");
        }
      }
      const values = await run(outputs, feed(prompts));
      for (const at of Object.keys(outputs).filter((key) => !key.startsWith("sum"))) {
        const error = off(values[`sum ${at}`].data, values[at].data);
        assert(error < 1e-5, `${at} is off by ${error}`);
      }
    }
  });

  Deno.test(`${name}: dot products in head space are those with what heads write, hooked or not`, async () => {
    const { prompts } = await recorded(name);
    const model = await load(name, false);
    const hooked: Hooks = { "blocks.1.attn.hook_result": (x: Tensor) => x.mul(1.5) };
    for (const hooks of [{}, hooked]) {
      const pass = model.forward({ hooks });
      const writer = pass.node("MLP0");
      const each = Array.from({ length: model.config.n_heads }, (_, head) => pass.headResult(1, head));
      const values = await run({
        dots: headDots(pass, 1, writer).select("head", 1),
        ratio: headProjectionRatios(pass, 1, writer).select("head", 1),
        onto: projectionRatiosOntoHeads(pass, 1, [writer]).select("value", 0).select("head", 1),
        dot: each[1].dot(writer, "d_model"),
        square: writer.sumSquares("d_model"),
        own: each[1].sumSquares("d_model"),
        sum: each.reduce((a, b) => a.add(b)),
        all: pass.headResults(1).sum("head"),
      }, feed(prompts));
      const over = (below: "square" | "own") => values.dot.data.map((x, i) => x / values[below].data[i]);
      assert(off(values.dots.data, values.dot.data) < 1e-5, "headDots");
      assert(off(values.ratio.data, over("square")) < 1e-5, "headProjectionRatios");
      assert(off(values.onto.data, over("own")) < 1e-5, "projectionRatiosOntoHeads");
      assert(off(values.all.data, values.sum.data) < 1e-5, "headResults");
    }
  });

  Deno.test(`${name}: DLA of all components adds up to the difference of the logits before a cap`, async () => {
    const { prompts } = await recorded(name);
    const model = await load(name);
    if (outputSize(model.config) === 0) return;
    const pass = model.forward();
    const { first, second, logitDifference } = topTwo(pass);
    const u = attributionVector(pass, unembedding(pass, first).sub(unembedding(pass, second)));
    const b_U = pass.weight("unembed.b_U");
    const bias = b_U.gather("d_vocab", first).sub(b_U.gather("d_vocab", second));
    const sum = decompose(pass).outputs.dot(u, "d_model").sum("component").add(bias);
    const values = await run({ sum: sum.order("batch", "pos"), logitDifference }, feed(prompts));
    const error = off(values.sum.data, values.logitDifference.data);
    assert(error < 1e-4, `off by ${error}`);
  });
}

for (const name of ["gemma2", "gemma3", "olmo2", "olmo3", "qwen3", "bloom", "smollm3"]) {
  Deno.test(`${name}: retention is 1 plus the responses of the later nodes`, async () => {
    const { prompts } = await recorded(name);
    const model = await load(name);
    const clean = model.forward();
    for (const [writer, route] of [["L0H1", "all"], ["MLP0", "values"], ["embed", "patterns"]] as const) {
      const w = atPositions(clean.node(writer));
      const without = model.forward({ hooks: removal(clean, writer, w, route) });
      const nodes = laterNodes(model.config, writer);
      const { hook } = laterLocations(model.config, writer).at(-1)!;
      const { R, rho } = await run({
        R: retained(clean, without, w, hook).slice("pos", 1, prompts.length),
        rho: responses(clean, without, w, nodes).sum("node").add(1).slice("pos", 1, prompts.length),
      }, feed(prompts));
      assert(off(rho.data, R.data) < 1e-4, `${writer}, ${route}: off by ${off(rho.data, R.data)}`);
    }
  });
}

Deno.test("Post-norms matter: without them a head's part of the stream would be off by more than its own length", async () => {
  for (const name of ["gemma2", "gemma3", "olmo2", "olmo3"]) {
    const { prompts } = await recorded(name);
    const pass = (await load(name)).forward();
    assert(attentionOf(pass.config, 1).postNorm === "blocks.1.ln1_post");
    const { with_, without } = await run({
      with_: pass.headResult(1, 0),
      without: pass.hook("blocks.1.attn.hook_result").select("head", 0),
    }, feed(prompts));
    assert(off(without.data, with_.data) > 0.3, name);
  }
});
