// A short run of every target, with a fixed seed; that the harness sees what it is to see; and the damage
// itself.
import { assert, assertEquals, assertMatch } from "@std/assert";
import { randomSource } from "../reference/random.ts";
import { fuzz, line } from "./fuzz.ts";
import { mutateBytes, mutateJson } from "./mutate.ts";
import { TARGETS } from "./targets.ts";
import { unclear, WrongAnswer } from "./verdict.ts";
import { withFolder } from "../checkpoints/small_model.ts";
import { taskCommand } from "../task_command.ts";
import { caseOf } from "./worker.ts";

const CASES = 2000;

for (const target of Object.keys(TARGETS)) {
  Deno.test(`fuzz ${target}: ${CASES} damaged inputs are read rightly or refused in one clear error`, async () => {
    const tally = await fuzz(target, 1, CASES);
    assertEquals(tally.failures.map(({ index, what }) => `case ${index}: ${what}`), [], line(tally));
    assertEquals(tally.cases, CASES);
    // Neither is everything refused, which would test the door alone, nor everything taken.
    assert(tally.accepted > CASES / 100, line(tally));
    assert(tally.refused > CASES / 4, line(tally));
  });
}

Deno.test("caseOf() gives the same bytes for the same seed, and others for another", () => {
  for (const target of Object.keys(TARGETS)) {
    assertEquals(caseOf(target, 3, 5), caseOf(target, 3, 5), target);
    const some = new Set(Array.from({ length: 20 }, (_, i) => caseOf(target, 3, i).join()));
    assert(some.size > 15, `${target}: ${some.size} of 20 differ`);
  }
});

Deno.test("mutateBytes() and mutateJson() change what they are given, and leave the original alone", () => {
  const random = randomSource(1);
  const bytes = Uint8Array.from({ length: 100 }, (_, i) => i);
  const json = { a: [1, { b: "c" }], d: null };
  const before = JSON.stringify(json);
  let [changedBytes, changedJson] = [0, 0];
  for (let i = 0; i < 100; i++) {
    if (mutateBytes(bytes, random).join() !== bytes.join()) changedBytes++;
    if (JSON.stringify(mutateJson(json, random)) !== before) changedJson++;
  }
  assert(changedBytes > 90 && changedJson > 70, `${changedBytes} and ${changedJson} of 100`);
  assertEquals(bytes, Uint8Array.from({ length: 100 }, (_, i) => i));
  assertEquals(JSON.stringify(json), before);
});

Deno.test("unclear() tells clear errors from bare, long, empty and wild ones", () => {
  assertEquals(unclear(new Error("a.json: got 3; expected a text.")), undefined);
  assertEquals(unclear(new (class extends Error {})("a.json: a kind of its own")), undefined);
  for (
    const [error, what] of [
      [new WrongAnswer("3 rows for 2"), /wrong answer/],
      [new TypeError("x is not a function"), /bare TypeError/],
      [new RangeError("Invalid array length"), /bare RangeError/],
      [new Deno.errors.NotFound("no such file"), /bare NotFound/],
      [new Error("x".repeat(3000)), /3000 characters/],
      [new Error("no"), /2 characters/],
      [new Error("a.json: got \x1b[2J, which clears the screen"), /hidden/],
      [new Error("a.json: got \u202egnp.exe as its name"), /hidden/],
      ["a text", /not an error/],
    ] as const
  ) assertMatch(unclear(error)!, what);
});

Deno.test("peakMemory(): what was taken and given back shows, without a permission", async () => {
  // On Linux a new process begins with the peak of the one that started it: more than that is taken.
  const code = `const { peakMemory } = await import("${new URL(
    "../../lib/platform/peak_memory.ts",
    import.meta.url,
  )}");
    const before = peakMemory();
    new Uint8Array(Math.round((before + 0.3) * 2 ** 30)).fill(1);
    console.log(peakMemory() - before);`;
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-read", `data:text/javascript,${encodeURIComponent(code)}`],
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  assert(Number(decode(stdout)) > 0.29, decode(stdout) + decode(stderr));
});

Deno.test("fuzz(): cases that hang, end their worker, fail or wait for ever are failures, and the others still run", async () => {
  const worker = new URL("./broken_worker.ts", import.meta.url);
  const { cases, accepted, failures, again } = await fuzz("jsonl", 1, 8, {
    worker,
    cpuMs: 500,
    wallMs: 3000,
  });
  assertEquals([cases, accepted], [8, 4]);
  assertEquals(failures.map(({ index }) => index), [1, 2, 3, 5]);
  assertMatch(failures[0].what, /not done in 0.5 s of processor time/);
  assertMatch(failures[1].what, /in a timer/);
  assertMatch(failures[3].what, /not done in \d.\d s, 0.\d of them processor time, twice/);
  // Case 6 waits the first time alone, as one does that gets no processor time.
  assertEquals(again, [5, 6]);
});

const LOCK = /^cleanup-lens-fuzz-\w+\.lock$/;

Deno.test({
  name: "a fuzz that is stopped leaves no folder, and one that is killed leaves it to the next",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withFolder(async (tmp) => {
      const [, ...flags] = await taskCommand("fuzz");
      const args = [flags[0], "--no-prompt", ...flags.slice(1), "config", "--cases"];
      const command = (cases: string) =>
        new Deno.Command(Deno.execPath(), {
          args: [...args, cases],
          cwd: new URL("../..", import.meta.url),
          env: { TMPDIR: tmp },
          stdout: "null",
          stderr: "null",
        });
      const names = (pattern: RegExp) =>
        [...Deno.readDirSync(tmp)].filter(({ name }) => pattern.test(name)).length;
      for (const [signal, left] of [["SIGTERM", 0], ["SIGKILL", 1]] as const) {
        const child = command("100000").spawn();
        for (const end = performance.now() + 30_000; names(LOCK) === 0 && performance.now() < end;) {
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        child.kill(signal);
        await child.status;
        assertEquals(names(/^cleanup-lens-fuzz-\w+$/), left, signal);
      }
      assertEquals((await command("1").output()).code, 0);
      assertEquals(names(/^cleanup-lens-fuzz-/), 0);
    }),
});
