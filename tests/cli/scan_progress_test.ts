import { assert, assertEquals, assertMatch } from "@std/assert";
import { ScanProgress } from "../../lib/cli/scan_progress.ts";

function target(isTerminal: boolean, columns = 80) {
  const lines: string[] = [];
  return { lines, isTerminal, columns, write: (text: string) => void lines.push(text) };
}

Deno.test("ScanProgress in a log: one line when a pass begins, one when it ends", () => {
  const to = target(false);
  const progress = new ScanProgress(to);
  progress.pass("screening", 12);
  progress.update({ done: 4, total: 12 });
  progress.pass("examining", 11);
  progress.finish();
  progress.finish();
  assertEquals(to.lines.length, 4);
  assertEquals(to.lines[0], "screening: 12 prompts …\n");
  assertMatch(to.lines[1], /^screening: \d\.\d s\n$/);
  assertEquals(to.lines[2], "examining: 11 prompts …\n");
  assertMatch(to.lines[3], /^examining: \d\.\d s\n$/);
});

Deno.test("ScanProgress on a terminal: the line is redrawn, no wider than the terminal, with the time left", async () => {
  const to = target(true, 60);
  const progress = new ScanProgress(to);
  progress.pass("screening", 12);
  progress.update({ done: 4, total: 12 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  progress.update({ done: 8, total: 12 });
  progress.update({ done: 12, total: 12 });
  progress.stop();
  const [begin, first, second, last, erased] = to.lines;
  assertEquals(begin, "screening …");
  // deno-lint-ignore no-control-regex
  assertMatch(first, /^\r\x1b\[Kscreening █{8}░{16} 33 %$/); // nothing is known of the time yet
  // deno-lint-ignore no-control-regex
  assertMatch(second, /^\r\x1b\[Kscreening █{16}░{8} 66 %, /);
  // deno-lint-ignore no-control-regex
  assertMatch(last, /^\r\x1b\[Kscreening █{24} 100 %$/);
  assertEquals(erased, "\r\x1b[K");
  assert(to.lines.every((line) => line.replace("\r\x1b[K", "").length < 60));
  progress.finish(); // nothing runs: nothing is said
  assertEquals(to.lines.length, 5);
});
