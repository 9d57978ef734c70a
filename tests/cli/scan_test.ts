// The command as a user meets it: what it finds, what it writes, what it refuses, and that Ctrl-C loses
// nothing.
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { runScan, type ScanCommandOptions } from "../../lib/cli/scan.ts";
import { readArguments, type ScanArguments } from "../../lib/cli/scan_arguments.ts";
import { columns, scanText, wrap } from "../../lib/cli/scan_text.ts";
import { writeSafetensors } from "../../lib/checkpoints/safetensors_write.ts";
import { DEFAULT_SETTINGS } from "../../lib/experiments/scan/settings.ts";
import { foundWriters } from "../../lib/experiments/scan/scan.ts";
import { deviceFailed, DeviceFailure } from "../../lib/tensor/device.ts";
import { createOnce } from "../../lib/tensor/session.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { withFolder } from "../checkpoints/small_model.ts";
import { plantedPrompts, writePlanted } from "../experiments/scan/planted/kinds.ts";
import { randomPrompts } from "../transformer/models.ts";
import { schemaViolations } from "./json_schema.ts";

const schema = JSON.parse(
  await Deno.readTextFile(new URL("../../lib/cli/scan_schema.json", import.meta.url)),
);

/** A target that keeps what is written to it. */
function log(isTerminal = false) {
  const lines: string[] = [];
  return { lines, isTerminal, columns: 100, write: (text: string) => void lines.push(text) };
}

async function writeTokens(path: string, { tokens, count, length }: ReturnType<typeof plantedPrompts>) {
  await writeSafetensors(path, { tokens: { dtype: "I32", dims: [count, length], data: tokens } });
}

/** A folder with a planted model in model/ and its prompts. */
async function withPlanted(
  kind: Parameters<typeof writePlanted>[1],
  use: (
    run: (options?: Partial<ScanCommandOptions>) => ReturnType<typeof runScan>,
    folder: string,
  ) => Promise<void>,
) {
  await withFolder(async (folder) => {
    await writePlanted(`${folder}/model`, kind, 7);
    await writeTokens(`${folder}/prompts.safetensors`, plantedPrompts(7));
    const options = {
      model: `${folder}/model`,
      prompts: `${folder}/prompts.safetensors`,
      outDir: `${folder}/out`,
      target: log(),
    };
    await use((more) => runScan({ ...options, ...more }), folder);
  });
}

const files = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();

Deno.test("runScan() finds what is planted in a folder, and writes a report that its schema describes", async () => {
  await withPlanted("shared", async (run, folder) => {
    const target = log();
    const result = await run({ target, settings: { untrainedPrompts: 16 } });
    assertEquals(foundWriters(result).map((w) => w.writer), ["L0H2"]);
    assertEquals(files(`${folder}/out`), ["report.html", "report.json", "screen.safetensors"]);
    const json = JSON.parse(await Deno.readTextFile(`${folder}/out/report.json`));
    assertEquals(schemaViolations(json, schema), []);
    assertEquals(json.writers[0].cleaners.length, 6);
    assert(json.untrained);

    const html = await Deno.readTextFile(`${folder}/out/report.html`);
    assertStringIncludes(html, "L0H2 writes what is later erased");
    for (const plot of ["writers", "layers", "heat_map", "L0H2_locations", "L0H2_cleaners"]) {
      assertStringIncludes(html, `<figure id="${plot}"`);
    }
    assertStringIncludes(html, "What was not found, and why");
    assertStringIncludes(html, "What was assumed");
    // self-contained: nothing is loaded, no script runs, and no id occurs twice
    assertEquals(html.match(/<script|<link|<img|src=|@import|url\(["']?http/g), null);
    const ids = [...html.matchAll(/\bid="([^"]+)"/g)].map((match) => match[1]);
    assertEquals(ids.length, new Set(ids).size);
    assert(!/NaN|undefined|\[object/.test(html));

    const text = scanText(result);
    assertStringIncludes(text, "L0H2 writes what is later erased");
    assertMatch(text, /^L0H2 +\d+\.\d % +−?0\.\d\d +0\.\d\d +0\.\d\d +L2H1, L2H2/m);
    assertStringIncludes(target.lines.join(""), "screening 38 nodes: 24 prompts …\n");
    assertMatch(
      target.lines.join(""),
      /About [\d.]+ s: [\d.]+ s for the first pass .*About [\d.]+ GiB of memory/s,
    );
  });
});

Deno.test("runScan() of a model without clean-up says so, in a report that its schema describes", async () => {
  await withPlanted("none", async (run, folder) => {
    const result = await run();
    assertEquals(foundWriters(result), []);
    const json = JSON.parse(await Deno.readTextFile(`${folder}/out/report.json`));
    assertEquals(schemaViolations(json, schema), []);
    assertStringIncludes(await Deno.readTextFile(`${folder}/out/report.html`), "No clean-up was found");
  });
});

Deno.test("runScan() interrupted in the first pass: the next run goes on, and the report is the same", async () => {
  await withPlanted("pair", async (run, folder) => {
    const whole = await run({ outDir: `${folder}/whole`, batchSize: 4 });
    const stop = new AbortController();
    const target = log(true);
    const write = target.write;
    target.write = (text) => {
      write(text);
      if (text.startsWith("examining")) stop.abort(new Error("interrupted"));
    };
    await assertRejects(() => run({ signal: stop.signal, target, batchSize: 4 }), Error, "interrupted");
    assertEquals(files(`${folder}/out`), ["screen.safetensors"]);
    const again = log();
    const result = await run({ target: again, batchSize: 4 });
    assertStringIncludes(again.lines.join(""), "First pass: 49 of 49 runs are done");
    assertEquals(JSON.stringify(result), JSON.stringify(whole));
    // Other thresholds need no second first pass; other prompts do.
    const other = log();
    await run({ target: other, settings: { specific: 0.4 } });
    assertStringIncludes(other.lines.join(""), "49 of 49 runs are done");
    const shorter = log();
    await run({ target: shorter, length: 12 });
    assert(!shorter.lines.join("").includes("are done"));
    assertStringIncludes(shorter.lines.join(""), "screen.safetensors is of another scan");
    // A damaged one is said to be: one byte of the numbers, then a file of something else.
    const path = `${folder}/out/screen.safetensors`;
    const bytes = await Deno.readFile(path);
    bytes[bytes.length - 9] ^= 1;
    const foreign = await Deno.readFile(`${folder}/model/model.safetensors`);
    await Deno.writeFile(path, foreign);
    await assertRejects(
      () => run({ length: 12 }),
      Error,
      "is no pass of a scan, which would be written there",
    );
    assertEquals(await Deno.readFile(path), foreign, "it is somebody's, and stays");
    for (const damaged of [bytes, new TextEncoder().encode("no safetensors file")]) {
      await Deno.writeFile(path, damaged);
      const anew = log();
      await run({ target: anew, length: 12 });
      assertStringIncludes(anew.lines.join(""), "screen.safetensors is damaged: the first pass begins anew");
    }
  });
});

Deno.test("runScan() on a device that is lost: one error, and what was measured is kept for the same command", async () => {
  await withPlanted("pair", async (run, folder) => {
    const whole = await run({ outDir: `${folder}/whole`, batchSize: 4 });
    const target = log(true), write = target.write;
    let lost = false;
    target.write = (text) => {
      write(text);
      lost ||= text.startsWith("examining");
    };
    const losing: typeof createOnce = async (...graph) => {
      const session = await createOnce(...graph); // as the first pass does
      return {
        run: (feeds) =>
          lost
            ? Promise.reject(deviceFailed("webgpu", "Failed to download data from buffer: Device is lost"))
            : session.run(feeds),
      };
    };
    const error = await assertRejects(
      () => run({ target, batchSize: 4, createSession: losing }),
      DeviceFailure,
    );
    assertStringIncludes(error.message, "Device is lost. If it was lost");
    assertEquals(files(`${folder}/out`), ["screen.safetensors"]);
    const again = log();
    assert(JSON.stringify(await run({ target: again, batchSize: 4 })) === JSON.stringify(whole));
    assertStringIncludes(again.lines.join(""), "First pass: 49 of 49 runs are done");
  });
});

Deno.test("runScan() says before it begins that it cannot write where it is told to", async () => {
  await withPlanted("pair", async (run, folder) => {
    await Deno.mkdir(`${folder}/taken/report.html`, { recursive: true });
    const refused = (outDir: string, message: string) => assertRejects(() => run({ outDir }), Error, message);
    await refused(`${folder}/taken`, "taken: report.html is a folder there, where a file is to be written");
    await Deno.writeTextFile(`${folder}/file`, "");
    await refused(`${folder}/file`, `cannot write to ${folder}/file: `);
    await refused(`${folder}/file/below`, "Give another folder with --out");
  });
});

Deno.test("runScan() of text: tokenised with the model's tokenizer and packed", async () => {
  await withFolder(async (folder) => {
    const words =
      "the model writes a vector and later heads erase it from the stream of what was said before ".split(
        " ",
      );
    const documents = Array.from(
      { length: 40 },
      (_, i) => Array.from({ length: 120 }, (_, k) => words[(i * 7 + k * (i + 3)) % words.length]).join(" "),
    );
    await Deno.writeTextFile(
      `${folder}/texts.jsonl`,
      documents.map((text) => JSON.stringify({ text })).join("\n"),
    );
    const result = await runScan({
      model: "tiny-gelu-4l",
      prompts: `${folder}/texts.jsonl`,
      length: 64,
      maxTokens: 2000,
      outDir: `${folder}/out`,
      target: log(),
      settings: { examine: 2 },
    });
    assertEquals(result.prompts.length, 64);
    assertEquals(result.prompts.count, Math.floor(2000 / 63));
    assertStringIncludes(result.prompts.source, "packed, BOS first");
  });
});

Deno.test("runScan() gives a sound report of every family's checkpoint", async () => {
  const families = new URL("../reference/families/", import.meta.url).pathname;
  const loose = { specific: 0, share: 0, q: 1 };
  let through = 0;
  await withFolder(async (folder) => {
    for (const name of ["gpt2", "pythia", "smollm", "gpt-neo", "qwen2"]) {
      const model = await loadModel(families + name);
      const prompts = randomPrompts(model, 3, 16, Math.min(12, model.config.n_ctx));
      await writeTokens(`${folder}/${name}.safetensors`, prompts);
      const result = await runScan({
        model: families + name,
        prompts: `${folder}/${name}.safetensors`,
        outDir: `${folder}/${name}`,
        target: log(),
        settings: { ...loose, examine: 4, rotations: 8 }, // so that every pass runs
      });
      const html = await Deno.readTextFile(`${folder}/${name}/report.html`);
      assert(!/NaN|undefined|\[object/.test(html), name);
      const json = JSON.parse(await Deno.readTextFile(`${folder}/${name}/report.json`));
      assertEquals(schemaViolations(json, schema), [], name);
      assertEquals(result.model.layers, model.config.n_layers);
      assert(result.writers.length > 0, `${name}: some node was examined`);
      through += result.writers.filter((w) => w.routes && w.attribution).length;
    }
  });
  // these weights are random: not one in each family
  assert(through > 0, "some writers go through every pass");
});

Deno.test("runScan() says what to do when prompts are missing, too few, or of a kind that it cannot read", async () => {
  await withPlanted("pair", async (run, folder) => {
    const refused = (options: Partial<ScanCommandOptions>, message: string) =>
      assertRejects(() => run(options), Error, message);
    await refused({ prompts: undefined }, "comes with no prompts. Give some text with --prompts");
    await refused(
      { prompts: `${folder}/x.docx` },
      "prompts are read from .txt, .jsonl, .parquet or .safetensors",
    );
    await refused({ prompts: `${folder}/none.txt` }, "no such file");
    await refused({ maxTokens: 100 }, "got 6 prompts of 16 tokens");
    await refused({ maxTokens: 5 }, "Give a larger --max-tokens");
    await refused({ length: 99 }, "Cannot take 99 tokens each");
    await Deno.writeTextFile(`${folder}/text.txt`, "Some text.");
    await refused({ prompts: `${folder}/text.txt` }, "the model has no tokenizer.json");
    await refused({ model: `${folder}/nothing` }, "nothing");
    assertEquals(files(folder), ["model", "prompts.safetensors", "text.txt"]); // nothing was written
  });
});

Deno.test("readArguments() reads options and settings, and refuses what it does not know", () => {
  const read = (...args: string[]) => readArguments(args) as ScanArguments;
  assertEquals(read("some/model/").model, "some/model/");
  assertMatch(read("some/model/").outDir, /out[/\\]scan-model$/);
  assertEquals(read("m").settings, DEFAULT_SETTINGS);
  const all = read(
    "m",
    "--prompts",
    "a.txt",
    "--length",
    "128",
    "--max-tokens",
    "9999",
    "--out",
    "x",
    "--specific",
    "0.5",
    "--screen-tokens",
    "800",
  );
  assertEquals([all.prompts, all.length, all.maxTokens, all.outDir], ["a.txt", 128, 9999, "x"]);
  assertEquals([all.settings!.specific, all.settings!.screenTokens], [0.5, 800]);
  assertEquals(readArguments(["--help"]), "help");
  assertThrows(() => read(), Error, "got 0 models; expected one");
  assertThrows(() => read("a", "b"), Error, "got 2 models");
  assertThrows(() => read("a", "--length", "long"), Error, '--length: got "long"; expected a number');
  assertThrows(() => read("a", "--colour", "1"), Error, "--colour");
  assertEquals(read("a", "--shard", "3/8").shard, { index: 3, count: 8 });
  for (const none of ["8/8", "3", "1/0", "-1/2", "a/b"]) {
    assertThrows(() => read("a", `--shard=${none}`), Error, `--shard: got "${none}"; expected i/n`);
  }
  assertEquals(readArguments(["merge", "a", "b"]), { merge: ["a", "b"], outDir: "a" });
  assertEquals(readArguments(["merge", "a", "--out", "c"]), { merge: ["a"], outDir: "c" });
  assertThrows(() => read("merge"), Error, "merge: got no folder");
  assertThrows(() => read("merge", "a", "--q", "0.1"), Error, "merge: got --q");
  assertThrows(() => read("a", "--q", "7"), Error, "setting q");
});

Deno.test("deno task scan --help names every setting with its default; wrong usage ends with 2", async () => {
  const scan = new URL("../../lib/cli/scan.ts", import.meta.url).pathname;
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-read", "--allow-env", "--allow-sys", "--allow-ffi", scan, ...args],
      env: { NO_COLOR: "1" },
    }).output();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, out: decode(stdout), err: decode(stderr) };
  };
  const help = await run("--help");
  assertEquals(help.code, 0);
  for (const option of ["--prompts", "--specific 0.15", "--screen-tokens 1024", "--examine 16", "--seed 1"]) {
    assertStringIncludes(help.out, option);
  }
  const wrong = await run("a", "--nonsense");
  assertEquals(wrong.code, 2);
  assertStringIncludes(wrong.err, "deno task scan MODEL");
});

Deno.test("schemaViolations() notices what does not fit", () => {
  const s = {
    type: "object",
    required: ["a"],
    additionalProperties: false,
    properties: { a: { type: ["integer", "null"] }, b: { type: "array", items: { $ref: "#/$defs/n" } } },
    $defs: { n: { enum: [1, 2] } },
  };
  assertEquals(schemaViolations({ a: 1, b: [1, 2] }, s), []);
  assertEquals(schemaViolations({ a: null }, s), []);
  assertEquals(schemaViolations({ b: [1, 3], c: 1 }, s), [
    "report lacks a",
    "report.b[1] is not of 1,2",
    "report has c, which is not in the schema",
  ]);
  assertEquals(schemaViolations({ a: 1.5 }, s), ["report.a is number; expected integer or null"]);
  assertThrows(() => schemaViolations(1, { minimum: 2 }), Error, "does not know");
});

Deno.test("columns() and wrap() set text", () => {
  assertEquals(
    columns(["a", "name"], [["1.50", "x"], ["-10.25", "long"]]),
    "     a  name\n  1.50  x\n-10.25  long",
  );
  assertEquals(wrap("one two three four", 9), "one two\nthree\nfour");
});
