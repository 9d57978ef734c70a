import { assert, assertEquals, assertMatch } from "@std/assert";
import { ScanProgress } from "../../lib/cli/scan_progress.ts";

function target(isTerminal: boolean, columns = 80) {
  const lines: string[] = [];
  return { lines, isTerminal, columns, write: (text: string) => void lines.push(text) };
}

Deno.test("ScanProgress in a log: one line when a pass begins, one when it ends", () => {
  const to = target(false);
  const progress = new ScanProgress(to);
  progress.pass("choosing writers", 12);
  progress.update({ done: 4, total: 12 });
  progress.pass("testing cleaners", 11);
  progress.finish();
  progress.finish();
  assertEquals(to.lines.length, 4);
  assertEquals(to.lines[0], "choosing writers: 12 prompts …\n");
  assertMatch(to.lines[1], /^choosing writers: \d\.\d s\n$/);
  assertEquals(to.lines[2], "testing cleaners: 11 prompts …\n");
  assertMatch(to.lines[3], /^testing cleaners: \d\.\d s\n$/);
});

Deno.test("ScanProgress on a terminal: the line is redrawn, no wider than the terminal, with the time left", async () => {
  const to = target(true, 60);
  const progress = new ScanProgress(to);
  progress.pass("choosing writers", 12);
  progress.update({ done: 4, total: 12 });
  await new Promise((resolve) => setTimeout(resolve, 20));
  progress.update({ done: 8, total: 12 });
  progress.update({ done: 12, total: 12 });
  progress.stop();
  const [begin, first, second, last, erased] = to.lines;
  assertEquals(begin, "choosing writers …");
  // deno-lint-ignore no-control-regex
  assertMatch(first, /^\r\x1b\[Kchoosing writers █{8}░{16} 4\/12 prompts$/); // nothing is known of the time yet
  // deno-lint-ignore no-control-regex
  assertMatch(second, /^\r\x1b\[Kchoosing writers █{16}░{8} 8\/12 prompts, /);
  // deno-lint-ignore no-control-regex
  assertMatch(last, /^\r\x1b\[Kchoosing writers █{24} 12\/12 prompts$/);
  assertEquals(erased, "\r\x1b[K");
  assert(to.lines.every((line) => line.replace("\r\x1b[K", "").length < 60));
  progress.finish(); // nothing runs: nothing is said
  assertEquals(to.lines.length, 5);
});
