/**
 * PyTorch files that must be refused: pickles that want to run something, archives that contradict
 * themselves, and files that were changed at random. None may hang, exhaust memory, or give a tensor of
 * another shape than it says.
 */
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { TorchFile } from "../../lib/checkpoints/torch/torch_file.ts";
import { randomInt, randomSource } from "../reference/random.ts";
import { memorySource } from "./memory_source.ts";
import { Bytes, encodeTorch, stateDictPickle, type TorchEntry } from "./write_torch.ts";

const open = (bytes: Uint8Array) => TorchFile.from(memorySource(bytes));
const entries: Record<string, TorchEntry> = {
  w: { dtype: "F32", dims: [2, 3], data: new Float32Array([1, 2, 3, 4, 5, 6]) },
  t: { dtype: "F32", dims: [3, 2], strides: [1, 3], data: new Float32Array(6) },
  s: { dtype: "F32", dims: [2], offset: 1, strides: [3], sharedWith: "w", data: new Float32Array() },
  mask: { dtype: "BOOL", dims: [4], data: new Uint8Array(4) },
};

/** Shorthand for a pickle: text is ASCII with "\n" ends of lines, numbers are bytes. */
function pickle(...parts: (string | number)[]): Uint8Array {
  const out = new Bytes().op(0x80, 2);
  for (const part of parts) typeof part === "number" ? out.op(part) : out.ascii(part);
  return out.op(".").done();
}
const text = (value: string): (string | number)[] => ["X", value.length, 0, 0, 0, value];
const ordered = ["ccollections\nOrderedDict\n", ")", "R"];
/** A storage record is data/0 with 24 bytes: six float32. */
const storage = (type = "FloatStorage", key = "0", elements = 6) => [
  ..."((".split("").slice(1),
  ...text("storage"),
  `ctorch\n${type}\n`,
  ...text(key),
  ...text("cpu"),
  "K",
  elements,
  "t",
  "Q",
];
/** {"w": tensor} with the given pieces. */
const tensor = (
  offset: (string | number)[],
  size: (string | number)[],
  stride: (string | number)[],
  from = storage(),
) =>
  pickle(
    "}",
    ...text("w"),
    "ctorch._utils\n_rebuild_tensor_v2\n",
    "(",
    ...from,
    ...offset,
    ...size,
    ...stride,
    0x89,
    ...ordered,
    "t",
    "R",
    "s",
  );
const pair = (a: number, b: number) => ["K", a, "K", b, 0x86];

Deno.test("the tests' shorthand writes a tensor that is read", async () => {
  const file = await open(encodeTorch(entries, tensor(["K", 0], pair(2, 3), pair(3, 1))));
  assertEquals([...(await file.read("w")).data], [1, 2, 3, 4, 5, 6]);
});

const pickles: [what: string, pickle: Uint8Array, message: string][] = [
  [
    "wants os.system",
    pickle("cos\nsystem\n", ...text("echo"), 0x85, "R"),
    '"os.system", which is not allowed',
  ],
  ["wants builtins.eval", pickle("cbuiltins\neval\n", ...text("1"), 0x85, "R"), '"builtins.eval"'],
  ["wants eval by STACK_GLOBAL", pickle(...text("builtins"), ...text("eval"), 0x93), '"builtins.eval"'],
  ["wants a name of Object.prototype", pickle("ctorch\nconstructor\n"), '"torch.constructor"'],
  ["wants a torch function that is not a storage", pickle("ctorch\nload\n"), '"torch.load"'],
  ["uses INST", pickle("(", "ios\nsystem\n"), "operation 0x69"],
  ["uses OBJ", pickle("(", "ccollections\nOrderedDict\n", "o"), "operation 0x6f"],
  ["uses NEWOBJ", pickle("ccollections\nOrderedDict\n", ")", 0x81), "operation 0x81"],
  ["uses EXT1", pickle(0x82, 1), "operation 0x82"],
  ["calls a storage class", pickle("ctorch\nFloatStorage\n", ")", "R"), "calls torch.FloatStorage"],
  ["calls text", pickle(...text("eval"), ")", "R"), "not a global"],
  [
    "makes an OrderedDict of arguments",
    pickle("ccollections\nOrderedDict\n", "]", 0x85, "R"),
    "from arguments",
  ],
  ["sets attributes of a tuple", pickle(")", "}", "b"), "not a dict"],
  ["has a list as a key", pickle("}", "]", "K", 1, "s"), "neither text nor number"],
  ["has a key twice", pickle("}", ...text("a"), "K", 1, "s", ...text("a"), "K", 2, "s"), '"a" twice'],
  ["recalls what was not stored", pickle("h", 9), "value 9"],
  ["pops an empty stack", pickle("s"), "not there"],
  ["pops a mark", pickle("(", 0x85), "not there"],
  ["closes a group that is not open", pickle("t"), "not opened"],
  ["nests without end", pickle(...new Array(200).fill("(")), "deeper than 100"],
  ["has protocol 0", new Bytes().ascii("(dp0\n.").done(), "operation 0x64"],
  ["has protocol 9", new Bytes().op(0x80, 9, "N", ".").done(), "protocol 9"],
  ["breaks off", pickle("X", 255, 255, 255, 255), "breaks off"],
  ["has no end", new Bytes().op(0x80, 2, "N").done(), "breaks off"],
  ["leaves values behind", pickle("N", "N"), "1 values behind"],
  ["is a number", pickle("K", 3), "does not hold a dict"],
  ["holds a number", pickle("}", ...text("step"), "K", 3, "s"), '"step" is not a tensor'],
  ["has an integer of 200 bytes", pickle(0x8a, 200), "200 bytes"],
  ["has text that is not UTF-8", pickle("X", 1, 0, 0, 0, 0xff), "UTF-8"],
  ["makes a million values", pickle("N".repeat(1_100_000)), "more than 1000000 values"],
  ["has a persistent id of another kind", pickle(...text("file"), "Q"), "not a storage"],
  [
    "names a storage without a record",
    tensor(["K", 0], pair(2, 3), pair(3, 1), storage("FloatStorage", "99")),
    "no record",
  ],
  [
    "misstates a storage's size",
    tensor(["K", 0], pair(2, 3), pair(3, 1), storage("FloatStorage", "0", 7)),
    "24 bytes",
  ],
  [
    "uses a function as a storage",
    tensor(["K", 0], pair(2, 3), pair(3, 1), storage("../torch._utils")),
    "not allowed",
  ],
  [
    "reaches beyond its storage",
    tensor(["K", 1], pair(2, 3), pair(3, 1)),
    "reaches element 6 of a storage of 6",
  ],
  [
    "has a negative stride",
    tensor(["K", 0], pair(2, 3), ["K", 3, "J", 255, 255, 255, 255, 0x86]),
    "whole numbers",
  ],
  ["has a negative offset", tensor(["J", 255, 255, 255, 255], pair(2, 3), pair(3, 1)), "whole numbers"],
  ["has fewer strides than dims", tensor(["K", 0], pair(2, 3), ["K", 1, 0x85]), "fit each other"],
  [
    "repeats its elements a billion times",
    tensor(["K", 0], ["J", 0, 0, 0, 64, "K", 2, 0x86], pair(0, 1)),
    "repeats the 6",
  ],
];
for (const [what, bytes, message] of pickles) {
  Deno.test(`TorchFile refuses a pickle that ${what}`, async () => {
    const error = await assertRejects(() => open(encodeTorch(entries, bytes)), Error, message);
    assertStringIncludes(error.message, "memory");
  });
}

/** The sample file with one change made in it. */
function changed(
  change: (bytes: Uint8Array, view: DataView, directory: number) => Uint8Array | void,
): Uint8Array {
  const bytes = encodeTorch(entries);
  const view = new DataView(bytes.buffer);
  const directory = view.getUint32(bytes.length - 22 + 16, true);
  return change(bytes, view, directory) ?? bytes;
}
const find = (bytes: Uint8Array, ascii: string, from = 0): number => {
  const wanted = new TextEncoder().encode(ascii);
  for (let at = from; at < bytes.length; at++) {
    if (wanted.every((byte, i) => bytes[at + i] === byte)) return at;
  }
  throw new Error(`no ${ascii}`);
};

const archives: [what: string, bytes: Uint8Array, message: string][] = [
  ["that is empty", new Uint8Array(0), "only 0 bytes"],
  [
    "that is text",
    new TextEncoder().encode("<html>Sign in to download this file</html>"),
    "does not begin as a zip",
  ],
  ["from before PyTorch 1.6", new Uint8Array(64).fill(0x80), "before 1.6"],
  ["that was cut off", changed((bytes) => bytes.slice(0, 700)), "its end is missing"],
  ["with a byte after its end", changed((bytes) => new Uint8Array([...bytes, 0])), "its end is missing"],
  ["with a compressed record", changed((_, view, at) => view.setUint16(at + 10, 8, true)), "is compressed"],
  ["with an encrypted record", changed((_, view, at) => view.setUint16(at + 8, 1, true)), "is encrypted"],
  ["with two sizes", changed((_, view, at) => view.setUint32(at + 20, 1, true)), "two sizes"],
  [
    "with a record outside",
    changed((_, view, at) => view.setUint32(at + 42, 1e9, true)),
    "outside the file's data",
  ],
  [
    "with a record that is too long",
    changed((_, view, at) => [20, 24].forEach((field) => view.setUint32(at + field, 5e8, true))),
    "outside the file's data",
  ],
  [
    "with a changed weight",
    changed((bytes) => void (bytes[Math.ceil((find(bytes, "archive/data/0") + 14 + 4) / 64) * 64] ^= 1)),
    "checksum",
  ],
  [
    "with a damaged pickle",
    changed((bytes) => void (bytes[find(bytes, "_rebuild_tensor_v2")] ^= 1)),
    "checksum",
  ],
  [
    "with two names for one record",
    changed((bytes) => void (bytes[find(bytes, "archive/data/1") + 13] = 0x39)),
    "another name in its own header",
  ],
  [
    "with a record that is there twice",
    changed((bytes, _, at) => void (bytes[find(bytes, "archive/data/1", at) + 13] = 0x30)),
    "twice",
  ],
  [
    "with contradicting ends",
    changed((bytes, view) => view.setUint16(bytes.length - 22 + 10, 3, true)),
    "contradict",
  ],
  [
    "of another byte order",
    changed((bytes) => {
      const at = find(bytes, "little");
      bytes.set(new TextEncoder().encode("bigbig"), at);
    }),
    '"bigbig"',
  ],
];
for (const [what, bytes, message] of archives) {
  Deno.test(`TorchFile refuses a file ${what}`, async () => {
    const attempt = async () => {
      const file = await open(bytes);
      for (const name of file.tensors.keys()) await file.read(name);
    };
    const error = await assertRejects(attempt, Error, message);
    assertStringIncludes(error.message, "memory");
  });
}

Deno.test("TorchFile: a bit that flipped in a storage is noticed through a view of it as well", async () => {
  const data = Float32Array.from({ length: 60_000 }, (_, i) => i);
  const whole = { dtype: "F32" as const, dims: [60_000], data };
  const views: Record<string, TorchEntry> = {
    part: { dtype: "F32", dims: [3], offset: 7, storageElements: 60_000, data },
    transposed: { dtype: "F32", dims: [200, 300], strides: [1, 200], data },
    whole,
  };
  for (const [name, view] of Object.entries(views)) {
    const bytes = encodeTorch({ [name]: view });
    assertEquals((await (await open(bytes)).read(name)).dims, view.dims);
    const flipped = bytes.slice();
    const at = flipped.length - 100_000; // in the storage, far from the elements of `part`
    flipped[at] ^= 4;
    const file = await open(flipped);
    await assertRejects(() => file.read(name), Error, "does not have the checksum that was stored for it");
  }
});

Deno.test("TorchFile: a table of records that no state dict has is refused at once", async () => {
  const bytes = encodeTorch({ a: { dtype: "F32", dims: [1], data: new Float32Array(1) } });
  const view = new DataView(bytes.buffer);
  const end64 = bytes.length - 22 - 20 - 56;
  for (const at of [end64 + 24, end64 + 32]) view.setBigUint64(at, 250_000n, true);
  for (const at of [bytes.length - 14, bytes.length - 12]) view.setUint16(at, 0xffff, true);
  await assertRejects(() => open(bytes), Error, "its table of records has 250000 entries");
});

/**
 * Opens and reads everything; returns "opened" or the error's message. Checks what every file must keep to.
 */
async function exercise(bytes: Uint8Array): Promise<string> {
  const started = performance.now();
  let result = "opened";
  try {
    const file = await open(bytes);
    for (const [name, { dims, dtype }] of file.tensors) {
      const tensor = await file.read(name);
      if (String([tensor.dims, tensor.dtype]) !== String([dims, dtype])) throw new Error("shape changed");
      if (tensor.data.length !== dims.reduce((a, b) => a * b, 1)) throw new Error("wrong number of elements");
    }
  } catch (error) {
    assert(error instanceof Error);
    assert(error.message.startsWith("memory"), error.stack);
    result = error.message;
  }
  const seconds = (performance.now() - started) / 1000;
  assert(seconds < 5, `${seconds} s for ${bytes.length} bytes: ${result}`);
  return result;
}

function mutate(original: Uint8Array, random: () => number): Uint8Array {
  let bytes = original.slice();
  for (let edits = 1 + randomInt(random, 3); edits > 0; edits--) {
    const at = randomInt(random, bytes.length);
    const kind = random();
    if (kind < 0.6) bytes[at] = randomInt(random, 256);
    else if (kind < 0.8) bytes[at] ^= 1 << randomInt(random, 8);
    else bytes.copyWithin(at, randomInt(random, bytes.length), randomInt(random, bytes.length));
  }
  if (random() < 0.1) bytes = bytes.slice(0, randomInt(random, bytes.length));
  return bytes;
}

Deno.test("TorchFile: files changed at random are refused, or read with every tensor as it was", async () => {
  const original = encodeTorch(entries);
  const reference = await open(original);
  const random = randomSource(21);
  let unharmed = 0;
  for (let round = 0; round < 3000; round++) {
    const bytes = mutate(original, random);
    if (await exercise(bytes) !== "opened") continue;
    // The checksums leave only changes in what is not read: padding, time stamps, versions, the checksum
    // itself set to 0.
    const file = await open(bytes);
    assertEquals([...file.tensors.keys()], [...reference.tensors.keys()]);
    for (const name of file.tensors.keys()) {
      assertEquals((await file.read(name)).dims, (await reference.read(name)).dims);
    }
    unharmed++;
  }
  assert(unharmed > 50 && unharmed < 2500, `${unharmed} of 3000`);
});

Deno.test("TorchFile: pickles changed at random, with the right checksum, never hang and never misstate a shape", async () => {
  const original = stateDictPickle(entries);
  const random = randomSource(22);
  const outcomes = new Set<string>();
  for (let round = 0; round < 4000; round++) {
    const message = await exercise(encodeTorch(entries, mutate(original, random)));
    outcomes.add(message.replace(/\d+/g, "0"));
  }
  assert(outcomes.has("opened"));
  assert(outcomes.size > 20, `only ${outcomes.size} kinds of outcome`);
});

Deno.test("TorchFile: random sequences of allowed operations never hang", async () => {
  const random = randomSource(23);
  const operations = [..."(NK)t]}asuehqRQb", 0x85, 0x86, 0x87, 0x88, 0x94].map((o) =>
    typeof o === "string" ? o.charCodeAt(0) : o
  );
  for (let round = 0; round < 300; round++) {
    const out = new Bytes().op(0x80, 2);
    for (let i = 0; i < 500; i++) out.op(operations[randomInt(random, operations.length)]);
    await exercise(encodeTorch(entries, out.op(".").done()));
  }
  // A list that contains itself, and tuples that double: 2^60 leaves if anyone walked them.
  await exercise(encodeTorch(entries, pickle("]", "q", 0, "h", 0, "a")));
  await exercise(encodeTorch(entries, pickle(")", ...new Array(60).fill(["q", 1, "h", 1, 0x86]).flat())));
});
