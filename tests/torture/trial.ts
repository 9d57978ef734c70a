/** One disturbed run, the run after it, and what is wrong with either. */
import { randomInt } from "../reference/random.ts";
import { type Disk, limited } from "./disk.ts";
import { difference, type Found, look } from "./files.ts";
import { kill, MARK, processesOf, untilNone } from "./processes.ts";
import type { Fault, Project, Scenario } from "./scenarios.ts";

/**
 * For a run to end by itself, and for its processes to be gone: far more than either takes on a machine that
 * does other work.
 */
const END_MS = 120_000, GONE_MS = 20_000;

/**
 * What is said of a full disk, and of a file that is larger than `ulimit` allows: by the project
 * (platform/errors.ts), or in a cell by the system.
 */
const FULL = /the disk is full|larger than the system allows|no space left|ENOSPC|file too large|EFBIG/i;

export interface Ended {
  code: number;
  text: string;
  ms: number;
  mark: string;
}

/** Runs a scenario; `disturb` is told when it may begin, and with which process. */
export async function runOnce(
  project: Project,
  scenario: Scenario,
  out: string,
  disturb?: (pid: number, mark: string, ended: Promise<unknown>) => Promise<void>,
  blocks?: number,
): Promise<Ended> {
  const mark = crypto.randomUUID();
  const args = scenario.args(out);
  const [command, given] = blocks === undefined
    ? [Deno.execPath(), args]
    : limited(blocks, Deno.execPath(), args);
  const began = performance.now();
  const child = new Deno.Command(command, {
    args: given,
    cwd: project.folder,
    env: { ...scenario.env?.(out), [MARK]: mark, INIT_CWD: project.folder, NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const texts = Promise.all([child.stdout, child.stderr].map((stream) => new Response(stream).text()));
  let over = false;
  const status = child.status.finally(() => over = true);
  const late = setTimeout(() => processesOf(mark).forEach(({ pid }) => kill(pid, "SIGKILL")), END_MS);
  await disturb?.(child.pid, mark, status);
  const { code } = await status;
  clearTimeout(late);
  if (!over) throw new Error("unreachable");
  // A process that outlives its parent holds the streams: what it wrote so far is not worth waiting for.
  const text = await Promise.race([
    texts.then((both) => both.join("")),
    new Promise<string>((resolve) => setTimeout(() => resolve(""), GONE_MS)),
  ]);
  return { code, text, ms: performance.now() - began, mark };
}

export interface Baseline {
  files: Found["files"];
  ms: number;
}

export interface TrialOptions {
  project: Project;
  scenario: Scenario;
  fault: Fault;
  baseline: Baseline;
  out: string;
  disk: Disk;
  random: () => number;
}

/**
 * Disturbs one run and lets the next one finish. Returns the moment (0 … 1 of an undisturbed run) and what is
 * wrong, in words.
 */
export async function trial(
  options: TrialOptions,
): Promise<{ moment: number; ended: boolean; wrong: string[] }> {
  const { project, scenario, fault, baseline, out, disk, random } = options;
  const wrong: string[] = [];
  const moment = random(), choice = random();
  const notebooks = () => look(`${project.folder}/notebooks`);
  const before = notebooks().files;
  const temporary = () => look(`${project.folder}/out`).unfinished;
  const wait = (ended: Promise<unknown>) =>
    Promise.race([ended, new Promise((resolve) => setTimeout(resolve, moment * baseline.ms))]);

  // Where no real disk can be full, a write fails: of any size, so that small files fail as well.
  const blocks = fault === "disk" && !disk.real ? randomInt(() => moment, 400) : undefined;
  const run = await runOnce(project, scenario, out, async (pid, mark, ended) => {
    if (blocks !== undefined) return;
    await wait(ended);
    if (fault === "disk") disk.fill();
    else if (fault === "SIGTERM") kill(pid, "SIGTERM");
    else {
      const all = processesOf(mark);
      const chosen = all.filter(({ command }) => command.includes(" jupyter ") === (fault === "kernel"));
      if (chosen.length > 0) kill(chosen[Math.floor(choice * chosen.length)].pid, "SIGKILL");
    }
  }, blocks);

  if (/panicked|TypeError|RangeError|Segmentation/.test(run.text)) {
    wrong.push(`it said: ${run.text.slice(0, 400)}`);
  }
  const stopped = run.code !== 0;
  if (stopped && fault !== "SIGKILL" && fault !== "SIGTERM" && run.text.trim() === "") {
    wrong.push(`exit code ${run.code} without a word`);
  }
  if (stopped && fault === "disk" && !FULL.test(run.text)) {
    wrong.push(`it does not say that the disk is full: ${run.text.slice(-400)}`);
  }
  if (fault !== "SIGKILL") {
    const left = await untilNone(run.mark, GONE_MS);
    if (left.length > 0) wrong.push(`still there: ${JSON.stringify(left)}`);
  } // which can reach a parent alone: its kernel is ended by the next run
  // A SIGTERM before the program listens ends it as SIGKILL does: what it left is removed by the next run.
  const plainly = fault === "SIGTERM" && !run.text.includes("interrupted");
  if (fault === "SIGTERM" || fault === "kernel" || (fault === "disk" && stopped)) {
    const unfinished = look(out).unfinished.filter((name) => !name.endsWith(".incomplete"));
    if (unfinished.length > 0 && !plainly) {
      wrong.push(`unfinished: ${unfinished.join(", ")}`);
    }
  }
  disk.empty();

  const next = await runOnce(project, scenario, out);
  if (next.code !== 0) wrong.push(`the next run ended with ${next.code}: ${next.text.slice(0, 400)}`);
  const after = [...await untilNone(run.mark, GONE_MS), ...await untilNone(next.mark, GONE_MS)];
  if (after.length > 0) {
    wrong.push(`left after the next run: ${JSON.stringify(after)}`);
    for (const { pid } of after) kill(pid, "SIGKILL");
  }
  const found = look(out);
  const differs = difference(baseline.files, found.files);
  if (differs) wrong.push(`results: ${differs}`);
  if (found.unfinished.length > 0) wrong.push(`left in the output folder: ${found.unfinished.join(", ")}`);
  if (temporary().length > 0) wrong.push(`left in the project's out/: ${temporary().join(", ")}`);
  const touched = difference(before, notebooks().files);
  if (touched) wrong.push(`notebooks: ${touched}`);
  return { moment, ended: !stopped, wrong };
}
