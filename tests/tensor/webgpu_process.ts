/**
 * Everything that a graphics card has to do, there and on the processor: prints the largest differences as
 * JSON. A process of its own, since where the driver is found is settled when a process starts.
 */
import type { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { checkAttribution } from "../../lib/experiments/attribution/check_attribution.ts";
import { figures1to3 } from "../../lib/experiments/figures_1_to_3.ts";
import { retention } from "../../lib/experiments/retention/retention.ts";
import { scan } from "../../lib/experiments/scan/scan.ts";
import { DeviceArrays } from "../../lib/tensor/device_arrays.ts";
import { attention, layerNorm, rmsNorm } from "../../lib/tensor/layers.ts";
import { Lowering } from "../../lib/tensor/lower.ts";
import { run } from "../../lib/tensor/run.ts";
import { createSession, openDevice } from "../../lib/tensor/session.ts";
import { concat, iota, param, stack, where } from "../../lib/tensor/tensor.ts";
import { loadModel, promptsFor } from "../../lib/transformer/load.ts";
import { feed, Model } from "../../lib/transformer/model.ts";
import { letterModel } from "../experiments/plain_values.ts";
import { randomPrompts } from "../transformer/models.ts";
import { World } from "./world.ts";

// The driver's loader, by its path: what is loaded once is found by its name. LD_LIBRARY_PATH would do too,
// but Deno starts a process with it only where it may start any.
const loader = Deno.args.find((arg) => !arg.startsWith("--"));
if (loader) Deno.dlopen(loader, {});
const webgpu = { device: "webgpu" } as const;
await openDevice("webgpu");
const here = letterModel(51), { weights, cleanup } = here;
const there = new Model({ ...here, weights, cleanup, ...webgpu });

/**
 * The largest difference of numbers, as a part of the value where that is above 1; all else must be equal.
 */
function difference(a: unknown, b: unknown, path = ""): number {
  if (typeof a === "number" && typeof b === "number") {
    return Object.is(a, b) ? 0 : Math.abs(a - b) / Math.max(1, Math.abs(b));
  }
  if (typeof a === "object" && typeof b === "object" && a !== null && b !== null) {
    const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
    const at = (of: object, key: string) => (of as Record<string, unknown>)[key];
    return [...keys].reduce(
      (most, key) => Math.max(most, difference(at(a, key), at(b, key), `${path}.${key}`)),
      0,
    );
  }
  if (path.endsWith(".assumptions.device") && a === "webgpu" && b === undefined) return 0; // a result says it
  if (a !== b) throw new Error(`${path}: ${a} on the card, ${b} on the processor`);
  return 0;
}

const found: Record<string, unknown> = {};
const clock = performance.now();
const note = (name: string, value: unknown) => {
  found[name] = value;
  if (Deno.args.includes("--times")) console.error(name, value, Math.round(performance.now() - clock));
};

// Every kind of operation (node.ts), from operands of a few values.
const world = new World(52, { batch: 2, pos: 5, a: 4, b: 3, c: 4, d: 2, head: 2, d_head: 3 });
const x = world.input("a", "b").t, y = world.input("b", "c").t, table = world.param("c", "d").t;
const ids = world.ids(world.sizes.c, "pos").t, w = world.param("b").t, rows = world.input("pos", "b").t;
const q = world.input("pos", "head", "d_head").t;
const operations = {
  unary: x.abs().add(1).log().neg().exp().sqrt().reciprocal().tanh().sigmoid().relu(),
  gelu: x.gelu().add(x.gelu("tanh")),
  binary: x.mul(w).sub(w).div(w.abs().add(1)).atLeast(-1).atMost(1),
  where: where(x, "Less", w, 1, where(w, "GreaterOrEqual", 0, 2, x)),
  "where by id": where(ids, "Equal", 2, rows.max("b"), 0),
  products: x.dot(y, "b"),
  gram: x.dot(x.rename({ a: "other" }), "b"),
  "row by row": x.dot(x, "b"),
  weights: y.dot(table, "c"),
  sums: x.sum("a").add(x.mean("a")).add(x.max("a")).add(x.sumSquares("a")),
  softmax: x.softmax("a").add(x.logSoftmax("b")).add(x.logSumExp("a")),
  layerNorm: layerNorm(x, "b", 1e-5, { weight: w, bias: w }).normalized,
  scale: layerNorm(x, "b", 1e-5).scale,
  rmsNorm: rmsNorm(x, "b", 1e-5, w),
  attention: attention(q, q, q.mul(2), 0.7, { window: 3, softCap: 2 }),
  gather: table.gather("c", ids),
  pick: rows.dot(y, "b").pick("c", ids),
  prefix: param("long", Float32Array.from({ length: 9 }, (_, i) => i), [{ name: "long", size: 9 }])
    .prefix("long", "pos").rename({ long: "pos" }).add(rows),
  parts: concat([x.slice("a", 1, 3), x.slice("a", 0, 1)], "a").add(
    stack([x, x.neg()], "two").select("two", 1)
      .slice("a", 0, 3),
  ),
  expand: concat([x.select("a", 0).expand("a", 2), x], "a"),
  places: x.topK("a", 2).indices,
  largest: x.topK("a", 2).values,
  counted: iota("pos", "pos").add(rows),
  numbers: ids.add(1),
};
const [card, processor] = [
  await run(operations, world.feeds, webgpu),
  await run(operations, world.feeds),
];
for (const name of Object.keys(operations) as (keyof typeof operations)[]) {
  note(name, difference(card[name].data, processor[name].data, name));
}

// A graph with the processor's operations is refused, so what is not refused is on the card alone.
const fused = new Lowering({ y: x.dot(x.rename({ a: "other" }), "b") }, world.sizes, "cpu");
note(
  "refused",
  await createSession(fused.graph.finish(), undefined, "webgpu").then(() => "no", (e) => e.message),
);

// What was sent there goes when its array is collected here.
note("collected", await collected());

const few = randomPrompts(here, 53, 3, 6), many = randomPrompts(here, 54, 16, 8);
const both = async (name: string, measure: (model: Model) => Promise<unknown>) =>
  note(name, difference(await measure(there), await measure(here)));
await both("figures 1 to 3", (model) => figures1to3(model, few, [{}], { batchSize: 2 }));
await both("retention", (model) => retention(model, few, { rotations: 2 }));
await both("attribution", (model) => checkAttribution(model, "cab", { samples: 0, rotations: 2, most: 2 }));
await both("scan", (model) => scan(model, many, { settings: { examine: 2, rotations: 2 } }));
const embedded = await loadModel("tiny-gelu-4l"), onCard = await loadModel("tiny-gelu-4l", webgpu);
const texts = await promptsFor(embedded, { count: 2, length: 12 });
note("embedded model", difference(await figures1to3(onCard, texts), await figures1to3(embedded, texts)));
const logits = (model: Model) => run({ y: model.forward().logits }, feed(texts));
note("embedded model's logits", difference((await logits(onCard)).y.data, (await logits(embedded)).y.data));
/** The sign of a response in float32's last places, as of an MLP that writes one vector, is the device's. */
const retained = async (model: Model) => {
  const result = await retention(model, texts, { rotations: 1 });
  const responses = result.responses.map((row) => Math.abs(row.ratio) < 1e-5 ? { ...row, below: 0 } : row);
  return { ...result, responses };
};
note("embedded model's retention", difference(await retained(onCard), await retained(embedded)));
console.log(JSON.stringify(found));

/** Of three arrays that were sent, each once, two are collected. */
async function collected(): Promise<{ sent: number; disposed: number }> {
  const counts = { sent: 0, disposed: 0 };
  const copier = { run: () => Promise.resolve({ y: { dispose: () => counts.disposed++ } }) };
  const arrays = new DeviceArrays(() => {
    counts.sent++;
    return Promise.resolve(copier as unknown as InferenceSession);
  }, () => ({}) as OrtTensor);
  const kept = new Float32Array(4);
  const use = async () => {
    for (const data of [kept, kept, new Float32Array(5), new Int32Array(6)]) {
      await arrays.get(data, [data.length]);
    }
  };
  await use();
  for (let i = 0; i < 20 && counts.disposed < 2; i++) {
    (globalThis as unknown as { gc(): void }).gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await arrays.get(kept, [4]);
  return counts;
}
