// deno task verify: a real run on the embedded model, wrong expected values, a wrong model, wrong usage.
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertGreater,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { verify, type VerifyOptions } from "../../lib/cli/verify.ts";
import { comparisonTable, figureReport } from "../../lib/cli/verify_report.ts";
import { dataPath } from "../../lib/checkpoints/mod.ts";
import type { Comparison, ExpectedFigure } from "../../lib/experiments/expected.ts";
import { withFolder } from "../checkpoints/small_model.ts";
import { embeddedPrompts } from "../transformer/models.ts";

const quiet = { write() {}, isTerminal: false, columns: 80 };

async function report(options: VerifyOptions) {
  const lines: string[] = [];
  const verdict = await verify({
    model: "tiny-gelu-4l",
    progress: quiet,
    print: (text) => lines.push(text),
    ...options,
  });
  return { ...verdict, text: lines.join("\n") };
}

type File = { model: string; computation: { by: string }; figures: Record<string, ExpectedFigure> };

/** The embedded model's expected values, changed, in a file. */
async function changed(folder: string, change: (figures: File["figures"]) => void): Promise<string> {
  const file: File = JSON.parse(await Deno.readTextFile(dataPath("expected/tiny-gelu-4l.json")));
  change(file.figures);
  const path = `${folder}/expected.json`;
  await Deno.writeTextFile(path, JSON.stringify(file));
  return path;
}

Deno.test("verify() of the embedded model: Figures 1 to 6 and 10 agree, number by number", async () => {
  const { agree, disagree, stopped, text } = await report({ figures: ["1", "2", "3", "4", "5", "6", "10"] });
  assertEquals([disagree, stopped], [0, false], text);
  assertGreater(agree, 2000);
  assertMatch(text, /✓ tokens: \d+ of \d+ values agree/);
  assertStringIncludes(text, "✓ fig1: 432 of 432 values agree within 0.001 + 0.001 of the value.");
  assertStringIncludes(text, "✓ fig3b, inner positions:");
  assertStringIncludes(text, "✓ fig5, repository form:");
  assertStringIncludes(text, "✓ fig6: 80 of 80");
  assert(!text.includes("Figure 7") && !text.includes("appendix:"));
  assertMatch(text, /\d+ values agree, 0 do not\./);
});

Deno.test("verify() prints disagreements in full and only those, and counts what was not measured", async () => {
  await withFolder(async (folder) => {
    let recorded = NaN;
    const expected = await changed(folder, (figures) => {
      recorded = Number(figures.fig10.rows[3].ratio);
      figures.fig10.rows[3].ratio = 9;
      figures.fig10.rows.push({ ...figures.fig10.rows[0], location: "resid_mid9" });
    });
    const { disagree, stopped, text } = await report({ figures: ["10"], expected, prompts: 3 });
    assertEquals([disagree, stopped], [2, false]);
    assertStringIncludes(
      text,
      "✗ fig10: 35 of 37 values agree within 0.001 + 0.001 of the value; 1 DIFFER; 1 were not measured.",
    );
    const table = text.split("\n").filter((line) => /DIFFERS|MISSING|agrees$/.test(line));
    assertEquals(table.length, 2);
    assertMatch(table[0], /resid_mid9 +ratio .* – +– .*MISSING/);
    const [, measured, difference] = /resid_mid1 +ratio +9 +(\S+) +(\S+) +0\.01000 +DIFFERS/.exec(table[1])!;
    assertAlmostEquals(Number(measured), recorded, 1e-3);
    assertAlmostEquals(Number(difference), recorded - 9, 1e-3);
    const all = await report({ figures: ["10"], expected, prompts: 3, all: true });
    assertEquals(all.text.split("\n").filter((line) => /resid_.*agrees$/.test(line)).length, 35);
  });
});

Deno.test("verify() stops before the figures when a quick check disagrees", async () => {
  await withFolder(async (folder) => {
    const expected = await changed(folder, (figures) => figures.weights.rows[1].bIn = 0.5);
    const { disagree, stopped, text } = await report({ expected, prompts: 3 });
    assertEquals([disagree, stopped], [1, true]);
    assertStringIncludes(text, "✗ weights: 19 of 20");
    assertStringIncludes(text, "no figure was measured");
    assert(!text.includes("\nFigures\n"));
  });
});

Deno.test("verify() calls it a disagreement when nothing of a figure is measured", async () => {
  await withFolder(async (folder) => {
    const expected = await changed(folder, (figures) => {
      figures.fig10.rows = figures.fig10.rows.map(({ ratio, ...row }) => ({ ...row, share: ratio }));
    });
    const { disagree, text } = await report({ figures: ["10"], expected, prompts: 3 });
    assertEquals(disagree, 1);
    assertStringIncludes(text, "✗ fig10: nothing of what is expected was measured");
  });
});

Deno.test("verify() with fewer prompts says so, and leaves out the norms, which are over more", async () => {
  const { disagree, text } = await report({ figures: ["10"], prompts: 3 });
  assertEquals(disagree, 0);
  assertStringIncludes(text, "3 prompts of 256 tokens");
  assertStringIncludes(text, "Fewer prompts than the expected values are over");
  assert(!text.includes("residual norm:"));
});

Deno.test("verify() refuses unknown figures and models without expected values, and can be interrupted", async () => {
  await assertRejects(
    () => report({ figures: ["1", "11"] }),
    Error,
    'there is no figure "11". There are: 1, 2, 3',
  );
  await assertRejects(
    () => report({ model: "somebody/model" }),
    Error,
    "no expected values are known for somebody/model",
  );
  await assertRejects(
    () => verify({ model: "tiny-gelu-4l", expected: "some/folder" }),
    Error,
    '--expected: got "some/folder"; expected a .json file',
  );
  const { count } = await embeddedPrompts();
  await assertRejects(() => report({ prompts: 1000 }), Error, `1 to ${count} can be taken`);
  const signal = AbortSignal.abort(new Error("enough"));
  await assertRejects(() => report({ signal }), Error, "enough");
});

Deno.test("comparisonTable() lines up columns, and shows line breaks of prompts as signs", () => {
  const one: Comparison = {
    what: "class A:\n\tdef L0H2",
    field: "clean",
    expected: 0.957,
    measured: 0.98,
    difference: 0.023,
    tolerance: 0.049,
    verdict: "agrees",
  };
  const lines = comparisonTable([one, { ...one, what: "x", measured: 1.2, verdict: "differs" }], "published")
    .split("\n");
  assertStringIncludes(lines[0], "published");
  assertStringIncludes(lines[2], "class A:↵⇥def L0H2");
  assertMatch(lines[3], /0\.95700 +1\.20000 .* DIFFERS$/);
  assertEquals(lines[2].indexOf("0.95700"), lines[3].indexOf("0.95700"));
  const none = { model: "m", by: "b", figures: {} };
  assertStringIncludes(figureReport("fig1", [], none), "nothing of what is expected was measured");
});

/** Exit code and output of the command itself. */
async function command(...args: string[]) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--frozen",
      "--cached-only",
      "--no-prompt",
      "--allow-read",
      "--allow-env",
      "--allow-sys",
      "--allow-ffi",
      "lib/cli/verify.ts",
      ...args,
    ],
    cwd: new URL("../..", import.meta.url).pathname,
    env: { NO_COLOR: "1" },
  }).output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

Deno.test("verify: exit codes 0, 1 and 2", async () => {
  await withFolder(async (folder) => {
    const wrong = await changed(folder, (figures) => figures.fig6.rows[0].norm = 1);
    const [good, bad, usage, count] = await Promise.all([
      command("tiny-gelu-4l", "--figures", "6", "--prompts", "1"),
      command("tiny-gelu-4l", "--figures", "6", "--prompts", "1", "--expected", wrong),
      command("tiny-gelu-4l", "--figure", "6"),
      command("tiny-gelu-4l", "--prompts", "none"),
    ]);
    assertEquals([good.code, bad.code, usage.code, count.code], [0, 1, 2, 2], `${good.text}${bad.text}`);
    assertStringIncludes(bad.text, "DIFFERS");
    assertStringIncludes(usage.text, "Exit code: 0 when every value agrees");
    assertStringIncludes(count.text, "expected a whole number from 1");
  });
});
