/**
 * What the method rests on, in every family: the residual stream is the sum of what was written; clean minus
 * patched head result is the V-composition; and an experiment runs unchanged. Both identities hold with
 * weights as they are and processed, for LayerNorm and RMSNorm (where nothing is centred), since with a
 * frozen scale what the values read is linear in the residual stream. They say nothing of a patched layer's Q
 * and K, which are left as they were.
 */
import { assert, assertEquals } from "@std/assert";
import { attentionOf } from "../../../lib/checkpoints/blocks.ts";
import { residualProjections } from "../../../lib/experiments/residual_projections.ts";
import {
  compositionZ,
  compositionZWithoutAttention,
  vInputPatch,
  writtenByHeads,
} from "../../../lib/metrics/v_composition.ts";
import { run } from "../../../lib/tensor/run.ts";
import type { Tensor } from "../../../lib/tensor/tensor.ts";
import type { NdArray } from "../../../lib/tensor/nd_array.ts";
import type { Forward } from "../../../lib/transformer/forward.ts";
import { feed, type Model } from "../../../lib/transformer/model.ts";
import { locations, modelNodes } from "../../../lib/transformer/nodes.ts";
import { load, off, recorded, recordedNames } from "./recorded.ts";

async function checkAdditive(model: Model, prompts: Awaited<ReturnType<typeof recorded>>["prompts"]) {
  const pass = model.forward();
  const outputs: Record<string, Tensor> = {};
  for (const { location, hook, layer } of locations(model.config)) {
    const before = modelNodes(model.config).filter((node) =>
      node.layer < layer || (node.layer === layer && location !== "resid_pre0" &&
        (node.kind === "head" || !location.startsWith("resid_mid")))
    );
    let sum = before.map((node) => pass.node(node.name)).reduce((a, b) => a.add(b));
    for (let l = 0; l < layer + (location === "resid_pre0" ? 0 : 1); l++) {
      const b_O = pass.weight(`blocks.${l}.attn.b_O`).expand("batch", "batch").expand("pos", "pos");
      sum = sum.add(pass.partThroughNorm(attentionOf(model.config, l).postNorm, b_O));
    }
    outputs[location] = pass.hook(hook);
    outputs[`sum ${location}`] = sum;
  }
  const values = await run(outputs, feed(prompts));
  for (const { location } of locations(model.config)) {
    const error = off(values[`sum ${location}`].data, values[location].data);
    assert(error < 1e-5, `${location} is off by ${error}`);
  }
}

/** What the V-composition of one layer is made of, for `plainComposition`. */
function ingredients(clean: Forward, layer: number, writer: Tensor): Record<"w" | "A" | "scale", Tensor> {
  const { norm, block } = attentionOf(clean.config, layer);
  const one = clean.hook(`${block}.attn.hook_q`).sumSquares("head", "d_head").mul(0).add(1); // [batch, pos]
  return {
    w: writer.order("batch", "pos", "d_model"),
    A: clean.hook(`${block}.attn.hook_pattern`),
    scale: norm ? clean.hook(`${norm}.hook_scale`) : one,
  };
}

/**
 * v_h in plain loops from the recorded-like arrays: Σ_j A[i, j] · (centred w_j / σ_j · ln1.w) · W_V, in
 * double precision.
 */
function plainComposition(model: Model, layer: number, values: Record<"w" | "A" | "scale", NdArray>) {
  const attn = `blocks.${layer}.attn`;
  const { norm } = attentionOf(model.config, layer);
  const { n_heads: H, n_key_value_heads: G = H, d_model: D, d_head: K, normalization } = model.config;
  const W_V = model.weights.get(`${attn}.W_V`)!; // [d_model, head or kv_head, d_head]
  assertEquals(W_V.dims.map((d) => d.name), ["d_model", G < H ? "kv_head" : "head", "d_head"]);
  const gain = model.weights.get(`blocks.${layer}.ln1.w`)?.data;
  const [B, T] = values.w.shape;
  const z = new Float64Array(B * T * H * K);
  for (let b = 0; b < B; b++) {
    const v = new Float64Array(T * G * K);
    for (let t = 0; t < T; t++) {
      const row = Float64Array.from(values.w.data.subarray((b * T + t) * D, (b * T + t + 1) * D));
      const mean = norm && normalization.startsWith("LN") ? row.reduce((a, x) => a + x, 0) / D : 0;
      for (let m = 0; m < D; m++) {
        const read = (row[m] - mean) / values.scale.data[b * T + t] * (gain?.[m] ?? 1);
        for (let gk = 0; gk < G * K; gk++) v[t * G * K + gk] += read * W_V.data[m * G * K + gk];
      }
    }
    for (let h = 0; h < H; h++) {
      const g = Math.floor(h * G / H);
      for (let i = 0; i < T; i++) {
        for (let j = 0; j < T; j++) {
          const a = values.A.data[((b * H + h) * T + i) * T + j];
          for (let k = 0; k < K; k++) z[((b * T + i) * H + h) * K + k] += a * v[(j * G + g) * K + k];
        }
      }
    }
  }
  return z;
}

for (const name of recordedNames) {
  Deno.test(`${name}: the residual stream is the sum of what was written before`, async () => {
    const { prompts } = await recorded(name);
    for (const processing of [false, {}] as const) await checkAdditive(await load(name, processing), prompts);
  });

  Deno.test(`${name}: clean minus patched is the V-composition, for heads and for the MLP`, async () => {
    const { prompts } = await recorded(name);
    for (const processing of [false, {}] as const) {
      const model = await load(name, processing);
      const clean = model.forward();
      const outputs: Record<string, Tensor> = {};
      const writers = ["L0H1", "MLP0", "embed"];
      const heads = Array.from({ length: model.config.n_heads }, (_, head) => head);
      for (const writer of writers) {
        const w = clean.node(writer);
        const patched = model.forward({ hooks: vInputPatch(clean, [1], w) });
        const z = compositionZ(clean, 1, w);
        const lost = (of: (forward: Forward) => Tensor) => of(clean).sub(of(patched));
        const made = {
          z,
          zLost: lost((forward) => forward.hook("blocks.1.attn.hook_z")),
          // What reaches the stream, through a norm after attention where there is one.
          one: writtenByHeads(clean, 1, z, [1]),
          oneLost: lost((forward) => forward.headResult(1, 1)),
          all: writtenByHeads(clean, 1, z, heads),
          allLost: lost((forward) => forward.hook("blocks.1.hook_attn_out")),
          ...ingredients(clean, 1, w),
        };
        for (const [key, tensor] of Object.entries(made)) outputs[`${writer} ${key}`] = tensor;
      }
      const values = await run(outputs, feed(prompts));
      for (const writer of writers) {
        const of = (key: string) => values[`${writer} ${key}`];
        for (const [key, bound] of [["z", 1e-5], ["one", 1e-4], ["all", 1e-4]] as const) {
          const error = off(of(key).data, of(`${key}Lost`).data);
          assert(error < bound, `${writer}, ${key}: off by ${error}`);
        }
        const plain = plainComposition(model, 1, { w: of("w"), A: of("A"), scale: of("scale") });
        assert(
          off(of("z").data, plain) < 1e-5,
          `${writer}: off the plain loops by ${off(of("z").data, plain)}`,
        );
      }
    }
  });

  Deno.test(`${name}: residualProjections() runs with an explicit writer`, async () => {
    const { prompts } = await recorded(name);
    const model = await load(name);
    const heads = await residualProjections(model, prompts, { writer: "L0H1" });
    const places = locations(model.config).length;
    assertEquals(heads.rows.length, model.config.n_heads * places);
    assert(heads.rows.every((row) => Number.isFinite(row.median)));
    const { rows } = await residualProjections(model, prompts, { writer: "MLP0" });
    assertEquals(rows.map((row) => row.location), locations(model.config).map((l) => l.location));
    const parallel = model.config.parallel_attn_mlp === true;
    assertEquals(places, 1 + model.config.n_layers * (parallel ? 1 : 2));
  });
}

Deno.test("compositionZWithoutAttention() gives every head of a grouped-query model its values", async () => {
  const { prompts } = await recorded("llama");
  const clean = (await load("llama")).forward();
  const { z } = await run({
    z: compositionZWithoutAttention(clean, 1, clean.node("L0H0")).order("batch", "pos", "head", "d_head"),
  }, feed(prompts));
  assertEquals([...z.shape], [2, 9, 4, 8]);
  // Heads 0 and 1 share kv_head 0, heads 2 and 3 share kv_head 1.
  const head = (h: number) => z.select({ batch: 0, pos: 3, head: h }).data;
  assertEquals(head(0), head(1));
  assertEquals(head(2), head(3));
  assert(off(head(0), head(2)) > 0.01);
});

Deno.test("Rotary models have no pos_embed, and a name that is not there is refused", async () => {
  const model = await load("llama");
  assert(!modelNodes(model.config).some((node) => node.name === "pos_embed"));
  let message = "";
  try {
    model.forward().node("pos_embed");
  } catch (error) {
    message = (error as Error).message;
  }
  assert(message.includes('no node "pos_embed"'), message);
});
