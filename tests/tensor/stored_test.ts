/**
 * Values that stay in their file: every expression over them gives what the same expression over an array
 * gives. Expected values: the array's, which other tests compare with plain functions. bfloat16 and float16
 * are widened exactly, so both read the same numbers; what differs is the order of sums in float32, some √K ·
 * 2⁻²⁴ of the result's scale for K ≤ 40 terms.
 */
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { DiskFile } from "../../lib/platform/disk_file.ts";
import { halfToFloat } from "../../lib/checkpoints/dtypes.ts";
import { Lowering } from "../../lib/tensor/lower.ts";
import { lightened } from "../../lib/tensor/prepare.ts";
import { NdArray } from "../../lib/tensor/nd_array.ts";
import type { StoredType } from "../../lib/tensor/node.ts";
import { cost, run } from "../../lib/tensor/run.ts";
import { constant, input, param, stored, type Tensor } from "../../lib/tensor/tensor.ts";
import { randomInt, randomNormal, randomSource } from "../reference/random.ts";

const dims = [{ name: "out", size: 6 }, { name: "head", size: 2 }, { name: "in", size: 5 }];
const COUNT = 60;
const SKIPPED = 10; // bytes before the values

/** Random 16-bit values (or floats), as they lie and as numbers. */
function randomValues(
  type: StoredType,
  count: number,
  seed: number,
): { bytes: Uint8Array; values: Float32Array } {
  const random = randomSource(seed);
  if (type === "float32") {
    const values = randomNormal(random, count);
    return { bytes: new Uint8Array(values.buffer), values };
  }
  // Sign, an exponent near 1, any fraction.
  const bits = Uint16Array.from({ length: count }, () => {
    const sign = randomInt(random, 2) << 15;
    return type === "bfloat16"
      ? sign | (125 + randomInt(random, 4)) << 7 | randomInt(random, 128)
      : sign | (13 + randomInt(random, 4)) << 10 | randomInt(random, 1024);
  });
  const wide = new Float32Array(Uint32Array.from(bits, (b) => b << 16).buffer);
  const values = type === "bfloat16" ? wide : Float32Array.from(bits, halfToFloat);
  return { bytes: new Uint8Array(bits.buffer), values };
}

async function inFile<T>(
  bytes: Uint8Array,
  use: (file: DiskFile, path: string) => Promise<T>,
): Promise<T> {
  const path = await Deno.makeTempFile();
  try {
    const all = new Uint8Array(SKIPPED + bytes.length);
    all.set(bytes, SKIPPED);
    await Deno.writeFile(path, all);
    return await use(new DiskFile(path), path);
  } finally {
    await Deno.remove(path).catch(() => {});
  }
}

const x = input("x", [{ name: "batch", size: "batch" }, { name: "head", size: 2 }, { name: "in", size: 5 }], {
  dtype: "float32",
});
const rows = input("rows", [{ name: "batch", size: "batch" }, { name: "pos", size: 3 }], { below: 6 });
const vector = (name: string, size: number, seed: number) =>
  param(name, randomValues("float32", size, seed).values, [{ name, size }]);

/** What is done with a weight W [out, head, in]. */
const uses: Record<string, (W: Tensor) => Tensor> = {
  "as it is": (W) => W,
  "a product": (W) => x.dot(W, "head", "in"),
  "a product for each head": (W) => x.dot(W, "in"),
  "a product with a bias": (W) => x.dot(W, "head", "in").add(vector("out", 6, 3)),
  "scaled along the sum": (W) => x.dot(W.mul(vector("in", 5, 4)), "head", "in"),
  "scaled along the result": (W) => x.dot(W.mul(vector("out", 6, 4)), "head", "in"),
  "scaled along a dim of both": (W) => x.dot(W.mul(vector("head", 2, 4)), "in"),
  "centred along the sum": (W) => x.dot(W.sub(W.mean("in")), "head", "in"),
  "centred along the result": (W) => x.dot(W.sub(W.mean("out")), "head", "in"),
  "centred along a dim of both": (W) => x.dot(W.sub(W.mean("head")), "in"),
  "scaled, then centred": (W) => {
    const scaled = W.mul(vector("in", 5, 4));
    return x.dot(scaled.sub(scaled.mean("in")), "head", "in");
  },
  "scaled, then centred along the result": (W) => {
    const scaled = W.mul(vector("in", 5, 4));
    return x.dot(scaled.sub(scaled.mean("out")), "head", "in");
  },
  "times a number": (W) => x.dot(W.mul(constant(0.25)), "head", "in"),
  "a table of rows": (W) => W.gather("out", rows),
  "a table, centred in each row": (W) => W.sub(W.mean("in")).gather("out", rows),
  "a table, centred over its rows": (W) => W.sub(W.mean("out")).gather("out", rows),
  "a table, scaled": (W) => W.mul(vector("in", 5, 4)).mul(3).gather("out", rows),
  "one of the first dim": (W) => x.dot(W.select("out", 4), "head", "in"),
  "one of another dim": (W) => x.select("head", 1).dot(W.select("head", 1), "in"),
  "one of another dim, centred": (W) => x.select("head", 1).dot(W.sub(W.mean("out")).select("head", 1), "in"),
  "some of the first dim": (W) => x.dot(W.slice("out", 2, 5), "head", "in"),
  "some of the last dim": (W) => x.slice("in", 1, 4).dot(W.slice("in", 1, 4), "head", "in"),
  "one of a row, of rows of a dim that is not the first": (W) => {
    const index = param("heads", Int32Array.of(1, 0, 1), [{ name: "chosen", size: 3 }]);
    return W.gather("head", index).select("out", 4);
  },
  "its negative": (W) => W.neg().gather("out", rows),
  "means and squares": (W) => W.mul(vector("in", 5, 4)).mean("out").add(W.sumSquares("out")),
  "twice in one run": (W) => x.dot(W, "head", "in").add(x.mul(2).dot(W, "head", "in")),
  "with another weight": (W) => W.dot(vector("in", 5, 9), "in"),
};

const feeds = (seed: number) => ({
  x: new NdArray(randomValues("float32", 40, seed).values, ["batch", "head", "in"], [4, 2, 5]),
  rows: new NdArray(Int32Array.from({ length: 12 }, (_, i) => i % 6), ["batch", "pos"], [4, 3]),
});

for (const type of ["bfloat16", "float16", "float32"] as const) {
  Deno.test(`values of ${type} in a file: every use as of an array`, async () => {
    const { bytes, values } = randomValues(type, COUNT, 7);
    await inFile(bytes, async (file) => {
      // float32 has to lie on a multiple of its size; here it does not, as nothing guarantees.
      const W = stored("W", { file, offset: SKIPPED, type }, dims);
      const all = (W: Tensor) =>
        Object.fromEntries(Object.entries(uses).map(([name, use]) => [name, use(W)]));
      const got = await run(all(W), feeds(5), { batchSize: 3 });
      const expected = await run(all(param("W", values, dims)), feeds(5));
      for (const [name, { data, names, shape }] of Object.entries(expected)) {
        assertEquals(got[name].names, names, name);
        assertEquals(got[name].shape, shape, name);
        const scale = Math.max(...data.map(Math.abs));
        const worst = Math.max(
          ...data.map((value: number, i: number) => Math.abs(value - got[name].data[i])),
        );
        assert(worst <= 4e-7 * scale, `${name}: off by ${worst / scale}`);
      }
      // Each alone too: what one run shares must not hide what one alone needs.
      for (const [name, use] of Object.entries(uses)) {
        const alone = await run({ y: use(W) }, feeds(5));
        const worst = Math.max(
          ...got[name].data.map((v: number, i: number) => Math.abs(v - alone.y.data[i])),
        );
        const scale = Math.max(...alone.y.data.map(Math.abs));
        assert(worst <= 4e-7 * scale, `${name}, alone: ${worst / scale}`);
      }
    });
  });
}

Deno.test("no elementwise step goes over a stored weight where one over the activations does", async () => {
  const { bytes } = randomValues("bfloat16", COUNT, 7);
  await inFile(bytes, (file) => {
    const W = stored("W", { file, offset: SKIPPED, type: "bfloat16" }, dims);
    const sized = 4 * COUNT;
    for (const [name, use] of Object.entries(uses)) {
      if (["as it is", "means and squares", "with another weight"].includes(name)) continue;
      const { graph } = new Lowering(lightened({ y: use(W) }), { batch: 1 });
      const large = graph.steps.filter((step) => !step.alias).flatMap((step) => step.outputs).filter((
        { bytes },
      ) => bytes >= sized);
      // For each head the weight is moved in memory, once more than an array would be that lies by head.
      const none = /dim of both|each head|over its rows/.test(name);
      assert(none || large.length === 0, `${name}: ${large.length} values as large as the weight`);
    }
    return Promise.resolve();
  });
});

Deno.test("a weight larger than a block is read in blocks, with the same result", async () => {
  const wide = [{ name: "out", size: 70_000 }, { name: "in", size: 512 }]; // 137 MiB as float32
  // Many values at once: those of a short random row, turned by one for each row of the weight.
  const { bytes: some, values: short } = randomValues("bfloat16", 1021, 11);
  const bytes = new Uint8Array(70_000 * 1024), bits = new Uint16Array(bytes.buffer);
  const from = new Uint16Array(some.buffer);
  for (let i = 0; i < bits.length; i++) bits[i] = from[i % 1021];
  const values = { at: (i: number) => short[i % 1021] };
  await inFile(bytes, async (file) => {
    const W = stored("W", { file, offset: SKIPPED, type: "bfloat16" }, wide);
    const v = input("v", [{ name: "batch", size: "batch" }, wide[1]], { dtype: "float32" });
    const data = randomValues("float32", 1024, 12).values;
    const whole = {
      y: v.dot(W, "in"),
      sum: W.sum("out"),
      mean: W.mean("out"),
      all: W.mean("out", "in"),
      most: W.max("out"),
      squares: W.sumSquares("in"),
    };
    const { y, sum, mean, all, most, squares } = await run(whole, {
      v: new NdArray(data, ["batch", "in"], [2, 512]),
    });
    for (const [b, out] of [[0, 0], [1, 65_535], [0, 65_536], [1, 69_999]]) {
      let exact = 0;
      for (let i = 0; i < 512; i++) exact += data[b * 512 + i] * values.at(out * 512 + i);
      // 512 terms of about 1 in float32.
      assert(Math.abs(y.at({ batch: b, out }) - exact) < 1e-4);
    }
    let exact = 0;
    for (let out = 0; out < 70_000; out++) exact += values.at(out * 512 + 100);
    assert(Math.abs(sum.at({ in: 100 }) - exact) < 0.02, "70,000 terms of about 1: √n · 2⁻²⁴ · 600");
    assert(Math.abs(mean.at({ in: 100 }) - exact / 70_000) < 0.02 / 70_000);
    let total = 0, largest = -Infinity, square = 0;
    for (let i = 0; i < 70_000 * 512; i++) total += values.at(i);
    for (let out = 0; out < 70_000; out++) largest = Math.max(largest, values.at(out * 512 + 7));
    for (let i = 0; i < 512; i++) square += values.at(69_999 * 512 + i) ** 2;
    assert(
      Math.abs(all.at({}) - total / (70_000 * 512)) < 1e-4,
      "3.6e7 terms of about 1; at once: off by 3e-5",
    );
    assertEquals(most.at({ in: 7 }), largest);
    assert(Math.abs(squares.at({ out: 69_999 }) - square) < 512 * 2 ** -24 * square);
    const largestBlock = (output: Tensor, batch: number) => {
      const { external } = new Lowering({ output }, { batch }).graph.finish();
      return Math.max(...external.map(({ shape }) => 4 * shape.reduce((a, b) => a * b))) / 2 ** 20;
    };
    for (const output of Object.values(whole)) assert(largestBlock(output, 65) <= 128);
    assert(largestBlock(whole.y, 64) <= 4, "few rows: as small as the processor's caches");
    assert(largestBlock(whole.y, 65) > 4);
  });
});

Deno.test("rows that are larger than a block are blocks of their own", async () => {
  await inFile(new Uint8Array(), (file) => {
    const huge = [{ name: "out", size: 3 }, { name: "in", size: 2 ** 26 }];
    const W = stored("W", { file, offset: SKIPPED, type: "bfloat16" }, huge);
    const { external } = new Lowering({ y: W.sum("out") }, {}).graph.finish();
    assertEquals(external.map(({ shape }) => shape), [[1, 2 ** 26], [1, 2 ** 26], [1, 2 ** 26]]);
    return Promise.resolve();
  });
});

Deno.test("more rows than a stored table has: the error that an array gives, never what lies behind it", async () => {
  const { bytes, values } = randomValues("bfloat16", COUNT, 7);
  await inFile(bytes, (file) => {
    const W = stored("W", { file, offset: SKIPPED, type: "bfloat16" }, dims),
      array = param("W", values, dims);
    for (const over of ["out", "head", "in"]) { // its first dim, and others
      // A run would keep a weight as small as this one as an array.
      const lower = (W: Tensor) => new Lowering({ y: W.prefix(over, "pos") }, { pos: 7 });
      const expected = assertThrows(() => lower(array), Error, "expected at least 7");
      assertThrows(() => lower(W), Error, expected.message);
    }
    return Promise.resolve();
  });
});

Deno.test("what a run costs does not count the weights in files", async () => {
  const { bytes, values } = randomValues("bfloat16", COUNT, 7);
  await inFile(bytes, (file) => {
    const W = stored("W", { file, offset: SKIPPED, type: "bfloat16" }, dims);
    const product = (W: Tensor) => ({ y: x.dot(W, "head", "in") });
    assertEquals(cost(product(W), { batch: 2 }), cost(product(param("W", values, dims)), { batch: 2 }));
    return Promise.resolve();
  });
});

Deno.test("a file that is gone or another: one error, before the next batch", async () => {
  const { bytes } = randomValues("bfloat16", COUNT, 7);
  await inFile(bytes, async (file, path) => {
    const y = x.dot(stored("W", { file, offset: SKIPPED, type: "bfloat16" }, dims), "head", "in");
    await run({ y }, feeds(5));
    const change = (how: () => void) => ({
      batchSize: 1,
      onProgress: ({ done }: { done: number }) => done === 2 && how(),
    });
    const replace = () => {
      Deno.renameSync(path, `${path}.old`);
      Deno.copyFileSync(`${path}.old`, path);
    };
    await assertRejects(() => run({ y }, feeds(5), change(replace)), Error, "was changed or replaced");
    await assertRejects(() => run({ y }, feeds(5)), Error, "was changed or replaced");
    Deno.renameSync(`${path}.old`, path);
    await run({ y }, feeds(5));
    await assertRejects(() => run({ y }, feeds(5), change(() => Deno.removeSync(path))), Error, "is gone");
    // A graph that is made when the file is gone already: the next pass of a scan, or a small weight to keep.
    const kept = x.add(stored("W", { file, offset: SKIPPED, type: "bfloat16" }, dims).mean("head", "out"));
    await assertRejects(() => run({ y: y.mul(2) }, feeds(5)), Error, "is gone");
    await assertRejects(() => run({ kept }, feeds(5)), Error, "is gone");
  });
});
