/**
 * The processes that a run started, whatever became of their parents: each carries the run's mark in its
 * environment. Linux alone: read from /proc, for which Deno asks for every permission.
 */

/** The environment variable that holds the mark. */
export const MARK = "CLEANUP_LENS_TORTURE";

export interface Running {
  pid: number;
  /** Its command line. */
  command: string;
}

export function processesOf(mark: string): Running[] {
  const found: Running[] = [];
  for (const { name } of Deno.readDirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      // empty of one that has ended and was not awaited
      const environment = Deno.readTextFileSync(`/proc/${name}/environ`);
      if (!environment.split("\0").includes(`${MARK}=${mark}`)) continue;
      const command = Deno.readTextFileSync(`/proc/${name}/cmdline`).replaceAll("\0", " ").trim();
      found.push({ pid: Number(name), command });
    } catch { /* it has ended meanwhile */ }
  }
  return found;
}

/** Waits until none is left, `mostMs` long. Returns those that are. */
export async function untilNone(mark: string, mostMs: number): Promise<Running[]> {
  for (const end = performance.now() + mostMs;;) {
    const left = processesOf(mark);
    if (left.length === 0 || performance.now() > end) return left;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Kills a process. One that has ended is none. */
export function kill(pid: number, signal: Deno.Signal): void {
  try {
    Deno.kill(pid, signal);
  } catch { /* it has ended */ }
}
