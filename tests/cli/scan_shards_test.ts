// Shards: together they measure what one scan does; what is missing, doubled or foreign is refused by name.
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { join } from "node:path";
import { PassFile } from "../../lib/cli/pass_file.ts";
import { mergeShards } from "../../lib/cli/scan_merge.ts";
import { runScan, type ScanCommandOptions } from "../../lib/cli/scan_run.ts";
import { runShard } from "../../lib/cli/scan_shard.ts";
import { Histograms } from "../../lib/stats/histogram.ts";
import { RemovalStats } from "../../lib/experiments/retention/removal_stats.ts";
import { join as add, MOST_TOKENS } from "../../lib/experiments/retention/sums.ts";
import { parseShard, rangeOf } from "../../lib/experiments/scan/shards.ts";
import type { About } from "../../lib/experiments/scan/state.ts";
import type { ScanResult } from "../../lib/experiments/scan/scan.ts";
import { SafetensorsFile } from "../../lib/checkpoints/safetensors.ts";
import { writeSafetensors } from "../../lib/checkpoints/safetensors_write.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { withFolder } from "../checkpoints/small_model.ts";
import { plantedPrompts, writePlanted } from "../experiments/scan/planted/kinds.ts";

const quiet = { isTerminal: false, columns: 100, write: () => {} };

type Kind = Parameters<typeof writePlanted>[1];
type Run = (index: number, more?: Partial<ScanCommandOptions>) => Promise<string>;

/** A planted model and its prompts; one of `count` shards of a scan into `out`; and all of them. */
async function withShards(
  kind: Kind,
  count: number,
  use: (
    at: { folder: string; out: string; options: ScanCommandOptions; shard: Run; all(): Promise<string[]> },
  ) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    await writePlanted(`${folder}/model`, kind, 7);
    const { tokens, length, ...prompts } = plantedPrompts(7);
    await writeSafetensors(`${folder}/prompts.safetensors`, {
      tokens: { dtype: "I32", dims: [prompts.count, length], data: tokens },
    });
    const options: ScanCommandOptions = {
      model: `${folder}/model`,
      prompts: `${folder}/prompts.safetensors`,
      outDir: `${folder}/out`,
      target: quiet,
      batchSize: 4, // of 24 prompts a pass
    };
    const shard: Run = (index, more) => runShard({ ...options, ...more, shard: { index, count } });
    const all = async () => {
      const said: string[] = [];
      for (let index = 0; index < count; index++) said.push(await shard(index));
      return said;
    };
    await use({ folder, out: options.outDir, options, shard, all });
  });
}

/** All passes of all shards, each merged. */
async function toTheEnd(all: () => Promise<string[]>, out: string): Promise<ScanResult> {
  for (let pass = 0; pass < 3; pass++) {
    await all();
    const { result } = await mergeShards([out], out);
    if (result) return result;
  }
  throw new Error("no report after three passes");
}

/** Every number of two results is the same to 1e-9 of its size, and everything else is equal. */
function assertSame(got: unknown, expected: unknown, path = "result"): void {
  if (typeof expected === "number" && typeof got === "number") {
    if (Number.isInteger(expected) || !Number.isFinite(expected)) assertEquals(got, expected, path);
    else assertAlmostEquals(got, expected, 1e-9 * Math.max(1, Math.abs(expected)), path);
  } else if (typeof expected === "object" && expected !== null) {
    assertEquals(Object.keys(got as object).sort(), Object.keys(expected).sort(), path);
    for (const [key, value] of Object.entries(expected)) {
      assertSame((got as Record<string, unknown>)[key], value, `${path}.${key}`);
    }
  } else assertEquals(got, expected, path);
}

async function tensors(path: string): Promise<Record<string, ArrayLike<number>>> {
  const file = await SafetensorsFile.open(path);
  const read: Record<string, ArrayLike<number>> = {};
  for (const name of file.tensors.keys()) read[name] = (await file.read(name)).data as ArrayLike<number>;
  file.close();
  return read;
}

Deno.test("a shard says before each pass what its share of it takes", async () => {
  await withShards("pair", 2, async ({ out, shard, all }) => {
    const lines: string[] = [], target = { ...quiet, write: (text: string) => void lines.push(text) };
    const takes = /: 12 of the 24 prompts of the [\w ]+\. About [\d.]+ m?s\. About [\d.]+ GiB of memory, /;
    for (const pass of ["first pass", "second pass"]) {
      lines.length = 0;
      await shard(0, { target });
      const said = lines.find((line) => line.startsWith("shard 0/2: 12"))!;
      assertMatch(said, takes);
      assertStringIncludes(said, pass);
      await all();
      await mergeShards([out], out);
    }
  });
});

for (const [kind, count] of [["first token × 30", 3], ["shared", 4], ["none", 2]] as const) {
  Deno.test(`${count} shards of "${kind}" merged are one scan: integers identical, sums to 1e-9`, async () => {
    await withShards(kind, count, async ({ folder, out, options, all }) => {
      const settings = kind === "shared" ? { untrainedPrompts: 16 } : {};
      options.settings = settings;
      const whole = await runScan({ ...options, outDir: `${folder}/whole` });
      const merged = await toTheEnd(all, out);
      assertSame(merged, whole);
      if (kind !== "none") assert(merged.writers.some((w) => w.routes && w.attribution));
      if (kind === "shared") assert(merged.untrained);
      if (kind === "first token × 30") assert(merged.sink);

      const [a, b] = [
        await tensors(`${out}/screen.safetensors`),
        await tensors(`${folder}/whole/screen.safetensors`),
      ];
      assertEquals(Object.keys(a), Object.keys(b));
      for (const [name, values] of Object.entries(a)) {
        if (values instanceof Int32Array) assertEquals(values, b[name], name);
        else {for (let i = 0; i < values.length; i++) {
            assertAlmostEquals(values[i], b[name][i], 1e-9 * (1 + Math.abs(values[i])), name);
          }}
      }
    });
  });
}

Deno.test("shards: each says what comes next, and neither the order nor the number of folders matters", async () => {
  await withShards("pair", 3, async ({ folder, out, shard, all }) => {
    assertEquals(
      await shard(1),
      `The first pass of shard 1/3 is done. When all shards' are: deno task scan merge ${out}`,
    );
    assertStringIncludes(await shard(1), "The first pass of shard 1/3 is done"); // again: nothing is measured
    // The others on machines of their own.
    for (const i of [0, 2]) await shard(i, { outDir: `${folder}/of-${i}` });
    const dirs = [`${folder}/of-2`, out, `${folder}/of-0`, `${folder}/./out`];
    const { text } = await mergeShards(dirs, `${folder}/a`);
    assertStringIncludes(text, "The first pass is merged: ");
    assertStringIncludes(text, "Next: the same shards again, for the second pass; then merge.");
    await mergeShards([...dirs].reverse(), `${folder}/b`);
    assertEquals(
      await tensors(`${folder}/a/screen.safetensors`),
      await tensors(`${folder}/b/screen.safetensors`),
    );

    await all();
    await mergeShards([out], out);
    assertStringIncludes((await all()).at(-1)!, "The second pass of shard 2/3 is done");
    await mergeShards([out], out);
    // Shards of the second pass alone are not enough, although the first is merged.
    await Deno.mkdir(`${folder}/later/shards`, { recursive: true });
    await Deno.copyFile(
      `${out}/shards/examination-0-of-3.safetensors`,
      `${folder}/later/shards/examination-0-of-3.safetensors`,
    );
    await assertRejects(
      () => mergeShards([`${folder}/later`], out),
      Error,
      `scan merge: there are shards of the second pass in ${folder}/later, and none of the first pass. ` +
        `Give the folders with those too.`,
    );
    assertStringIncludes((await all()).at(-1)!, "The third pass of shard 2/3 is done");
    assert((await mergeShards([out], out)).result);
    assertStringIncludes(await shard(0), "Nothing is left for shard 0/3");
    assert((await mergeShards([out], out)).result, "merging again gives the report again");
  });
});

Deno.test("scan merge refuses missing, unfinished, doubled and foreign shards by name", async () => {
  await withShards("pair", 3, async ({ folder, out, options, shard, all }) => {
    const refused = async (message: string, ...dirs: string[]) =>
      await assertRejects(() => mergeShards(dirs.length ? dirs : [out], `${folder}/merged`), Error, message);
    await refused("there are no shards in", `${folder}/nothing`);
    await shard(1);
    await refused("2 of 3 shards of the first pass are missing: 0/3, 2/3.");
    await all();
    await shard(1, { outDir: `${folder}/second` });
    await refused("shard 1/3 of the first pass is there twice: ", out, `${folder}/second`);

    // Foreign ones, each in the place of shard 2.
    const place = `${out}/shards/screen-2-of-3.safetensors`, own = await Deno.readFile(place);
    const foreign = async (what: string, more: Partial<ScanCommandOptions>) => {
      const other = `${folder}/foreign-${what}`;
      await shard(2, { outDir: other, ...more });
      await Deno.copyFile(`${other}/shards/screen-2-of-3.safetensors`, place);
      await refused(`${place} is of ${what}`);
      await Deno.writeFile(place, own);
    };
    await foreign("other options (specific 0.3 and 0.15)", { settings: { specific: 0.3 } });
    await foreign("another seed", { settings: { seed: 2 } });
    await foreign("other prompts", { length: 12 });
    await writePlanted(`${folder}/other-model`, "pair", 8);
    await foreign("another model", { model: `${folder}/other-model` });
    await runShard({ ...options, outDir: `${folder}/of-4`, shard: { index: 3, count: 4 } });
    await refused("is of 4 shards", out, `${folder}/of-4`);
    // A copy under another shard's name would count its prompts twice.
    await Deno.copyFile(`${out}/shards/screen-1-of-3.safetensors`, place);
    await refused(`${place} holds shard 1/3. Was it renamed?`);
    await assertRejects(() => shard(2), Error, `${place} holds shard 1/3. Was it renamed?`);
    await Deno.writeFile(place, own);

    const bytes = own.slice();
    bytes[bytes.length - 9] ^= 1;
    await Deno.writeFile(place, bytes);
    await refused(`${place} is damaged. Remove it, and run shard 2/3 again.`);
    await Deno.writeFile(place, new TextEncoder().encode("something else"));
    await refused(`${place} is damaged`);
    await Deno.writeFile(place, own);
    await mergeShards([out], out);
    // A merged pass is not taken for another scan's.
    await assertRejects(() => shard(0, { length: 12 }), Error, "screen.safetensors is of other prompts");
    await assertRejects(
      () =>
        shard(0, { outDir: `${folder}/of-4`, settings: { seed: 3 } }).then(() =>
          shard(0, { outDir: `${folder}/of-4` })
        ),
      Error,
      "is of another seed",
    );
  });
});

Deno.test("a shard that was stopped goes on, and the result is the same", async () => {
  await withShards("pair", 2, async ({ folder, out, shard }) => {
    const whole = await toTheEnd(
      async () => [await shard(0), await shard(1)],
      out,
    );
    const stopped = `${folder}/stopped`;
    let times = 0;
    /** Stops a shard after so many batches; then it goes on. */
    const disturbed = async (index: number, after: number) => {
      const stop = new AbortController();
      let batches = 0;
      const target = {
        ...quiet,
        isTerminal: true,
        write: (text: string) => {
          if (text.includes("%") && ++batches === after) stop.abort(new Error("interrupted"));
        },
      };
      const more = { outDir: stopped };
      await shard(index, { ...more, target, signal: stop.signal }).catch((error) => {
        assertEquals(error.message, "interrupted");
        times++;
      });
      await shard(index, more);
    };
    for (let pass = 0; pass < 3; pass++) {
      await disturbed(0, 1 + pass);
      if (pass === 0) {
        await assertRejects(
          () => mergeShards([stopped], stopped),
          Error,
          "1 of 2 shards of the first pass are missing: 1/2",
        );
      }
      await disturbed(1, 3 - pass);
      const { result } = await mergeShards([stopped], stopped);
      assertEquals(result !== undefined, pass === 2);
      if (result) assertEquals(JSON.stringify(result), JSON.stringify(whole));
    }
    assert(times >= 5, `${times} of 6 were stopped`);
  });
});

Deno.test("two processes cannot measure one shard, and no shard may be without prompts", async () => {
  await withShards("none", 2, async ({ out, options, shard }) => {
    await Deno.mkdir(`${out}/shards`, { recursive: true });
    using held = await Deno.open(`${out}/shards/1-of-2.lock`, { write: true, create: true });
    await held.lock(true);
    await assertRejects(() => shard(1), Error, "shard 1/2 is being measured in");
    await shard(0);
    await assertRejects(
      () => runShard({ ...options, shard: { index: 0, count: 7 } }),
      Error,
      "--shard: got 7 shards; the first pass has 6 batches of 4 prompts, the second 6. Expected at most 6",
    );
  });
});

Deno.test("rangeOf() deals every prompt to one shard, in order", () => {
  for (const [count, batch, shards] of [[24, 1, 5], [8, 1, 8], [22, 4, 6], [100_000, 3, 97]]) {
    let next = 0;
    for (let index = 0; index < shards; index++) {
      const [first, end] = rangeOf(count, batch, { index, count: shards });
      assertEquals(first, next);
      assert(end > first && first % batch === 0);
      next = end;
    }
    assertEquals(next, count);
  }
  assertEquals(parseShard("0/1"), { index: 0, count: 1 });
});

Deno.test("a state that takes long to write is written more rarely", async () => {
  await withFolder(async (folder) => {
    let now = 0, writes = 0;
    const file = new PassFile(join(folder, "a.safetensors"), {} as About, () => now);
    // Writing takes a minute here: the second reading of the clock within a write is later by that.
    const flush = file.flush.bind(file);
    file.flush = async () => {
      writes++;
      const real = file["now"];
      let readings = 0;
      Object.defineProperty(file, "now", {
        value: () => now + (readings++ ? 60_000 : 0),
        configurable: true,
      });
      await flush();
      Object.defineProperty(file, "now", { value: real, configurable: true });
      now += 60_000;
    };
    for (let hour = 0; hour < 3 * 3600; hour++) {
      await file.save(new Map());
      now += 1000;
    }
    // A twentieth of 3 hours is 9 minutes.
    assert(writes >= 5 && writes <= 10, `${writes} writes of a minute in three hours`);
  });
});

Deno.test("counts do not overflow in silence", () => {
  const shape = { locations: [{ location: "end", after: 1 }], nodes: ["MLP0"], blocks: 1 };
  const one = new RemovalStats(shape, "end"), other = new RemovalStats(shape, "end");
  one.negative[0] = MOST_TOKENS;
  assertThrowsTooMany(() => one.add([-1], 0, 1, 0));
  other.ends.counts[3] = 2 ** 30;
  const third = new RemovalStats(shape, "end");
  third.ends.counts[3] = 2 ** 30;
  assertThrowsTooMany(() => add(third, other));
  const histograms = new Histograms(1);
  histograms.add(0, 0.5);
  const at = histograms.counts.indexOf(1);
  histograms.counts[at] = MOST_TOKENS;
  assertThrowsTooMany(() => histograms.add(0, 0.5));
});

function assertThrowsTooMany(add: () => void): void {
  let message = "";
  try {
    add();
  } catch (error) {
    message = (error as Error).message;
  }
  assertStringIncludes(message, "more than 2147483647");
}

Deno.test("a model's settings are the same after they were written to a shard", async () => {
  const families = new URL("../reference/families/", import.meta.url).pathname;
  for (const { name, isDirectory } of Deno.readDirSync(families)) {
    if (!isDirectory) continue;
    const { config } = await loadModel(families + name);
    assertEquals(JSON.parse(JSON.stringify(config)), config, name);
  }
});
