// deno task attribution as a user meets it: what it prints and leaves, what it refuses, how wrong usage ends.
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  type AttributionCommand,
  readAnswers,
  readArguments,
  runAttribution,
} from "../../lib/cli/attribution.ts";
import { attributionText } from "../../lib/cli/attribution_text.ts";
import { writeSafetensors } from "../../lib/checkpoints/safetensors_write.ts";
import { smallModel, withFolder, writeModelFolder } from "../checkpoints/small_model.ts";

function log() {
  const lines: string[] = [];
  return { lines, isTerminal: false, columns: 100, write: (text: string) => void lines.push(text) };
}

const files = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
const MODEL = "tiny-gelu-4l";

Deno.test("runAttribution() of a text prints what it found and leaves numbers and a figure", async () => {
  await withFolder(async (folder) => {
    const target = log();
    const check = await runAttribution({
      model: MODEL,
      text: "The sun was",
      outDir: `${folder}/out`,
      check: { answers: [" a", " the"], most: 2, rotations: 3, samples: 2 },
      target,
    });
    assertEquals(files(`${folder}/out`), ["attribution.json", "waterfall.png", "waterfall.svg"]);
    const json = JSON.parse(await Deno.readTextFile(`${folder}/out/attribution.json`));
    assertEquals([json.format, json.rows.length, json.rows[0].node], [1, 2, check.rows[0].node]);
    assertEquals(json.answers.map((a: { token: string }) => a.token), [" a", " the"]);
    const svg = await Deno.readTextFile(`${folder}/out/waterfall.svg`);
    assertStringIncludes(svg, "“The sun was”");
    assert(!/NaN|undefined/.test(svg));
    assertMatch(target.lines.join(""), /Removing nodes .*100\/100/);

    const text = attributionText(check);
    const [head, first] = text.split("\n");
    assertMatch(
      head,
      /^node +DLA +left +effect +resampled +left % +control % +effect % +control % +largest later steps$/,
    );
    assert(first.startsWith(check.rows[0].node) && first.includes(check.rows[0].dla.toFixed(2)), first);
    assertStringIncludes(text, '" a" against " the": the model\'s logit difference is');
    assertStringIncludes(text, 'answers: " a" (rank ');
    assert(text.split("\n").slice(5).every((line) => line.length <= 100));
  });
});

Deno.test("runAttribution() of a model that writes nothing leaves its numbers, and no figure of another check", async () => {
  await withFolder(async (folder) => {
    const model = smallModel(3);
    for (const tensor of Object.values(model.tensors)) (tensor.data as Float32Array).fill(0);
    await writeModelFolder(`${folder}/zero`, model);
    await writeSafetensors(`${folder}/tokens.safetensors`, {
      tokens: { dtype: "I32", dims: [20, 6], data: Int32Array.from({ length: 120 }, (_, i) => (i * 7) % 17) },
    });
    await Deno.mkdir(`${folder}/out`);
    for (const name of ["waterfall.png", "waterfall.svg"]) {
      await Deno.writeTextFile(`${folder}/out/${name}`, "");
    }
    const { rows } = await runAttribution({
      model: `${folder}/zero`,
      prompts: `${folder}/tokens.safetensors`,
      outDir: `${folder}/out`,
      check: { most: 1, rotations: 1, samples: 0 },
      target: log(),
    });
    assertEquals(rows.map(({ dla }) => dla), [0]);
    assertEquals(files(`${folder}/out`), ["attribution.json"]);
  });
});

Deno.test("runAttribution() of prompts, a file's or the model's own, has intervals; a text is resampled from a file", async () => {
  await withFolder(async (folder) => {
    const base = { model: MODEL, outDir: `${folder}/out`, target: log() };
    const check = { nodes: ["MLP1"], rotations: 1 };
    const pooled = await runAttribution({ ...base, length: 32, maxTokens: 128, check });
    assertEquals(pooled.rows[0].n, 4 * 31);
    assert(pooled.rows[0].effect.interval);
    const texts = `${folder}/texts.jsonl`;
    const lines = ["one two three four five six seven eight", "eight seven six five four three two one"];
    await Deno.writeTextFile(texts, lines.map((text) => JSON.stringify({ text })).join("\n"));
    const text = await runAttribution({ ...base, text: "a b", prompts: texts, length: 8, check });
    assertStringIncludes(text.assumptions.resampled, "texts.jsonl");
  });
});

Deno.test("runAttribution() refuses what it cannot do, with one clear error", async () => {
  await withFolder(async (folder) => {
    const refused = (command: Partial<AttributionCommand>, message: string) =>
      assertRejects(
        () => runAttribution({ model: MODEL, outDir: `${folder}/out`, check: {}, target: log(), ...command }),
        Error,
        message,
      );
    await refused(
      { text: "x", check: { answers: [" a", " not one token"] } },
      "expected one (mind the space in front)",
    );
    await refused({ text: "word ".repeat(300) }, "longer than the model's context of 256");
    await refused({ text: "" }, "got 1 token; expected at least 2");
    await refused({ text: "a b", check: { nodes: ["L1H66"] } }, 'no node "L1H66"');
    await writeModelFolder(`${folder}/mute`, smallModel(3));
    await refused({ model: `${folder}/mute`, text: "a b" }, "has no tokenizer.json");
    await refused({ model: `${folder}/mute` }, "comes with no prompts. Give some text with --prompts");
    await refused({ model: `${folder}/nothing`, text: "a" }, "nothing");
  });
});

Deno.test("readAnswers() keeps spaces, takes a JSON list, and refuses anything but two", () => {
  assertEquals(readAnswers(" a, b"), [" a", " b"]);
  assertEquals(readAnswers("a,b"), ["a", "b"]);
  assertEquals(readAnswers('[",", "\\n"]'), [",", "\n"]);
  for (const wrong of ["", " a", " a,", "a,b,c", '["a"]', '["a", 3]', '["a", "b", 4]']) {
    assertThrows(() => readAnswers(wrong), Error, "expected two tokens and a comma");
  }
  assertThrows(() => readAnswers('["a", b]'), Error, "no JSON list");
});

Deno.test("readArguments() reads options, and refuses what it does not know", () => {
  const read = (...args: string[]) =>
    readArguments(args) as Exclude<ReturnType<typeof readArguments>, "help">;
  const plain = read("some/model/", "--text", "a b");
  assertEquals([plain.model, plain.text, plain.check], ["some/model/", "a b", {}]);
  assertMatch(plain.outDir, /out[/\\]attribution-model$/);
  const all = read(
    ...["m", "--text", "t", "--answers", " a, b", "--nodes", "L1H6, MLP0", "--removed-at", "position"],
    ...["--position", "3", "--most", "2", "--rotations", "0", "--samples", "7", "--seed", "5"],
    ...["--prompts", "p.txt", "--length", "9", "--max-tokens", "99", "--out", "x"],
  );
  assertEquals(all.check, {
    answers: [" a", " b"],
    nodes: ["L1H6", "MLP0"],
    removedAt: "position",
    position: 3,
    most: 2,
    rotations: 0,
    samples: 7,
    seed: 5,
  });
  assertEquals([all.prompts, all.length, all.maxTokens, all.outDir], ["p.txt", 9, 99, "x"]);
  assertEquals(readArguments(["--help"]), "help");
  assertThrows(() => read(), Error, "got 0 models; expected one");
  assertThrows(() => read("a", "--most", "few"), Error, '--most: got "few"; expected a whole number');
  assertThrows(() => read("a", "--colour", "1"), Error, "--colour");
});

Deno.test("deno task attribution --help names every option; wrong usage ends with 2, bad input with 1", async () => {
  const script = new URL("../../lib/cli/attribution.ts", import.meta.url).pathname;
  const run = async (...args: string[]) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-read", "--allow-env", "--allow-sys", "--allow-ffi", script, ...args],
      env: { NO_COLOR: "1" },
    }).output();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, out: decode(stdout), err: decode(stderr) };
  };
  const help = await run("--help");
  assertEquals(help.code, 0);
  for (
    const option of ["--text", "--answers", "--nodes", "--removed-at", "--prompts", "--position", "--seed"]
  ) {
    assertStringIncludes(help.out, option);
  }
  const wrong = await run("a", "--nonsense");
  assertEquals(wrong.code, 2);
  assertStringIncludes(wrong.err, "deno task attribution MODEL --text");
  const bad = await run("no/such/folder/model", "--text", "a");
  assertEquals(bad.code, 1);
  assertMatch(bad.err, /^attribution: /m);
});
