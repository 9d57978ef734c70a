import { assertAlmostEquals, assertEquals, assertStringIncludes } from "@std/assert";
import { RunProgress, secondsLeft } from "../../lib/cli/run_progress.ts";
import type { ProgressTarget } from "../../lib/cli/progress.ts";

function target(isTerminal: boolean, columns = 80): ProgressTarget & { text: string } {
  const made = {
    text: "",
    isTerminal,
    columns,
    write(text: string) {
      made.text += text;
    },
  };
  return made;
}

Deno.test("secondsLeft() takes the prompts after the first report, which holds the compilation", () => {
  assertEquals(secondsLeft([]), undefined);
  assertEquals(secondsLeft([{ done: 0, total: 10, seconds: 3 }]), undefined);
  assertEquals(secondsLeft([{ done: 2, total: 10, seconds: 3 }]), 12); // all there is: 1.5 s a prompt
  const reports = [{ done: 2, total: 10, seconds: 3 }, { done: 4, total: 10, seconds: 5 }];
  assertEquals(secondsLeft(reports), 6); // 1 s a prompt
  // The latter half counts: 4 to 8 at 2 s a prompt.
  assertEquals(
    secondsLeft([...reports, { done: 6, total: 10, seconds: 9 }, { done: 8, total: 10, seconds: 13 }]),
    4,
  );
  assertEquals(secondsLeft([...reports, { done: 10, total: 10, seconds: 11 }]), 0);
});

Deno.test("RunProgress is right about a run that is even after its first batch", () => {
  const bar = new RunProgress("Run", target(false));
  const at = (done: number) => 7 + 0.5 * (done - 20); // the first 20 take 7 s, each further one 0.5 s
  for (let done = 20; done <= 300; done += 20) {
    bar.report({ done, total: 300, seconds: at(done) });
    if (done > 20) assertAlmostEquals(secondsLeft(bar.reports)!, at(300) - at(done), 1e-9);
  }
});

Deno.test("RunProgress writes a line at each tenth where there is no terminal", () => {
  const out = target(false);
  const bar = new RunProgress("Figure 1", out);
  for (let done = 1; done <= 40; done++) bar.report({ done, total: 40, seconds: done * 3 });
  bar.finish();
  const lines = out.text.trimEnd().split("\n");
  assertEquals(lines.length, 11);
  assertEquals(lines[0], "Figure 1 …");
  assertStringIncludes(lines[5], "████████████░░░░░░░░░░░░ 20/40, 1 min 00 s, 1 min 00 s left");
  assertEquals(lines[10], "Figure 1 ████████████████████████ 40/40, 2 min 00 s");
});

Deno.test("RunProgress redraws one line on a terminal, never longer than it is wide", () => {
  const out = target(true, 30);
  const bar = new RunProgress("A title that is long", out);
  bar.report({ done: 1, total: 3, seconds: 1 });
  bar.finish();
  assertEquals(out.text.includes("\n"), false);
  const drawn = out.text.split("\r\x1b[K");
  assertEquals(drawn[1].length, 29);
  assertEquals(drawn.at(-1), "");
});
