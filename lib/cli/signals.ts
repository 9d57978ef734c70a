/**
 * What ends a task early: Ctrl-C, the polite end that `kill` and job schedulers send, a terminal that was
 * closed; and the end of the process that started it. start.ts passes signals on, but nothing can pass on a
 * SIGKILL: without a look at the parent, a task would run on unseen.
 */
import process from "node:process";
import { setInterval } from "node:timers";
import { environment, isWindows } from "../platform/environment.ts";
import { isNotCapable } from "../platform/errors.ts";

export type Signal = "SIGHUP" | "SIGINT" | "SIGKILL" | "SIGTERM";

/** The signals that end a program politely. Windows knows the first alone. */
export const SIGNALS: readonly Signal[] = isWindows ? ["SIGINT"] : ["SIGINT", "SIGTERM", "SIGHUP"];

const NUMBERS: Record<Signal, number> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

/** The exit code of a program that a signal ended, by convention. */
export const exitCodeOf = (signal: Signal): number => 128 + (NUMBERS[signal] ?? 0);

/** The environment variable in which start.ts tells a task its own process id. */
export const STARTED_BY = "CLEANUP_LENS_STARTED_BY";
const LOOK_EVERY_MS = 500;

export interface Interrupt {
  /** Aborted at the first of them; until then they end nothing by themselves. */
  readonly signal: AbortSignal;
  /** The exit code that says what it was. */
  readonly exitCode: number;
}

/** Begins to listen. `reason` is what the signal is aborted with. */
export function onInterrupt(reason = "interrupted"): Interrupt {
  const controller = new AbortController();
  let exitCode = exitCodeOf("SIGINT");
  const stop = (signal: Signal) => {
    if (controller.signal.aborted) return;
    exitCode = exitCodeOf(signal);
    controller.abort(new Error(reason));
  };
  for (const signal of SIGNALS) process.on(signal, () => stop(signal));
  const parent = startedBy();
  if (parent !== undefined) {
    setInterval(() => process.ppid !== parent && stop("SIGKILL"), LOOK_EVERY_MS).unref();
  }
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
  };
}

/**
 * Undefined for a task that start.ts did not start: its parent may end before it, as a shell's does under
 * nohup.
 */
function startedBy(): number | undefined {
  try {
    return Number(environment(STARTED_BY)) || undefined;
  } catch (error) {
    if (isNotCapable(error)) return undefined;
    throw error;
  }
}
