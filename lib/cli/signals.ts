import process from "node:process";
import { isWindows } from "../platform/environment.ts";

export type Signal = "SIGINT" | "SIGTERM" | "SIGHUP";

/** The signals that end a program politely: Ctrl-C, the end of a batch job's time, and a terminal that was closed. */
const SIGNALS: Signal[] = isWindows ? ["SIGINT"] : ["SIGINT", "SIGTERM", "SIGHUP"];

/** Exit code of a program that such a signal ended. */
export const INTERRUPTED = 130;

/** Calls `stop` at each of these signals; until then they end nothing by themselves. */
export function onInterrupt(stop: (signal: Signal) => void): void {
  for (const signal of SIGNALS) process.on(signal, () => stop(signal));
}
