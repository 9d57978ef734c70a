// Against the plain forward pass (loops, written separately), run again without the writer's output; and the
// identity R = 1 + Σ ρ.
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "@std/assert";
import type { Prompts } from "../../lib/checkpoints/mod.ts";
import { laterLocations, laterNodes } from "../../lib/metrics/later_nodes.ts";
import {
  addedAt,
  atPositions,
  removal,
  responses,
  retained,
  type Route,
} from "../../lib/metrics/retention.ts";
import { run } from "../../lib/tensor/run.ts";
import type { Tensor } from "../../lib/tensor/tensor.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { feed, type Model } from "../../lib/transformer/model.ts";
import { modelNodes } from "../../lib/transformer/nodes.ts";
import { ALL_STEPS } from "../../lib/transformer/processing.ts";
import { dot, letterModel, minus, plainRun, vector } from "../experiments/plain_values.ts";
import { embeddedPrompts, randomPrompts, small } from "../transformer/models.ts";
import { rounding } from "./rounding.ts";

/**
 * Largest |R - (1 + Σ ρ)| over locations, positions from 1 on and all nodes that write, in units of
 * max(1, |R|) and beyond what rounding makes of a head that writes next to nothing.
 */
async function offIdentity(model: Model, prompts: Prompts, route: Route): Promise<number> {
  const clean = model.forward();
  let worst = 0;
  for (const { name } of modelNodes(model.config)) {
    const w = atPositions(clean.node(name));
    const without = model.forward({ hooks: removal(clean, name, w, route) });
    const nodes = laterNodes(model.config, name);
    const places = laterLocations(model.config, name);
    const outputs: Record<string, Tensor> = { square: w.dot(w, "d_model") };
    if (nodes.length > 0) outputs.rho = responses(clean, without, w, nodes);
    for (const { location, hook } of places) outputs[location] = retained(clean, without, w, hook);
    const made = await run(outputs, feed(prompts));
    for (const { location, after } of places) {
      made[location].data.forEach((R: number, t: number) => {
        if (t % prompts.length === 0) return assertEquals(R, 0, "position 0 is left alone");
        let sum = 1;
        for (let i = 0; i < after; i++) sum += made.rho.data[t * nodes.length + i];
        const error = Math.abs(R - sum) - rounding(made.square.data[t]);
        worst = Math.max(worst, error / Math.max(1, Math.abs(R)));
      });
    }
    assertEquals(places[0].after, 0);
    assertEquals(places.at(-1)!.after, nodes.length);
  }
  return worst;
}

for (const route of ["all", "patterns", "values", "position"] as const) {
  Deno.test(`R = 1 + Σ ρ at every location, of every node: route "${route}"`, async () => {
    assert(await offIdentity(await loadModel(), await embeddedPrompts(2, 24), route) < 1e-4);
    const { model } = small(7, { n_layers: 3 }, ALL_STEPS);
    // outputs of very different lengths
    assert(await offIdentity(model, randomPrompts(model, 7, 2, 6), route) < 1e-3);
  });
}

Deno.test("R = 1 + Σ ρ without weight processing, in attention-only models and under RMSNorm", async () => {
  for (const changes of [{}, { attn_only: true, n_layers: 3 }, { normalization: "RMS", act_fn: "silu" }]) {
    const { model } = small(11, changes);
    assert(await offIdentity(model, randomPrompts(model, 11, 2, 6), "all") < 1e-3, JSON.stringify(changes));
  }
});

Deno.test("where a node's output is added, and who can read it", async () => {
  const { config } = await loadModel();
  assertEquals(addedAt(config, "L1H6"), "blocks.1.hook_attn_out");
  assertEquals(addedAt(config, "MLP2"), "blocks.2.hook_mlp_out");
  assertEquals(addedAt(config, "pos_embed"), "hook_pos_embed");
  assertThrows(() => addedAt(config, "L9H0"), Error, 'no node "L9H0"');
  assertEquals(laterNodes(config, "MLP2").map((n) => n.name), [
    "L3H0",
    "L3H1",
    "L3H2",
    "L3H3",
    "L3H4",
    "L3H5",
    "L3H6",
    "L3H7",
    "MLP3",
  ]);
  assertEquals(laterNodes(config, "L3H2").map((n) => n.name), ["MLP3"]);
  assertEquals(laterNodes(config, "MLP3"), []);
  assertEquals(laterNodes(config, "embed").length, 36);
  assertEquals(laterLocations(config, "L3H2").map(({ location, after }) => [location, after]), [[
    "resid_mid3",
    0,
  ], ["resid_post3", 1]]);
  const parallel = { ...config, parallel_attn_mlp: true };
  assertEquals(laterNodes(parallel, "L3H2"), []);
  assertEquals(laterLocations(parallel, "L3H2").map((l) => l.location), ["resid_post3"]);
});

Deno.test("retention and responses by hand: the plain forward pass with and without the writer's output", async () => {
  const model = letterModel(5);
  const { d_model, n_heads } = model.config;
  const tokens = [[0, 4, 9, 2, 7], [0, 1, 1, 16, 3]];
  const prompts = { tokens: Int32Array.from(tokens.flat()), count: 2, length: 5, source: "test" };
  const plain = plainRun(model, tokens);
  const result = (run: typeof plain, layer: number, b: number, t: number, head: number) =>
    vector(run.get(`blocks.${layer}.attn.hook_result`)!, b, t, head);
  const strength = 0.5;
  const edits = {
    "blocks.0.hook_attn_out": ({ data }: { data: Float64Array }) => {
      for (let b = 0; b < 2; b++) {
        for (let t = 1; t < 5; t++) {
          result(plain, 0, b, t, 1).forEach((x, i) => data[(b * 5 + t) * d_model + i] -= strength * x);
        }
      }
    },
  };
  const gone = plainRun(model, tokens, { edits });

  const clean = model.forward();
  const delta = atPositions(clean.node("L0H1")).mul(strength);
  const without = model.forward({ hooks: removal(clean, "L0H1", delta) });
  const nodes = laterNodes(model.config, "L0H1");
  const made = await run({
    end: retained(clean, without, delta, "blocks.1.hook_resid_post"),
    rho: responses(clean, without, delta, nodes),
  }, feed(prompts));
  assertEquals(made.rho.names, ["batch", "pos", "node"]);
  for (let b = 0; b < 2; b++) {
    for (let t = 1; t < 5; t++) {
      const w = result(plain, 0, b, t, 1).map((x) => strength * x);
      const along = (x: Float64Array, y: Float64Array) => dot(minus(x, y), w) / dot(w, w);
      const at = (hook: string) => along(vector(plain.get(hook)!, b, t), vector(gone.get(hook)!, b, t));
      const expected = nodes.map(({ name, layer }) => {
        if (name.startsWith("MLP")) return at(`blocks.${layer}.hook_mlp_out`);
        const head = Number(name.split("H")[1]);
        return along(result(plain, layer, b, t, head), result(gone, layer, b, t, head));
      });
      expected.forEach((rho, i) =>
        assertAlmostEquals(
          made.rho.data[(b * 5 + t) * nodes.length + i],
          rho,
          2e-4 * Math.max(1, Math.abs(rho)),
          nodes[i].name,
        )
      );
      const R = at("blocks.1.hook_resid_post");
      assertAlmostEquals(made.end.data[b * 5 + t], R, 2e-4 * Math.max(1, Math.abs(R)));
    }
  }
  assertEquals(nodes.length, n_heads + 2);
});
