import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import type { Dtype, RawTensor } from "../../lib/checkpoints/dtypes.ts";
import { toFloat32 } from "../../lib/checkpoints/dtypes.ts";
import { SafetensorsFile } from "../../lib/checkpoints/safetensors.ts";
import { encodeSafetensors, writeSafetensors } from "../../lib/checkpoints/safetensors_write.ts";
import { randomInt, randomSource } from "../reference/random.ts";
import { memorySource } from "./memory_source.ts";
import { withFolder } from "./small_model.ts";

/** A file with this header and `dataBytes` bytes of tensors. */
function fileOf(header: unknown, dataBytes: number, headerBytes?: number | bigint): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes ?? json.length), true);
  bytes.set(json, 8);
  return bytes;
}

const open = (bytes: Uint8Array) => SafetensorsFile.from(memorySource(bytes));

const sample: Record<string, RawTensor> = {
  weights: { dtype: "F32", dims: [2, 3], data: new Float32Array([1, -2, 3.5, 0, 1e-30, 7]) },
  bits: { dtype: "U8", dims: [3], data: new Uint8Array([1, 2, 255]) },
  flags: { dtype: "BOOL", dims: [2], data: new Uint8Array([0, 1]) },
  ids: { dtype: "U16", dims: [1, 2], data: new Uint16Array([65535, 4]) },
  long: { dtype: "I64", dims: [], data: new BigInt64Array([-5n]) },
  empty: { dtype: "I32", dims: [0, 4], data: new Int32Array(0) },
};

Deno.test("SafetensorsFile reads back what writeSafetensors wrote, tensor by tensor", async () => {
  await withFolder(async (folder) => {
    await writeSafetensors(`${folder}/a.safetensors`, sample, { made: "here" });
    assertEquals([...Deno.readDirSync(folder)].map((entry) => entry.name), ["a.safetensors"]);
    const file = await SafetensorsFile.open(`${folder}/a.safetensors`);
    assertEquals({ ...file.metadata }, { made: "here" });
    // All at once: the reads share one file position and must not disturb each other.
    const names = Object.keys(sample);
    const read = await Promise.all(names.map((name) => file.read(name)));
    for (const [i, name] of names.entries()) assertEquals(read[i], sample[name], name);
    file.close();
    await assertRejects(() => file.read("weights"), Error, "closed");
  });
});

Deno.test("SafetensorsFile reads only the header and the tensor that is asked for", async () => {
  const bytes = encodeSafetensors({
    big: { dtype: "F32", dims: [10000], data: new Float32Array(10000) },
    small: { dtype: "F32", dims: [2], data: new Float32Array([1, 2]) },
  });
  const read = { bytes: 0 };
  const file = await SafetensorsFile.from(memorySource(bytes, read));
  const header = Number(new DataView(bytes.buffer).getBigUint64(0, true));
  assertEquals(read.bytes, 8 + header);
  await file.read("small");
  assertEquals(read.bytes, 8 + header + 8);
});

Deno.test("toFloat32() widens F16 and BF16 exactly", () => {
  // Bit patterns and values from the IEEE 754 binary16 and bfloat16 definitions.
  const half: [number, number][] = [
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65504],
    [0x0400, 2 ** -14],
    [0x0001, 2 ** -24],
    [0x3555, 0.333251953125],
    [0x7c00, Infinity],
    [0x8000, -0],
  ];
  const brain: [number, number][] = [[0x3f80, 1], [0xc000, -2], [0x4049, 3.140625], [0xff80, -Infinity], [
    0x0080,
    2 ** -126,
  ]];
  for (const [dtype, table] of [["F16", half], ["BF16", brain]] as [Dtype, [number, number][]][]) {
    const data = Uint16Array.from(table, ([bits]) => bits);
    const values = toFloat32({ dtype, dims: [table.length], data }, "x");
    assertEquals(Array.from(values), table.map(([, value]) => value), dtype);
  }
  const nan = toFloat32({ dtype: "F16", dims: [1], data: new Uint16Array([0x7e00]) }, "x");
  assert(Number.isNaN(nan[0]));
  assertThrows(
    () => toFloat32(sample.ids, "ids", "/m/a.safetensors"),
    Error,
    'Tensor "ids" in /m/a.safetensors is wanted as floating-point weights, and is stored as',
  );
});

Deno.test("encodeSafetensors() refuses data that do not fill the dims", () => {
  const tensor: RawTensor = { dtype: "F32", dims: [3], data: new Float32Array(2) };
  assertThrows(() => encodeSafetensors({ tensor }), Error, "F32 [3]");
});

const f32 = (begin: number, end: number, shape: unknown = [(end - begin) / 4]) => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, end],
});

const refusals: [what: string, file: Uint8Array, message: string][] = [
  ["a header of 17 MB", fileOf({}, 17 * 2 ** 20, 17 * 2 ** 20), "more than the limit of 16777216"],
  [
    "100,001 tensors",
    fileOf(Object.fromEntries(Array.from({ length: 100_001 }, (_, i) => [i, 0])), 0),
    "names 100001 tensors",
  ],
  ["an empty file", new Uint8Array(0), "0 bytes"],
  ["a header longer than the file", fileOf({}, 0, 5000), "truncated"],
  ["a header beyond the limit", fileOf({}, 0, 2n ** 63n), "limit"],
  ["a header that is not JSON", fileOf("{nope}", 0), "not JSON"],
  ["a header that is not UTF-8", fileOf({}, 0).map((byte, i) => i === 9 ? 0xff : byte), "UTF-8"],
  ["a header that is a list", fileOf("[1]        ", 0), "'{'"],
  [
    "a tensor named twice",
    fileOf(`{"a":${JSON.stringify(f32(0, 4))},"\\u0061":${JSON.stringify(f32(4, 8))}}`, 8),
    "twice",
  ],
  [
    "a tensor with two dtypes",
    fileOf(`{"a":{"dtype":"F32","dtype":"I32","shape":[1],"data_offsets":[0,4]}}`, 4),
    "twice",
  ],
  ["an unknown dtype", fileOf({ a: { ...f32(0, 4), dtype: "F8_E4M3" } }, 4), '"F8_E4M3"'],
  ["a dtype from the prototype", fileOf({ a: { ...f32(0, 4), dtype: "constructor" } }, 4), '"constructor"'],
  ["a negative dim", fileOf({ a: f32(0, 4, [-1]) }, 4), "shape [-1]"],
  ["a fractional dim", fileOf({ a: f32(0, 4, [0.5]) }, 4), "shape [0.5]"],
  ["a shape that is text", fileOf({ a: f32(0, 4, "1") }, 4), "shape"],
  ["offsets that run backwards", fileOf({ a: f32(4, 0, [1]) }, 4), "before it begins"],
  ["a truncated tensor", fileOf({ a: f32(0, 400) }, 4), "truncated"],
  ["a shape that does not fill its bytes", fileOf({ a: f32(0, 8, [3]) }, 8), "needs 12 bytes, it is given 8"],
  ["a shape whose product overflows", fileOf({ a: f32(0, 8, [2 ** 52, 2 ** 52]) }, 8), "given 8"],
  ["overlapping tensors", fileOf({ a: f32(0, 8), b: f32(4, 12) }, 12), "overlaps"],
  ["a gap between tensors", fileOf({ a: f32(0, 4), b: f32(8, 12) }, 12), "belong to no tensor"],
  ["bytes after the last tensor", fileOf({ a: f32(0, 4) }, 8), "4 bytes at its end"],
  ["metadata that are not strings", fileOf({ __metadata__: { a: 1 } }, 0), "__metadata__"],
  ["an entry that is null", fileOf({ a: null }, 0), '"a"'],
];
for (const [what, bytes, message] of refusals) {
  Deno.test(`SafetensorsFile refuses ${what}`, async () => {
    const error = await assertRejects(() => open(bytes), Error, message);
    assertStringIncludes(error.message, "memory");
  });
}

Deno.test("SafetensorsFile names what it holds when a tensor is missing", async () => {
  const file = await open(encodeSafetensors(sample));
  await assertRejects(() => file.read("nothing"), Error, "weights");
});

Deno.test("SafetensorsFile says which file does not exist", async () => {
  await assertRejects(
    () => SafetensorsFile.open("/no/such.safetensors"),
    Error,
    "Cannot open /no/such.safetensors",
  );
});

Deno.test("SafetensorsFile: mutated files are refused or read with the dims and bytes their header states", async () => {
  const original = encodeSafetensors(sample, { note: "fuzz" });
  const random = randomSource(7);
  let opened = 0;
  let refused = 0;
  for (let round = 0; round < 4000; round++) {
    let bytes = original.slice();
    for (let edits = 1 + randomInt(random, 3); edits > 0; edits--) {
      const at = randomInt(random, round % 2 ? 200 : bytes.length);
      bytes[at] = random() < 0.5 ? randomInt(random, 256) : bytes[at] ^ (1 << randomInt(random, 8));
    }
    if (random() < 0.2) bytes = bytes.slice(0, randomInt(random, bytes.length));
    try {
      const file = await open(bytes);
      for (const name of file.tensors.keys()) {
        const { dims, data, dtype } = await file.read(name);
        const info = file.tensors.get(name)!;
        assertEquals([dims, dtype], [info.dims, info.dtype]);
        assertEquals(data.length, dims.reduce((a, b) => a * b, 1));
      }
      opened++;
    } catch (error) {
      assert(error instanceof Error && error.message.startsWith("memory"), String(error));
      refused++;
    }
  }
  assert(opened > 100 && refused > 100, `${opened} opened, ${refused} refused`);
});
