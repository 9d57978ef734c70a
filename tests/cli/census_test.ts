// The command as a user meets it: several models, one report, what was done is not done again, and what
// cannot be used is named.
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { readArguments } from "../../lib/cli/census.ts";
import { type CensusCommand, runCensus } from "../../lib/cli/census_run.ts";
import { censusText } from "../../lib/cli/census_text.ts";
import { writeSafetensors } from "../../lib/checkpoints/safetensors_write.ts";
import { publishedOf } from "../../lib/experiments/census/published.ts";
import { withFolder } from "../checkpoints/small_model.ts";
import { plantedPrompts, writePlanted } from "../experiments/scan/planted/kinds.ts";

function log() {
  const lines: string[] = [];
  return { lines, isTerminal: false, columns: 100, write: (text: string) => void lines.push(text) };
}

const FEW = { early: 1, repair: 2, settings: { examine: 1, rotations: 2 } };

async function withModels(
  use: (
    run: (options: Partial<CensusCommand> & { models: string[] }) => ReturnType<typeof runCensus>,
    folder: string,
  ) => Promise<void>,
): Promise<void> {
  await withFolder(async (folder) => {
    await writePlanted(`${folder}/erasing`, "pair", 7);
    await writePlanted(`${folder}/plain`, "random", 7);
    const { tokens, count, length } = plantedPrompts(7, 16);
    const prompts = `${folder}/prompts.safetensors`;
    await writeSafetensors(prompts, { tokens: { dtype: "I32", dims: [count, length], data: tokens } });
    const given = { prompts, outDir: `${folder}/out`, target: log(), ...FEW };
    await use(
      ({ models, ...more }) =>
        runCensus({ ...given, ...more, models: models.map((name) => `${folder}/${name}`) }),
      folder,
    );
  });
}

Deno.test("runCensus(): two models side by side; a third that is none is named; the next run has them already", async () => {
  await withModels(async (run, folder) => {
    const first = await run({ models: ["erasing", "nothing", "plain"] });
    assertEquals(first.results.map(({ model }) => model.name), [`${folder}/erasing`, `${folder}/plain`]);
    assertEquals(first.failed.map(({ model }) => model), [`${folder}/nothing`]);
    assertStringIncludes(first.failed[0].reason, "There is no model");
    const html = await Deno.readTextFile(`${folder}/out/report.html`);
    assertStringIncludes(html, "Census of 2 models");
    for (const plot of ["models", "model0-contraction", "model1-cosines", "model0-early", "model1-repair"]) {
      assertStringIncludes(html, `<figure id="${plot}"`);
    }
    assertEquals(html.match(/<script|<link|<img|src=|@import|url\(["']?http/g), null);
    const ids = [...html.matchAll(/\bid="([^"]+)"/g)].map((match) => match[1]);
    assertEquals(ids.length, new Set(ids).size);
    assert(!/NaN|undefined|\[object/.test(html));
    const text = censusText(first.results);
    assertStringIncludes(text, "specifically erased occur in 1 of 2 models");
    assertStringIncludes(text, "plain:");

    const again = log();
    const second = await run({ models: ["plain"], target: again });
    assertStringIncludes(again.lines.join(""), "plain: measured before, with the same prompts and settings");
    assertEquals(second.results.length, 1);
    assertStringIncludes(await Deno.readTextFile(`${folder}/out/report.html`), "Census of 2 models");
    const anew = log();
    await run({ models: ["plain"], target: anew, repair: 1 });
    assertStringIncludes(anew.lines.join(""), "First pass: 49 of 49 runs are done");
  });
});

Deno.test("runCensus() does not write over somebody's report, and ends where it is stopped", async () => {
  await withModels(async (run, folder) => {
    await Deno.mkdir(`${folder}/out`);
    await Deno.writeTextFile(`${folder}/out/report.json`, `{"format":2,"writers":[]}`);
    await assertRejects(
      () => run({ models: ["plain"] }),
      Error,
      "report.json is no census, which would be written there",
    );
    assertEquals(await Deno.readTextFile(`${folder}/out/report.json`), `{"format":2,"writers":[]}`);
    const stop = new AbortController();
    stop.abort(new Error("interrupted"));
    await assertRejects(
      () => run({ models: ["plain"], outDir: `${folder}/o`, signal: stop.signal }),
      Error,
      "interrupted",
    );
  });
});

Deno.test("runCensus() goes on from what an interrupted run finished: the same report, nothing measured twice", async () => {
  await withModels(async (run, folder) => {
    const models = ["erasing"];
    const whole = await run({ models, outDir: `${folder}/whole` });
    const report = await Deno.readTextFile(`${folder}/whole/report.json`);
    for (const step of ["examining", "cosines", "DLA of early heads", "self-repair"]) {
      const outDir = `${folder}/stopped at ${step}`, stop = new AbortController();
      const write = (text: string) => {
        if (text.startsWith(step) && text.includes("prompts …")) stop.abort(new Error("interrupted"));
      };
      const stopping = { isTerminal: false, columns: 100, write };
      await assertRejects(() => run({ models, outDir, target: stopping, signal: stop.signal }), Error);
      const again = log();
      assertEquals((await run({ models, outDir, target: again })).results, whole.results);
      const said = again.lines.join("");
      assertStringIncludes(said, "First pass: 49 of 49 runs are done");
      assertEquals(
        said.includes("cosines of sublayers with the stream: measured before"),
        /DLA|repair/.test(step),
      );
      assertEquals(said.includes("DLA of early heads: measured before"), step === "self-repair");
      assertStringIncludes(said, "for all of it from the beginning");
      assertEquals(await Deno.readTextFile(`${outDir}/report.json`), report);
      const left = Array.from(Deno.readDirSync(outDir), ({ name }) => name.replace(/-.*\./, ".")).sort();
      assertEquals(left, ["report.html", "report.json", "screen.safetensors"]);
    }
  });
});

Deno.test("runCensus() that is stopped says so, also where what it measured cannot be kept", async () => {
  await withModels(async (run, folder) => {
    const out = `${folder}/gone`, stop = new AbortController();
    let updates = 0;
    const write = (text: string) => {
      if (!text.includes("%") || ++updates !== 3) return;
      stop.abort(new Error("interrupted"));
      Deno.removeSync(out, { recursive: true });
      Deno.writeTextFileSync(out, "no folder");
    };
    const target = { isTerminal: true, columns: 100, write };
    await assertRejects(
      () => run({ models: ["plain"], outDir: out, target, signal: stop.signal }),
      Error,
      "interrupted",
    );
    assertEquals(await Deno.readTextFile(out), "no folder");
  });
});

Deno.test("readArguments() of a census: models, options with their kinds, and what is wrong with them", () => {
  const read = readArguments([
    "a",
    "b/c",
    "--repair",
    "4",
    "--screen-tokens=2048",
    "--prompts",
    "t.txt",
    "--out",
    "o",
  ]);
  assert(read !== "help");
  assertEquals([read.models, read.repair, read.outDir, read.prompts], [["a", "b/c"], 4, "o", "t.txt"]);
  assertEquals(read.settings!.screenTokens, 2048);
  assertEquals(readArguments(["--help"]), "help");
  assertThrows(() => readArguments([]), Error, "got no model; expected at least one");
  assertThrows(() => readArguments(["a", "a"]), Error, "got a twice; expected each model once");
  assertThrows(
    () => readArguments(["a", "--early", "0"]),
    Error,
    "--early: got 0; expected a whole number of at least 1",
  );
  assertThrows(() => readArguments(["a", "--q", "x"]), Error, `--q: got "x"; expected a number`);
  assertThrows(() => readArguments(["a", "--untrained-prompts", "32"]), Error, "untrained-prompts");
});

Deno.test("publishedOf(): by the beginning of a name, wherever the model lies; each row says its source", async () => {
  const rows = await publishedOf("/models/openai-community/gpt2/");
  assertEquals(rows.length, 4);
  for (const { source, measure } of rows) {
    assertStringIncludes(source, "arXiv ");
    assert(["self-repair", "cosines", "writers", "cleaners"].includes(measure));
  }
  assertEquals((await publishedOf("Qwen/Qwen3-0.6B")).map(({ measure }) => measure), ["cosines"]);
  assertEquals(await publishedOf("tiny-gelu-4l"), []);
});
