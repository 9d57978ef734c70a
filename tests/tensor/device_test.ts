/**
 * Devices without one: the graph that a graphics card is given, run on the processor; refusals; who decides.
 */
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { figures1to3 } from "../../lib/experiments/figures_1_to_3.ts";
import { checkDevice, deviceFailed, DeviceFailure, deviceMissing } from "../../lib/tensor/device.ts";
import { attention } from "../../lib/tensor/layers.ts";
import { Lowering } from "../../lib/tensor/lower.ts";
import { run } from "../../lib/tensor/run.ts";
import { type CreateSession, createSession, openDevice } from "../../lib/tensor/session.ts";
import { param } from "../../lib/tensor/tensor.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { Model } from "../../lib/transformer/model.ts";
import { letterModel } from "../experiments/plain_values.ts";
import { randomPrompts } from "../transformer/models.ts";
import { World } from "./world.ts";

/** A card's graph, on the processor. */
const onProcessor: CreateSession = (graph, threads) => createSession(graph, threads);
const spelt = { device: "webgpu", createSession: onProcessor } as const;

/** What only the processor can do: see spelt_out.ts and lower_contract.ts. */
const PROCESSOR_ONLY = ["Attention", "FusedMatMul", "Cast", "LogSoftmax"];
const operations = (
  outputs: ConstructorParameters<typeof Lowering>[0],
  device: "cpu" | "webgpu",
  sizes = {},
) =>
  new Set(
    new Lowering(outputs, { batch: 2, pos: 5, ...sizes }, device).graph.finish().nodes.map(({ op }) => op),
  );

for (
  const [window, softCap, heads] of [[undefined, 0, 2], [5, 0, 2], [undefined, 0.5, 2], [300, 2, 4]] as const
) {
  // 530 positions are two blocks of queries.
  Deno.test(`Attention spelt out for a device = the fused one: window ${window}, soft cap ${softCap}, ${heads} heads on 2`, async () => {
    const world = new World(41, { batch: 2, pos: 530, head: heads, kv: 2, d_head: 3, wide: 5 });
    const q = world.input("pos", "head", "d_head").t;
    const k = world.input("pos", "kv", "d_head").t.rename({ kv: "head" });
    const v = world.input("pos", "kv", "wide").t.rename({ kv: "head", wide: "d_head" });
    const options = { ...(window && { window }), ...(softCap && { softCap }) };
    const outputs = {
      mixed: attention(q, k, v, 0.7, options),
      other: attention(q, k, v.mul(2), 0.7, options),
    };
    const [fused, plain] = [await run(outputs, world.feeds), await run(outputs, world.feeds, spelt)];
    for (const name of ["mixed", "other"] as const) {
      const most = Math.max(...fused[name].data.map((x, i) => Math.abs(x - plain[name].data[i])));
      assert(most < 2e-6, `${name}: ${most}`);
    }
  });
}

Deno.test("A device's graph has none of the operations of the processor alone, and gives the same values", async () => {
  const world = new World(42);
  const x = world.input("a", "b");
  const log = x.t.mul(30).logSoftmax("b");
  const outputs = { gram: x.t.dot(x.t.rename({ a: "other" }), "b"), places: x.t.topK("b", 2).indices, log };
  assertEquals(
    [...operations(outputs, "cpu", world.sizes)].filter((op) => PROCESSOR_ONLY.includes(op)).sort(),
    [
      "Cast",
      "FusedMatMul",
      "LogSoftmax",
    ],
  );
  assertEquals(
    [...operations(outputs, "webgpu", world.sizes)].filter((op) => PROCESSOR_ONLY.includes(op)),
    [],
  );
  const [there, here] = [await run(outputs, world.feeds, spelt), await run(outputs, world.feeds)];
  for (const name of ["gram", "places", "log"] as const) {
    assertEquals(there[name].data.length, here[name].data.length);
    here[name].data.forEach((value, i) => assertAlmostEquals(there[name].data[i], value, 1e-4, name));
  }
});

Deno.test("A run goes where its weights are; the run's own option has the last word", async () => {
  const { config, weights, processing, cleanup } = letterModel(43);
  const model = new Model({ name: "on a card", config, weights, processing, cleanup, device: "webgpu" });
  assertEquals([letterModel(43).device, model.device], ["cpu", "webgpu"]);
  const seen: unknown[] = [];
  const createSession: CreateSession = async (graph, threads, device) => {
    const session = await onProcessor(graph, threads);
    return {
      run(feeds) {
        const fixed = [...feeds].filter(([, fed]) => fed.fixed).map(([name]) => name);
        assert(fixed.length > 20 && !fixed.includes("in_tokens"), `fixed: ${fixed}`);
        seen.push(device);
        return session.run(feeds);
      },
    };
  };
  const prompts = randomPrompts(model, 13, 3, 6);
  const plain = await figures1to3(letterModel(43), prompts);
  for (const device of [undefined, "cpu"] as const) {
    const rows = await figures1to3(model, prompts, [{}], { createSession, ...(device && { device }) });
    rows[0].fig3a.forEach(({ median }, i) => assert(Math.abs(median - plain[0].fig3a[i].median) < 1e-4));
  }
  assertEquals(seen, ["webgpu", "cpu"]);
});

Deno.test("Weights on two devices in one run are refused, unless the run says where", async () => {
  const dims = [{ name: "a", size: 2 }];
  const [here, there] = [
    param("W_here", Float32Array.of(1, 2), dims, "cpu"),
    param("W_there", Float32Array.of(3, 4), dims, "webgpu"),
  ];
  const error = await assertRejects(() => run({ sum: here.add(there) }, {}), Error);
  for (const part of [`W_here on "cpu"`, `W_there on "webgpu"`, "expected one"]) {
    assertStringIncludes(error.message, part);
  }
  assertEquals([...(await run({ sum: here.add(there) }, {}, { device: "cpu" })).sum.data], [4, 6]);
});

Deno.test("Devices: an unknown or unlisted name, one that does not start, one that goes away: each has one clear error", async () => {
  for (
    const start of [
      () => openDevice("gpu" as "cpu"),
      () => loadModel("tiny-gelu-4l", { device: "gpu" as "cpu" }),
    ]
  ) {
    const error = await assertRejects(start, Error);
    assertMatch(
      error.message,
      /^there is no device "gpu" here; ONNX Runtime lists cpu.* Choose one of them\.$/,
    );
  }
  assertThrows(() => checkDevice("coreml", ["cpu", "webgpu"]), Error, `no device "coreml" here`);
  checkDevice("coreml", ["cpu", "coreml"]);
  // In the words of onnxruntime-node 1.30 on a machine without a card.
  const cause = new Error(
    "/onnxruntime_src/onnxruntime/core/providers/webgpu/webgpu_context.cc:136 onnxruntime::webgpu::<lambda()> " +
      "adapter_result.status == wgpu::RequestAdapterStatus::Success was false. Failed to get a WebGPU adapter: No supported adapters\n",
  );
  const { message } = deviceMissing("webgpu", ["cpu", "webgpu"], cause);
  assertStringIncludes(
    message,
    `device "webgpu" was asked for and did not start: Failed to get a WebGPU adapter: No supported adapters. `,
  );
  for (const part of ["lists cpu, webgpu", "Vulkan", `Take device "cpu"`]) {
    assertStringIncludes(message, part);
  }
  const lost = deviceFailed("webgpu", new Error("Failed to download data from buffer: Device was lost."));
  assert(lost instanceof DeviceFailure);
  assertStringIncludes(
    lost.message,
    `failed in the middle of a run: Failed to download data from buffer: Device was lost. If it was lost`,
  );
  assertStringIncludes(
    deviceFailed("webgpu", "Failed to create GPU buffer: size=9").message,
    "take a smaller batchSize",
  );
  // An array of 16 GiB, and one of 4 GiB, on SwiftShader.
  for (
    const words of [
      "Too many storage buffers in shader. Current: 18, Max is 12",
      "WebGPU validation failed. [Invalid Buffer (unlabeled)] is invalid due to a previous error.",
    ]
  ) {
    assertStringIncludes(deviceFailed("webgpu", words).message, "take a smaller batchSize");
  }
});
