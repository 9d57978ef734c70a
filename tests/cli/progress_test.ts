import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { canMakeOddFiles } from "../checkpoints/odd_files.ts";
import { withFolder } from "../checkpoints/small_model.ts";
import { bar, counted, formatSeconds, Progress, readProgress } from "../../lib/cli/progress.ts";

function recorder(isTerminal: boolean, columns = 60) {
  let text = "";
  return { write: (part: string) => void (text += part), isTerminal, columns, text: () => text };
}

Deno.test("formatSeconds() changes to minutes at 60 s", () => {
  assertEquals([0, 3.14, 59.94, 60, 125.4, 3600].map(formatSeconds), [
    "0.0 s",
    "3.1 s",
    "59.9 s",
    "1 min 00 s",
    "2 min 05 s",
    "60 min 00 s",
  ]);
});

Deno.test("counted() says one cell, but two cells", () => {
  assertEquals([0, 1, 2].map((count) => counted(count, "cell")), ["0 cells", "1 cell", "2 cells"]);
});

Deno.test("bar() fills in proportion and is never longer than its width", () => {
  assertEquals(bar(0, 4, 8), "░░░░░░░░");
  assertEquals(bar(1, 4, 8), "██░░░░░░");
  assertEquals(bar(4, 4, 8), "████████");
  assertEquals(bar(9, 4, 8), "████████");
  assertEquals(bar(0, 0, 8), "░░░░░░░░");
});

Deno.test("Progress writes two plain lines a notebook where there is no terminal", () => {
  const target = recorder(false);
  const progress = new Progress(2, target);
  const fig1 = progress.start("fig1");
  fig1.cell(1, 3);
  fig1.cell(3, 3);
  fig1.finish();
  progress.start("fig2").fail();
  const lines = target.text().split("\n");
  assertEquals(lines[0], "[1/2] fig1 …");
  assert(/^\[1\/2\] fig1: 3 cells, \d+\.\d s$/.test(lines[1]), lines[1]);
  assertEquals(lines[2], "[2/2] fig2 …");
  assert(/^\[2\/2\] fig2: not finished, \d+\.\d s$/.test(lines[3]), lines[3]);
  assertEquals(lines.slice(4), [""]);
  assert(!target.text().includes("\x1b"));
});

Deno.test("Progress redraws one line on a terminal and never exceeds its width", () => {
  const target = recorder(true, 40);
  const notebook = new Progress(1, target).start("fig1_with_a_name_that_is_rather_long");
  notebook.cell(2, 4);
  notebook.finish();
  const drawn = target.text().split("\r\x1b[K");
  assertStringIncludes(drawn[1], `[0/1] ${bar(0, 1)} 0.0 s`);
  for (const line of drawn.slice(0, -1)) assert(line.length < 40, line);
  assertEquals(target.text().match(/\n/g)?.length, 1); // only the finished notebook takes a line
});

Deno.test("Progress shows how much of all is done, the time, notebook and cell; the running cell is not done", () => {
  const target = recorder(true, 100);
  const notebook = new Progress(3, target).start("fig1");
  notebook.cell(3, 4);
  notebook.fail();
  const drawn = target.text().split("\r\x1b[K");
  assertEquals(drawn[1], `[0/3] ${bar(0, 3)} 0.0 s  fig1 starting`);
  assertEquals(drawn[2], `[0/3] ${bar(0.5, 3)} 0.0 s  fig1 3/4`);
});

Deno.test("Progress shows notebooks that run side by side in one line, and each that ends in a line of its own", () => {
  const target = recorder(true, 200);
  const progress = new Progress(3, target);
  const first = progress.start("fig1_a"), second = progress.start("fig2_b");
  first.cell(2, 2);
  second.cell(1, 4);
  second.finish();
  first.finish();
  const drawn = target.text().split("\r\x1b[K");
  assertEquals(drawn[4], `[0/3] ${bar(0.5, 3)} 0.0 s  fig1_a 2/2, fig2_b 1/4`);
  assert(/^\[2\/3\] fig2_b: 4 cells, \d+\.\d s\n$/.test(drawn[5]), drawn[5]);
  assertEquals(drawn[6], `[1/3] ${bar(1.5, 3)} 0.0 s  fig1_a 2/2`);
  assertEquals(drawn.at(-1)!.match(/\[1\/3\] fig1_a: 2 cells/)?.index, 0);
});

Deno.test("Progress takes short names where the line would be longer than the terminal is wide", () => {
  const target = recorder(true, 80), progress = new Progress(12, target);
  for (const name of ["fig1_residual_stream", "fig10_single_prompts", "check_your_model"]) {
    progress.start(name).cell(10, 13);
  }
  const last = target.text().split("\r\x1b[K").at(-1)!;
  assertEquals(last, `[0/12] ${bar(27 / 13, 12)} 0.0 s  fig1 10/13, fig10 10/13, check_your_mode`);
});

Deno.test("readProgress() speaks on a terminal alone, within its width, and when reading takes a while", async () => {
  for (const isTerminal of [true, false]) {
    let written = "";
    const target = { write: (text: string) => written += text, isTerminal, columns: 40 };
    const progress = readProgress("texts.jsonl", target);
    progress.report(1e6, 4e7);
    assertEquals(written, "");
    await new Promise((resolve) => setTimeout(resolve, 250));
    progress.report(2e7, 4e7);
    progress.finish();
    const line = "Reading texts.jsonl ████████████░░░░░░░░";
    assertEquals(written, isTerminal ? `\r\x1b[K${line.slice(0, 39)}\r\x1b[K` : "");
  }
});

Deno.test({
  name: "stderrTarget(): a log that is full, or that nobody reads any more, does not end the work",
  ignore: Deno.build.os !== "linux" || !canMakeOddFiles,
  fn: () =>
    withFolder(async (folder) => {
      const progress = new URL("../../lib/cli/progress.ts", import.meta.url);
      const script = `import { stderrTarget } from "${progress}";
        stderrTarget().write("Measuring …"); console.log("done");`;
      await Deno.writeTextFile(`${folder}/script.ts`, script);
      const code = `const [deno, script] = process.argv.slice(1);
        const stdio = ["ignore", "inherit", fs.openSync("/dev/full", "w")];
        child_process.spawnSync(deno, ["run", "-A", "--no-check", "--config=deno.json", script], { stdio });`;
      const { stdout } = await new Deno.Command("node", {
        args: ["-e", code, Deno.execPath(), `${folder}/script.ts`],
        cwd: new URL("../../", import.meta.url),
      }).output();
      assertEquals(new TextDecoder().decode(stdout), "done\n");
    }),
});
