// Retention, responses and DLA of the embedded model, position by position, against PyTorch in 64 bits that
// was written from the definition alone (tests/reference/retention.py). The rotation is the recorded one.
import { assert, assertEquals } from "@std/assert";
import { SafetensorsFile } from "../../lib/checkpoints/safetensors.ts";
import { attributionVector, unembedding } from "../../lib/metrics/attribution.ts";
import { laterLocations, laterNodes } from "../../lib/metrics/later_nodes.ts";
import { atPositions, removal, responses, retained, type Route } from "../../lib/metrics/retention.ts";
import { NdArray } from "../../lib/tensor/nd_array.ts";
import { run } from "../../lib/tensor/run.ts";
import { input, param, type Tensor } from "../../lib/tensor/tensor.ts";
import { rotated } from "../../lib/metrics/rotation.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { rounding } from "./rounding.ts";

const file = await SafetensorsFile.open(
  new URL("../reference/data/retention-tiny-gelu-4l.safetensors", import.meta.url).pathname,
);
const names = [...file.tensors.keys()];
const writers = [...new Set(names.filter((n) => n.includes("/all/")).map((n) => n.split("/")[0]))];
const read = async (name: string) => (await file.read(name)).data as Float32Array;
const tokens = new NdArray(Int32Array.from(await read("tokens")), ["batch", "pos"], [2, 48]);
const top2 = await read("top2");
const ids = (which: number) =>
  new NdArray(Int32Array.from({ length: 96 }, (_, i) => top2[2 * i + which]), ["batch", "pos"], [2, 48]);

const model = await loadModel();
const { d_model } = model.config;
const Q = param("recorded rotation", (await read("rotations")).slice(), [
  { name: "d_model", size: d_model },
  { name: "rotated", size: d_model },
]);
const dims = [{ name: "batch", size: "batch" }, { name: "pos", size: "pos" }];

/**
 * In units of max(1, |value|): a ratio to the writer's square magnifies float32 rounding where that is small.
 */
const TOLERANCE = 1e-4;

/** Largest error against values of [row, batch, pos from 1 on], in units of max(1, |value|). */
function worst(
  measured: (row: number, batch: number, pos: number) => number,
  recorded: Float32Array,
  noise = (_token: number) => 0,
): number {
  let most = 0;
  recorded.forEach((value, i) => {
    const [row, batch, pos] = [Math.floor(i / 94), Math.floor(i / 47) % 2, 1 + i % 47];
    const error = Math.max(0, Math.abs(measured(row, batch, pos) - value) - noise(i % 94));
    most = Math.max(most, error / Math.max(1, Math.abs(value)));
  });
  return most;
}

for (const writer of writers) {
  Deno.test(`${writer}: retention, responses and DLA are those of PyTorch, by route, also of the rotated output`, async () => {
    const clean = model.forward();
    const direction = unembedding(clean, input("first", dims)).sub(unembedding(clean, input("second", dims)));
    const u = attributionVector(clean, direction);
    const norm2 = await read(`${writer}/norm2`);
    const end = (forward: typeof clean) => forward.residualStream().at(-1)!.value;
    for (const route of ["all", "values"] as const satisfies readonly Route[]) {
      for (const which of ["writer", "control 0"]) {
        const w = atPositions(which === "writer" ? clean.node(writer) : rotated(clean.node(writer), Q));
        const without = model.forward({ hooks: removal(clean, writer, w, route) });
        const places = laterLocations(model.config, writer), nodes = laterNodes(model.config, writer);
        const outputs: Record<string, Tensor> = {
          said: w.dot(u, "d_model"),
          left: end(clean).sub(end(without)).dot(u, "d_model"),
        };
        places.forEach(({ hook }, i) => outputs[`R${i}`] = retained(clean, without, w, hook));
        const key = `${writer}/${route}/${which}`;
        const withResponses = file.tensors.has(`${key}/responses`);
        if (withResponses) outputs.rho = responses(clean, without, w, nodes);
        const made = await run(outputs, { tokens, first: ids(0), second: ids(1) });
        const dla = await read(`${key}/dla`); // said, taken, left, true
        for (const [name, row] of [["said", 0], ["left", 2]] as const) {
          const recorded = dla.subarray(row * 94, (row + 1) * 94);
          const error = worst((_, b, t) => made[name].data[b * 48 + t], recorded);
          assert(error < 1e-4, `${key}: DLA ${name} is off by ${error}`);
        }
        const recorded = await read(`${key}/retention`);
        const off = worst((i, b, t) => made[`R${i}`].data[b * 48 + t], recorded, (i) => rounding(norm2[i]));
        assert(off < TOLERANCE, `${key}: retention is off by ${off}`);
        if (withResponses) {
          const rho = await read(`${key}/responses`);
          assertEquals(rho.length, nodes.length * 94);
          const error = worst((i, b, t) => made.rho.data[(b * 48 + t) * nodes.length + i], rho);
          assert(error < TOLERANCE, `${key}: responses are off by ${error}`);
        }
      }
    }
  });
}
