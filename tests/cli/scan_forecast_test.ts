import { assertAlmostEquals, assertEquals, assertGreater } from "@std/assert";
import { secondsOf } from "../../lib/cli/scan_cost.ts";
import { forecast, ScanForecast } from "../../lib/cli/scan_forecast.ts";
import { afterExamining, passWork } from "../../lib/experiments/scan/cost.ts";
import type { PassName } from "../../lib/experiments/scan/passes.ts";
import { DEFAULT_SETTINGS } from "../../lib/experiments/scan/settings.ts";
import type { Device } from "../../lib/tensor/device.ts";
import type { Model } from "../../lib/transformer/model.ts";
import { modelNodes } from "../../lib/transformer/nodes.ts";
import { plantedModel, plantedPrompts } from "../experiments/scan/planted/kinds.ts";

const model = plantedModel("none", 1), prompts = plantedPrompts(1);
const given: [typeof model, typeof prompts, typeof DEFAULT_SETTINGS] = [model, prompts, DEFAULT_SETTINGS];
const announced = {
  seconds: { screen: 1, rest: 1 },
  token: { seconds: 0.001, cpu: 0.002 },
  flops: 1,
  bytes: 1,
  weights: 1,
};
const next = (pass: PassName, count: number) => ({
  pass,
  nodes: Array.from({ length: count }, (_, i) => `L0H${i}`),
});
const seconds = (pass: PassName, count: number) =>
  secondsOf(passWork(...given, next(pass, count)), announced.token.seconds);

Deno.test("ScanForecast: each pass is announced at the pace of the pass before it", () => {
  let now = 100;
  const ahead = new ScanForecast(given, announced, () => now);
  assertEquals(ahead.begin(next("screen", 0), false), { seconds: seconds("screen", 0), after: 0 });
  now += 3 * seconds("screen", 0); // as it was announced, but beside two other programs
  const examination = ahead.begin(next("examination", 4), false);
  assertAlmostEquals(examination.seconds, 3 * seconds("examination", 4), 1e-9);
  const rest = secondsOf(afterExamining(...given, next("examination", 4).nodes), announced.token.seconds);
  assertAlmostEquals(examination.after, 3 * rest, 1e-9);
  now += seconds("examination", 4); // alone again
  assertAlmostEquals(ahead.begin(next("routes", 2), false).seconds, seconds("routes", 2), 1e-9);
});

Deno.test("ScanForecast: a pass that was partly done before says nothing of the machine", () => {
  let now = 0;
  const ahead = new ScanForecast(given, announced, () => now);
  ahead.begin(next("screen", 0), true);
  now += 0.001;
  assertAlmostEquals(ahead.begin(next("examination", 4), false).seconds, seconds("examination", 4), 1e-9);
});

Deno.test("forecast(): the first pass was announced, and of no nodes there is nothing to say", () => {
  const time = { seconds: 90, after: 30 };
  assertEquals(forecast(next("screen", 0), time), undefined);
  assertEquals(forecast(next("examination", 0), time), undefined);
  assertEquals(
    forecast(next("examination", 1), time),
    "1 node to examine: about 1 min 30 s, and 30.0 s for what is found, if as much of it is as elsewhere.",
  );
  assertEquals(
    forecast(next("routes", 3), { seconds: 61, after: 0 }),
    "3 writers found: about 1 min 01 s for routes and attribution.",
  );
});

Deno.test("passWork(): what a writer's removal costs is the layers after it, for each control again", () => {
  const last = model.config.n_layers - 1;
  const of = (...nodes: string[]) => passWork(...given, { pass: "examination", nodes }).forward;
  const { rotations } = DEFAULT_SETTINGS, tokens = 24 * prompts.length; // half of 48 prompts
  // an embedding: all layers; a head of the last layer: its MLP, 0.65 of a layer
  assertAlmostEquals(of("embed"), tokens * (1.25 * (1 + rotations) + 1 + 1 / 6), 1e-6);
  assertAlmostEquals(
    of(`L${last}H0`),
    tokens * (1.25 * (1 + rotations) * 0.65 / (last + 1) + 1 + 1 / 6),
    1e-6,
  );
});

Deno.test("passWork(): a step of a large graph takes longer to compile; on a card graphs are small", () => {
  const compiling = (device: Device, heads: number) => {
    const on: Model = Object.create(model, { device: { value: device } });
    const names = modelNodes(model.config).filter(({ kind }) => kind === "head").map(({ name }) => name);
    const pass = { pass: "examination" as const, nodes: names.slice(0, heads) };
    return passWork(on, prompts, DEFAULT_SETTINGS, pass).compiling;
  };
  assertGreater(compiling("cpu", 4), 2.1 * compiling("cpu", 2));
  assertEquals(compiling("webgpu", 2), compiling("cpu", 2));
  assertGreater(compiling("cpu", 32), 1.2 * compiling("webgpu", 32)); // nearly 10,000 steps
});
