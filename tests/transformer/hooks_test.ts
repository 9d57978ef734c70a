import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { run } from "../../lib/tensor/run.ts";
import { constant, iota, type Tensor, where } from "../../lib/tensor/tensor.ts";
import { type Hook, hookPoints, type Hooks } from "../../lib/transformer/hook_points.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { feed, type Model } from "../../lib/transformer/model.ts";
import { ALL_STEPS } from "../../lib/transformer/processing.ts";
import { type Edit, type Plain, plainForward } from "../reference/plain_forward.ts";
import {
  assertClose,
  currentWeights,
  embeddedPrompts,
  randomPrompts,
  relativeError,
  rows,
  small,
} from "./models.ts";

const { model, stored } = small(21);
const processed = small(21, {}, ALL_STEPS).model;
const prompts = randomPrompts(model, 21, 2, 5);
const points = [...hookPoints(model.config).keys()];

for (
  const [what, nothing] of [["the same tensor", (v) => v], ["an equal one", (v) => v.add(0)]] as [
    string,
    Hook,
  ][]
) {
  Deno.test(`Hooks that do nothing change nothing: each hook point returns ${what}`, async () => {
    for (const m of [model, processed]) {
      const outputs: Record<string, Tensor> = { clean: m.forward().logits };
      for (const name of points) outputs[name] = m.forward({ hooks: { [name]: nothing } }).logits;
      const { clean, ...hooked } = await run(outputs, feed(prompts));
      for (const name of points) {
        const error = relativeError(hooked[name].data, clean.data);
        assert(error <= 1e-5, `${name}: logits change by ${error}`);
      }
    }
  });
}

Deno.test("Hooks that do nothing change nothing: all at once, on the embedded model", async () => {
  const embedded = await loadModel();
  const every = Object.fromEntries(
    [...hookPoints(embedded.config).keys()].map((name) => [name, (v: Tensor) => v]),
  );
  const outputs = { clean: embedded.forward().logits, hooked: embedded.forward({ hooks: every }).logits };
  const { clean, hooked } = await run(outputs, feed(await embeddedPrompts(2, 16)));
  assert(relativeError(hooked.data, clean.data) <= 1e-5);
});

/** Runs both passes with the same changes and compares every hook point and the logits. */
async function compareEdited(
  m: Model,
  weights: ReadonlyMap<string, Float32Array>,
  hooks: Hooks,
  edits: Record<string, Edit>,
  what: string,
) {
  const { logits, cache } = await m.runWithCache(prompts, undefined, { hooks });
  const plain = plainForward(m.config, weights, rows(prompts), { edits });
  assertClose({ ...cache, logits }, plain, 1e-4, what);
}

const each = (f: (x: number) => number): Edit => (value) =>
  value.data.forEach((x, i) => value.data[i] = f(x));

/** A change of every value, and the same for the plain forward pass. */
const changes: [string, Hook, Edit][] = [
  ["set to zero", () => constant(0), each(() => 0)],
  ["halved and shifted", (v) => v.mul(0.5).add(0.25), each((x) => x * 0.5 + 0.25)],
];

for (const [what, hook, edit] of changes) {
  for (const [kind, m] of [["unprocessed", model], ["processed", processed]] as const) {
    Deno.test(`Hooks: each hook point ${what} equals the plain forward pass (${kind})`, async () => {
      const weights = m === model ? stored : currentWeights(m);
      const outputs: Record<string, Tensor> = {};
      const expected = new Map<string, Plain>();
      for (const name of points) {
        if (what === "set to zero" && name.endsWith("hook_scale")) continue; // a division by zero
        const pass = m.forward({ hooks: { [name]: hook } });
        const plain = plainForward(m.config, weights, rows(prompts), { edits: { [name]: edit } });
        for (const seen of [name, "blocks.0.hook_resid_post", "blocks.1.hook_attn_out", "logits"]) {
          const label = `${seen} with ${name} ${what}`;
          outputs[label] = seen === "logits" ? pass.logits : pass.hook(seen);
          expected.set(label, plain.get(seen)!);
        }
      }
      assertClose(await run(outputs, feed(prompts)), expected, 1e-4, what);
    });
  }
}

/** Changes only head `head` of a value [batch, pos, head, …]. */
const onHead = (head: number, hook: (v: Tensor) => Tensor): Hook => (v) =>
  where(iota("head", model.config.n_heads), "Equal", head, hook(v), v);
const onHeadPlain = (head: number, f: (x: number) => number): Edit => ({ dims: [, , H, D], data }) =>
  data.forEach((x, i) => {
    if (Math.floor(i / D) % H === head) data[i] = f(x);
  });

const clean = model.forward();
const plainClean = plainForward(model.config, stored, rows(prompts));
const frozen = (name: string): Edit => (value: Plain) => value.data.set(plainClean.get(name)!.data);
const ln1 = "blocks.1.ln1.hook_scale";
const writer = clean.headResult(0, 2);
const subtractWriter: Edit = ({ dims: [B, T, H, D], data }) => {
  const result = plainClean.get("blocks.0.attn.hook_result")!; // [batch, pos, head, d_model]
  for (let bt = 0; bt < B * T; bt++) {
    for (let h = 0; h < H; h++) {
      for (let m = 0; m < D; m++) data[(bt * H + h) * D + m] -= result.data[(bt * H + 2) * D + m];
    }
  }
};

const combined: [string, Hooks, Record<string, Edit>][] = [
  ["the writer taken from the V input, scale frozen", {
    "blocks.1.hook_v_input": (v) => v.sub(writer.expand("head")),
    [ln1]: () => clean.hook(ln1),
  }, { "blocks.1.hook_v_input": subtractWriter, [ln1]: frozen(ln1) }],
  ["the writer taken from the V input, its own scale", {
    "blocks.1.hook_v_input": (v) => v.sub(writer.expand("head")),
  }, { "blocks.1.hook_v_input": subtractWriter }],
  ["the writer taken from Q, K and V", {
    "blocks.1.hook_q_input": (v) => v.sub(writer),
    "blocks.1.hook_k_input": (v) => v.sub(writer),
    "blocks.1.hook_v_input": (v) => v.sub(writer),
  }, {
    "blocks.1.hook_q_input": subtractWriter,
    "blocks.1.hook_k_input": subtractWriter,
    "blocks.1.hook_v_input": subtractWriter,
  }],
  ["one head's V input doubled", { "blocks.1.hook_v_input": onHead(1, (v) => v.mul(2)) }, {
    "blocks.1.hook_v_input": onHeadPlain(1, (x) => 2 * x),
  }],
  ["one head ablated by its result", { "blocks.0.attn.hook_result": onHead(2, (v) => v.mul(0)) }, {
    "blocks.0.attn.hook_result": onHeadPlain(2, () => 0),
  }],
  ["one head ablated by its z", { "blocks.0.attn.hook_z": onHead(0, () => constant(0)) }, {
    "blocks.0.attn.hook_z": onHeadPlain(0, () => 0),
  }],
  ["a wildcard over the layers", { "blocks.*.mlp.hook_post": (v) => v.relu() }, {
    "blocks.0.mlp.hook_post": each((x) => Math.max(0, x)),
    "blocks.1.mlp.hook_post": each((x) => Math.max(0, x)),
  }],
  ["scores and pattern both", {
    "blocks.1.attn.hook_attn_scores": (v) => v.mul(2),
    "blocks.1.attn.hook_pattern": (v) => v.mul(0.9),
  }, {
    "blocks.1.attn.hook_attn_scores": each((x) => 2 * x),
    "blocks.1.attn.hook_pattern": each((x) => 0.9 * x),
  }],
  ["a residual replaced by the embedding", { "blocks.1.hook_resid_mid": () => clean.hook("hook_embed") }, {
    "blocks.1.hook_resid_mid": frozen("hook_embed"),
  }],
  ["one layer's z put into another", { "blocks.1.attn.hook_z": () => clean.hook("blocks.0.attn.hook_z") }, {
    "blocks.1.attn.hook_z": frozen("blocks.0.attn.hook_z"),
  }],
  ["a value of the pass itself, reordered", {
    "blocks.0.hook_mlp_out": (v) => v.order("d_model", "pos", "batch").mul(-1),
  }, { "blocks.0.hook_mlp_out": each((x) => -x) }],
];

for (const [what, hooks, edits] of combined) {
  Deno.test(`Hooks: ${what}`, async () => await compareEdited(model, stored, hooks, edits, what));
}

Deno.test("Hooks get the name of their hook point, and belong to one pass", async () => {
  const seen: string[] = [];
  const before = (await model.runWithCache(prompts, ["hook_embed"])).logits;
  model.forward({
    hooks: {
      "blocks.*.hook_resid_pre": (v, { name }) => {
        seen.push(name);
        return v.mul(0);
      },
    },
  });
  assertEquals(seen, ["blocks.0.hook_resid_pre", "blocks.1.hook_resid_pre"]);
  assertEquals((await model.runWithCache(prompts, ["hook_embed"])).logits.data, before.data);
});

Deno.test("forward({ tokens }) runs on other tokens in the same run: a head resampled from them", async () => {
  const others = randomPrompts(model, 99, 2, 5);
  const other = model.forward({ tokens: model.tokens("other") });
  const z = "blocks.0.attn.hook_z";
  const resampled = model.forward({ hooks: { [z]: () => other.hook(z) } });
  const feeds = { ...feed(prompts), other: feed(others).tokens };
  const results = await run({ mixed: resampled.logits, other: other.logits }, feeds, { batchSize: 1 });
  const plainOther = plainForward(model.config, stored, rows(others));
  assert(relativeError(results.other.data, plainOther.get("logits")!.data) <= 1e-4);
  const edits = { [z]: (value: Plain) => value.data.set(plainOther.get(z)!.data) };
  const plain = plainForward(model.config, stored, rows(prompts), { edits }).get("logits")!;
  assert(relativeError(results.mixed.data, plain.data) <= 1e-4);
});

const bad: [string, Hooks, string[]][] = [
  ["an unknown name", { "blocks.1.hook_resid_prev": (v) => v }, [
    '"blocks.1.hook_resid_prev"',
    'Did you mean "blocks.1.hook_resid_pre"?',
  ]],
  ["a layer that is not there", { "blocks.7.attn.hook_z": (v) => v }, [
    "blocks.7.attn.hook_z",
    "Did you mean",
  ]],
  ["a wildcard without a match", { "blocks.*.attn.hook_zz": (v) => v }, ["blocks.*.attn.hook_zz", "hook_z"]],
  ["two hooks for one point", { "blocks.*.hook_mlp_out": (v) => v, "blocks.0.hook_mlp_out": (v) => v }, [
    'two hooks for "blocks.0.hook_mlp_out"',
    "join them",
  ]],
  ["a value with another dim", { "hook_embed": (v) => v.expand("head", 3) }, [
    'hook "hook_embed"',
    "head",
    "expected dims among [batch,pos,d_model]",
  ]],
  ["a value of another size", { "blocks.0.attn.hook_z": (v) => v.slice("head", 0, 2) }, [
    'hook "blocks.0.attn.hook_z"',
    "head 3",
    "head 2",
  ]],
  ["no value", { "hook_embed": () => undefined as unknown as Tensor }, ['hook "hook_embed"', "no tensor"]],
  ["a number", { "hook_embed": () => 0 as unknown as Tensor }, ['hook "hook_embed"', "no tensor"]],
];
for (const [what, hooks, parts] of bad) {
  Deno.test(`Hooks: refused: ${what}`, () => {
    const { message } = assertThrows(() => model.forward({ hooks }), Error);
    for (const part of parts) assertStringIncludes(message, part);
  });
}

Deno.test("Unknown hooks, nodes and heads are refused with the nearest name", () => {
  const pass = model.forward();
  assertThrows(
    () => pass.hook("blocks.0.attn.hook_patern"),
    Error,
    'Did you mean "blocks.0.attn.hook_pattern"?',
  );
  assertThrows(() => pass.node("L0H9"), Error, '"L0H9"');
  assertThrows(() => pass.node("l1h2"), Error, 'Did you mean "L1H2"?');
  assertThrows(() => pass.node("mlp1"), Error, 'Did you mean "MLP1"?');
  assertThrows(() => pass.node("pos_embd"), Error, 'Did you mean "pos_embed"?');
  assertThrows(() => pass.headResult(0, 3), Error, '"L0H3"');
  assertThrows(() => small(1, { attn_only: true }).model.forward().node("MLP0"), Error, '"MLP0"');
});
