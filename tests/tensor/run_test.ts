import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { NdArray } from "../../lib/tensor/nd_array.ts";
import { type Feeds, type Progress, run, stream } from "../../lib/tensor/run.ts";
import { type CreateSession, createSession } from "../../lib/tensor/session.ts";
import { constant, input, iota, param, type Tensor } from "../../lib/tensor/tensor.ts";
import { World } from "./world.ts";

const symbols = (...names: string[]) => names.map((name) => ({ name, size: name }));
const ids = input("ids", symbols("batch", "pos"), { below: 10, atMost: { pos: 6 } });
const tokens = (count: number, length: number, change: Record<number, number> = {}): Feeds => {
  const data = Int32Array.from({ length: count * length }, (_, i) => i % 10);
  for (const [i, id] of Object.entries(change)) data[Number(i)] = id;
  return { ids: new NdArray(data, ["batch", "pos"], [count, length]) };
};
const table = param("table", Float32Array.from({ length: 30 }, (_, i) => Math.sin(i)), [
  { name: "row", size: 10 },
  { name: "a", size: 3 },
]);
const rows = table.gather("row", ids);

Deno.test("run(): the same result for every batch size and memory budget", async () => {
  const total = 7;
  const world = new World(41, { batch: total });
  const [x, y, w] = [world.input("pos", "a"), world.input("a"), world.param("a", "b")];
  const outputs = {
    product: x.t.dot(w.t, "a"),
    reduced: x.t.mul(y.t).mean("pos"),
    normal: x.t.softmax("pos"),
    fixed: w.t.exp(),
    broadcast: y.t.expand("pos", "pos").order("batch", "pos", "a"),
    nothing: constant(4),
    each: constant(4).expand("batch", "batch"),
  };
  const whole = await run(outputs, world.feeds, { batchSize: total });
  assertEquals(whole.product.shape, [total, world.sizes.pos, world.sizes.b]);
  assertEquals([whole.fixed.names, whole.nothing.shape, whole.each.shape], [["a", "b"], [], [total]]);
  for (const options of [1, 2, 3, 4, 5, 6, 8, 100].map((batchSize) => ({ batchSize }))) {
    const parts = await run(outputs, world.feeds, options);
    for (const name of Object.keys(outputs) as (keyof typeof outputs)[]) {
      const [got, expected] = [parts[name], whole[name]];
      assertEquals([got.names, got.shape], [expected.names, expected.shape], `${name} ${options.batchSize}`);
      got.data.forEach((v, i) => assert(Math.abs(v - expected.data[i]) <= 1e-6 * (1 + Math.abs(v)), name));
    }
  }
  const { product } = await run(outputs, world.feeds, { memoryBytes: 1 });
  assertEquals(product.shape, whole.product.shape);
});

Deno.test("run(): memoryBytes sets the batch size", async () => {
  // For each prompt: 5 · 3 looked-up values, 60 bytes.
  const sizes: number[] = [];
  for (const memoryBytes of [1, 125, 300, 1e9]) {
    for await (const { results } of stream({ rows }, tokens(8, 5), { memoryBytes })) {
      sizes.push(results.rows.shape[0]);
      break;
    }
  }
  assertEquals(sizes, [1, 2, 5, 8]);
});

Deno.test("stream() yields batches in order, with the index of their first prompt", async () => {
  const seen: number[][] = [];
  for await (const { start, results } of stream({ rows }, tokens(7, 2), { batchSize: 3 })) {
    seen.push([start, results.rows.shape[0]]);
  }
  assertEquals(seen, [[0, 3], [3, 3], [6, 1]]);
});

Deno.test("run(): whole numbers come out as whole numbers", async () => {
  const { out, place } = await run({ out: ids, place: rows.topK("a", 1).indices }, tokens(2, 3));
  assert(out.data instanceof Int32Array && place.data instanceof Int32Array);
  assertEquals([...out.data], [0, 1, 2, 3, 4, 5]);
});

const bad: [string, () => Promise<unknown>, string[]][] = [
  ["no outputs", () => run({}, tokens(1, 1)), ["no outputs", "at least one"]],
  ["a missing input", () => run({ rows }, {}), ['input "ids" [batch, pos]', "not given"]],
  ["a misspelt input", () => run({ rows }, { id: tokens(1, 1).ids }), ['input "ids"', "got id"]],
  ["wrong dims", () => run({ rows }, { ids: new NdArray(new Int32Array(2), ["pos", "batch"], [1, 2]) }), [
    'input "ids"',
    "[pos, batch]",
    "expected [batch, pos]",
  ]],
  ["too few dims", () => run({ rows }, { ids: new NdArray(new Int32Array(2), ["batch"], [2]) }), [
    "[batch]",
    "expected [batch, pos]",
  ]],
  [
    "values in place of ids",
    () => run({ rows }, { ids: new NdArray(new Float32Array(2), ["batch", "pos"], [1, 2]) }),
    [
      'input "ids"',
      "Float32Array",
      "int32",
    ],
  ],
  ["an id that is too large", () => run({ rows }, tokens(3, 4, { 6: 10 })), [
    "id 10",
    "row 1",
    "at 2",
    "0 … 9",
  ]],
  ["a negative id", () => run({ rows }, tokens(2, 2, { 0: -1 })), ["id -1", "row 0", "at 0"]],
  ["prompts that are too long", () => run({ rows }, tokens(2, 7)), ['7 for "pos"', "at most 6"]],
  ["no prompts", () => run({ rows }, tokens(0, 4)), ['none for "batch"', "at least one"]],
  ["empty prompts", () => run({ rows }, tokens(4, 0)), ['none for "pos"', "at least one"]],
  ["batch not first", () => run({ rows: rows.order("pos", "batch", "a") }, tokens(2, 2)), [
    'output "rows"',
    "[pos, batch, a 3]",
    '"batch" first',
  ]],
  ["a broadcast dim without size", () => run({ rows: rows.expand("key") }, tokens(2, 2)), [
    '"key"',
    'expand("key", size)',
  ]],
  ["a symbol that nothing binds", () => run({ n: iota("pos", "pos") }, {}), ['"pos"', "not bound"]],
  ["a select beyond the prompts", () => run({ last: rows.select("pos", 4) }, tokens(2, 3)), [
    "select",
    "pos",
    "3 places",
    "at least 5",
  ]],
  ["a slice beyond the prompts", () => run({ last: rows.slice("pos", 1, 5) }, tokens(2, 3)), [
    "slice",
    "pos",
    "5",
    "3",
  ]],
  ["more of the largest than there are", () => run({ t: rows.topK("pos", 4).values }, tokens(2, 3)), [
    "topK",
    "4",
    "3",
  ]],
  [
    "a prefix longer than the table",
    () =>
      run({ p: ids.sum("pos").expand("pos", "pos"), t: table.prefix("row", "pos") }, {
        ids: new NdArray(new Int32Array(2), ["batch", "pos"], [1, 2]),
      }).then(() => run({ t: table.slice("row", 0, 2).prefix("row", "pos"), ids }, tokens(1, 3))),
    ["prefix", "row", "3", "2"],
  ],
  ["one name for two inputs", () => {
    const other = input("ids", [...symbols("batch"), { name: "pos", size: 3 }]);
    return run({ rows, other }, tokens(1, 3));
  }, ['"ids"', "[batch, pos]", "[batch, pos 3]"]],
];
for (const batchSize of [0, -1, 1.5, NaN]) {
  bad.push([`batchSize ${batchSize}`, () => run({ rows }, tokens(2, 2), { batchSize }), [
    `batchSize ${batchSize}`,
    "positive integer",
  ]]);
}
for (const memoryBytes of [NaN, -5]) {
  bad.push([`memoryBytes ${memoryBytes}`, () => run({ rows }, tokens(2, 2), { memoryBytes }), [
    `memoryBytes ${memoryBytes}`,
    "positive",
  ]]);
}
for (const [what, fn, parts] of bad) {
  Deno.test(`run() refuses ${what}`, async () => {
    const { message } = await assertRejects(fn, Error);
    for (const part of parts) assertStringIncludes(message, part);
  });
}

Deno.test("run() of prompts that were not made feeds by feed() says so, and which input is missing", async () => {
  const prompts = { ids: Int32Array.of(1, 2), count: 1, length: 2 } as unknown as Parameters<typeof run>[1];
  await assertRejects(
    () => run({ ids }, prompts),
    Error,
    "got Int32Array; expected an NdArray. Prompts are fed as",
  );
  await assertRejects(() => run({ ids }, {}), Error, 'input "ids" [batch, pos] was not given; got no inputs');
});

Deno.test("run() refuses inputs that disagree on a size", async () => {
  const other = input("other", symbols("batch", "pos"));
  const more = (count: number, length: number) => ({ ...tokens(2, 3), other: tokens(count, length).ids });
  const sum = { sum: ids.add(other) };
  await run(sum, more(2, 3));
  assertStringIncludes((await assertRejects(() => run(sum, more(3, 3)))).message, 'for "batch"; expected');
  assertStringIncludes((await assertRejects(() => run(sum, more(2, 4)))).message, 'for "pos"; expected');
});

Deno.test("run() passes over feeds that no output needs", async () => {
  const feeds = { other: tokens(3, 1).ids, ...tokens(5, 2) };
  for (const batchSize of [2, 5]) assertEquals((await run({ ids }, feeds, { batchSize })).ids.shape, [5, 2]);
  assertEquals((await run({ table }, feeds)).table.shape, [10, 3]);
});

Deno.test("run(): outputs that read no input have the batch and the length of what is fed", async () => {
  const zero = constant(0).expand("batch", "batch").expand("pos", "pos");
  for (const batchSize of [2, 5]) {
    assertEquals((await run({ zero }, tokens(5, 2), { batchSize })).zero.shape, [5, 2]);
  }
});

/** A runtime that counts its runs and may fail. */
function counting(before: (run: number) => void = () => {}) {
  const counts = { sessions: 0, runs: 0 };
  const create: CreateSession = async (graph, threads) => {
    counts.sessions++;
    const session = await createSession(graph, threads);
    return {
      run(feeds) {
        before(++counts.runs);
        return session.run(feeds);
      },
    };
  };
  return { counts, create };
}

Deno.test("run(): one session for the full batches and one for the rest", async () => {
  const { counts, create } = counting();
  await run({ rows }, tokens(7, 2), { batchSize: 2, createSession: create });
  assertEquals(counts, { sessions: 2, runs: 4 });
});

Deno.test("run(): progress rises prompt by prompt and ends at the total", async () => {
  const seen: Progress[] = [];
  await run({ rows }, tokens(7, 2), { batchSize: 3, onProgress: (p) => seen.push(p) });
  assertEquals(seen.map((p) => [p.done, p.total]), [[3, 7], [6, 7], [7, 7]]);
  seen.forEach((p, i) => assert(p.seconds >= (seen[i - 1]?.seconds ?? 0)));
});

Deno.test("run(): a signal stops it between two batches, with the signal's reason", async () => {
  const reason = new Error("enough");
  const { counts, create } = counting();
  const controller = new AbortController();
  const onProgress = ({ done }: Progress) => {
    if (done === 4) controller.abort(reason);
  };
  const options = { batchSize: 2, signal: controller.signal, onProgress, createSession: create };
  const error = await assertRejects(() => run({ rows }, tokens(7, 2), options));
  assert(error === reason);
  assertEquals(counts.runs, 2);
  await assertRejects(() => run({ rows }, tokens(7, 2), options), Error, "enough");
  assertEquals(counts.runs, 2);
});

Deno.test("run(): timers get their turn between batches, so that a clock can stop it", async () => {
  const { counts, create } = counting();
  const options = { batchSize: 1, signal: AbortSignal.timeout(0), createSession: create };
  const error = await assertRejects(() => run({ rows }, tokens(500, 2), options));
  assertEquals(error.name, "TimeoutError");
  assert(counts.runs < 500);
});

Deno.test("run(): what the runtime throws ends the run", async () => {
  const { counts, create } = counting((n) => {
    if (n === 2) throw new Error("out of memory");
  });
  const options = { batchSize: 2, createSession: create };
  await assertRejects(() => run({ rows }, tokens(7, 2), options), Error, "out of memory");
  assertEquals(counts.runs, 2);
  const refuse = () => Promise.reject(new Error("no runtime"));
  await assertRejects(() => run({ rows }, tokens(1, 1), { createSession: refuse }), Error, "no runtime");
});

Deno.test("run(): many runs at once do not end each other's sessions", async () => {
  const one = async (k: number) => {
    const t: Tensor = rows.mul(k);
    const { y } = await run({ y: t }, tokens(6, 2), { batchSize: 2 });
    return y.data[4];
  };
  const values = await Promise.all(Array.from({ length: 12 }, (_, k) => one(k + 1)));
  values.forEach((v, k) => assert(Math.abs(v - (k + 1) * Math.sin(4)) < 1e-5));
});
