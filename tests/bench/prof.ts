import * as ort from "npm:onnxruntime-node@1.30.0";
import { GELU_4L, randomModel, randomPrompts } from "./gelu_4l.ts";
import { Lowering } from "../../lib/tensor/lower.ts";
import { encodeModel } from "../../lib/tensor/onnx.ts";
import { feed } from "../../lib/transformer/model.ts";
import { residualOntoHeads } from "../../lib/experiments/residual_projections.ts";
import { nodesOntoWriter } from "../../lib/experiments/node_projections.ts";
import { patchExperiments } from "../../lib/experiments/patched_projections.ts";
const model = randomModel(GELU_4L);
const B = 2, T = 1024;
const prompts = randomPrompts(GELU_4L, B, T);
const clean = model.forward();
const resid = clean.hook("blocks.3.hook_resid_post");
const writer = clean.headResult(0, 2);
const p = patchExperiments(model, clean);
const f1 = residualOntoHeads(clean, 0).outputs;
const f2 = nodesOntoWriter(clean, "L0H2", writer, { cleaners: model.cleanup.cleaners }).outputs;
const f3: any = {};
for (const [k, e] of Object.entries(p)) {
  for (const [n, t] of Object.entries((e as any).outputs)) f3[k + n] = t;
}
const sets: any = {
  plain: { r: resid.sum("d_model") },
  fig1: f1,
  fig12: { ...f1, ...f2 },
  fig123: { ...f1, ...f2, ...f3 },
  logits: { l: clean.logits.max("d_vocab") },
};
const outs = sets[Deno.args[0]];
const low = new Lowering(outs, { batch: B, pos: T });
const s = await ort.InferenceSession.create(encodeModel(low.graph.finish()), {
  enableProfiling: true,
  profileFilePrefix: "/tmp/prof",
  intraOpNumThreads: 1,
  graphOptimizationLevel: (Deno.args[1] ?? "all") as any,
});
const feeds: any = {};
for (const [n, { data, shape }] of low.graph.params) {
  feeds[n] = new ort.Tensor("float32", data as Float32Array, [...shape]);
}
feeds.in_tokens = new ort.Tensor("int32", prompts.tokens, [B, T]);
for (let i = 0; i < 3; i++) await s.run(feeds);
const t0 = performance.now();
await s.run(feeds);
console.log("run", performance.now() - t0);
s.endProfiling();
const files = [...Deno.readDirSync("/tmp")].filter((f) =>
  f.name.startsWith("prof") && f.name.endsWith(".json")
).map((f) => f.name).sort();
const ev = JSON.parse(Deno.readTextFileSync("/tmp/" + files.at(-1)));
const agg: Record<string, [number, number]> = {};
for (const e of ev) {
  if (e.cat === "Node" && e.name.endsWith("kernel_time")) {
    const k = e.args.op_name + " " +
      JSON.stringify(e.args.input_type_shape?.map((x: any) => Object.values(x)[0]))?.slice(0, 110);
    (agg[k] ??= [0, 0])[0] += e.dur / 4;
    agg[k][1] += 0.25;
  }
}
const rows = Object.entries(agg).sort((a, b) => b[1][0] - a[1][0]).slice(0, 30);
let tot = 0;
for (const v of Object.values(agg)) tot += v[0];
console.log("total kernel ms", tot / 1000);
for (const [k, [us, n]] of rows) console.log((us / 1000).toFixed(1).padStart(7), String(n).padStart(4), k);
