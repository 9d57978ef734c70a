/**
 * The embedded model against activations that TransformerLens computed in double precision
 * (tests/reference/record.py).
 */
import { assert, assertEquals } from "@std/assert";
import { SafetensorsFile } from "../../lib/checkpoints/safetensors.ts";
import { NdArray } from "../../lib/tensor/nd_array.ts";
import { run } from "../../lib/tensor/run.ts";
import type { Tensor } from "../../lib/tensor/tensor.ts";
import { hookPoints, type Hooks } from "../../lib/transformer/hook_points.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { feed } from "../../lib/transformer/model.ts";
import { assertClose, embeddedPrompts } from "./models.ts";

const folder = new URL("../reference/data/", import.meta.url);
const { positions, prompts: about, shapes } = JSON.parse(
  await Deno.readTextFile(new URL("tiny-gelu-4l.json", folder)),
) as { positions: number[]; prompts: string; shapes: Record<string, number[]> };

type Recorded = Map<string, { data: ArrayLike<number>; dims: number[] }>;

/** Recorded tensors by name without the prefix. */
async function recorded(prefix: string): Promise<Recorded> {
  const file = await SafetensorsFile.open(new URL("tiny-gelu-4l.safetensors", folder).pathname);
  try {
    const found: Recorded = new Map();
    for (const name of file.tensors.keys()) {
      if (!name.startsWith(prefix)) continue;
      const { data, dims } = await file.read(name);
      found.set(name.slice(prefix.length), { data: data as ArrayLike<number>, dims });
    }
    return found;
  } finally {
    file.close();
  }
}

/** The recorded positions alone; pos and query are cut, keys are all kept. */
function rowsAt(array: NdArray): NdArray {
  const name = array.names.includes("query") ? "query" : "pos";
  const parts = positions.map((at) => array.select({ [name]: at }));
  const axis = array.names.indexOf(name);
  const inner = array.shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = parts[0].data.length / inner;
  const data = new Float32Array(parts.length * parts[0].data.length);
  for (let o = 0; o < outer; o++) {
    parts.forEach((part, p) =>
      data.set(part.data.subarray(o * inner, (o + 1) * inner) as Float32Array, (o * parts.length + p) * inner)
    );
  }
  return new NdArray(data, array.names, array.shape.map((n, i) => i === axis ? positions.length : n));
}

const prompts = await embeddedPrompts(2, 64);

Deno.test("TransformerLens: the same prompts were recorded", async () => {
  const { data, dims } = (await recorded("tokens")).get("")!;
  assertEquals(dims, [prompts.count, prompts.length], about);
  assertEquals(Array.from(data), [...prompts.tokens]);
});

Deno.test("TransformerLens: every recorded hook point of the embedded model agrees to 1e-4 of its scale", async () => {
  const model = await loadModel();
  const expected = await recorded("clean/");
  const names = [...hookPoints(model.config).keys()];
  const isInput = /hook_[qkv]_input$|hook_mlp_in$/; // resid_pre repeated, and resid_mid: not recorded
  const inputs = names.filter((name) => isInput.test(name));
  assertEquals([...expected.keys()].sort(), [...names.filter((n) => !inputs.includes(n)), "logits"].sort());
  const { logits, cache } = await model.runWithCache(prompts);
  const compared: Record<string, NdArray> = { logits: rowsAt(logits) };
  for (const name of names) if (!inputs.includes(name)) compared[name] = rowsAt(cache[name]);
  for (const [name, { shape }] of Object.entries(compared)) {
    assertEquals(shape, shapes[`clean/${name}`], name);
  }
  assertClose(compared, expected, 1e-4, "clean run");
  for (const name of inputs) {
    if (name.endsWith("hook_mlp_in")) {
      assertEquals(cache[name].data, cache[name.replace("hook_mlp_in", "hook_resid_mid")].data, name);
      continue;
    }
    const resid = rowsAt(cache[name.replace(/hook_[qkv]_input/, "hook_resid_pre")]);
    const copy = rowsAt(cache[name]);
    for (let head = 0; head < model.config.n_heads; head++) {
      assertEquals(copy.select({ head }).data, resid.data, name);
    }
  }
});

Deno.test("TransformerLens: the unprocessed embedded model's logits agree to 1e-4 of their scale", async () => {
  const model = await loadModel("tiny-gelu-4l", { processing: false });
  const { logits } = await model.runWithCache(prompts, ["hook_embed"]);
  assertClose({ logits: rowsAt(logits) }, await recorded("unprocessed/"), 1e-4, "unprocessed");
});

Deno.test("TransformerLens: the patched run agrees to 1e-4 of its scale", async () => {
  const model = await loadModel();
  const expected = await recorded("patched/");
  const { writer, patchedLayers } = model.cleanup;
  assert(patchedLayers.length > 0);
  const clean = model.forward();
  const hooks: Record<string, Hooks[string]> = {};
  for (const layer of patchedLayers) {
    const scale = `blocks.${layer}.ln1.hook_scale`;
    hooks[`blocks.${layer}.hook_v_input`] = (v) => v.sub(clean.node(writer).expand("head"));
    hooks[scale] = () => clean.hook(scale);
  }
  const patched = model.forward({ hooks });
  const outputs: Record<string, Tensor> = {};
  for (const name of expected.keys()) {
    const value = name === "logits" ? patched.logits : patched.hook(name);
    outputs[name] = name.endsWith("hook_v_input") ? value.slice("head", 0, 1) : value; // one head was kept
  }
  const results = await run(outputs, feed(prompts));
  assertClose(
    Object.fromEntries(Object.entries(results).map(([name, value]) => [name, rowsAt(value)])),
    expected,
    1e-4,
    "patched run",
  );
});
