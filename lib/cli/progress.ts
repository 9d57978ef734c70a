/**
 * Progress of `deno task figures`: on a terminal one line that redraws itself (notebook, bar, cell, elapsed
 * time), elsewhere one plain line when a notebook starts and one when it ends, so that a log stays readable.
 */
import { writeSync } from "node:fs";
import process from "node:process";
import { describeDownload, type OnDownload } from "../checkpoints/mod.ts";

/** Where progress is written: a terminal or not, and how wide. */
export interface ProgressTarget {
  write(text: string): void;
  isTerminal: boolean;
  /** Columns; a line that is longer would wrap and could not be redrawn. */
  columns: number;
}

/** Standard error: standard output stays free for results. */
export function stderrTarget(): ProgressTarget {
  const { isTTY, columns } = process.stderr;
  return {
    write: (text) => void writeSync(2, text),
    isTerminal: Boolean(isTTY),
    columns: (isTTY && columns) || 80, // some terminals say 0
  };
}

const BAR_CELLS = 24;
const REDRAW_MS = 200;
const ERASE_LINE = "\r\x1b[K";

/** `seconds` as "3.1 s" or "2 min 05 s". */
export function formatSeconds(seconds: number): string {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}

/** "1 cell", "3 cells". */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** Says on a terminal how far a download is; elsewhere nothing. */
export const downloadProgress = (target: ProgressTarget): OnDownload => (progress) => {
  if (target.isTerminal) target.write(ERASE_LINE + describeDownload(progress));
};

/** "███░░░", `width` characters, of which done/total are filled. */
export function bar(done: number, total: number, width = BAR_CELLS): string {
  const filled = total === 0 ? 0 : Math.round((Math.min(done, total) / total) * width);
  return "█".repeat(filled) + "░".repeat(width - filled);
}

export class Progress {
  readonly #target: ProgressTarget;
  readonly #total: number;
  #index = 0;
  #name = "";
  #cell = 0;
  #cells = 0;
  #startedAt = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param total number of notebooks that will run */
  constructor(total: number, target: ProgressTarget = stderrTarget()) {
    this.#total = total;
    this.#target = target;
  }

  start(name: string): void {
    this.#index++;
    [this.#name, this.#cell, this.#cells, this.#startedAt] = [name, 0, 0, performance.now()];
    if (!this.#target.isTerminal) return this.#target.write(`[${this.#index}/${this.#total}] ${name} …\n`);
    this.#draw();
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
  }

  /** A cell begins: the `cell`th of `cells` code cells. */
  cell(cell: number, cells: number): void {
    [this.#cell, this.#cells] = [cell, cells];
    if (this.#target.isTerminal) this.#draw();
  }

  /** The notebook is done. */
  finish(): void {
    this.#stop();
    const took = formatSeconds(this.#seconds());
    this.#target.write(
      `[${this.#index}/${this.#total}] ${this.#name}: ${counted(this.#cells, "cell")}, ${took}\n`,
    );
  }

  /** The notebook failed: leaves a clean line for the error that follows. */
  fail(): void {
    this.#stop();
  }

  #stop(): void {
    clearInterval(this.#timer);
    if (this.#target.isTerminal) this.#target.write(ERASE_LINE);
  }

  #seconds(): number {
    return (performance.now() - this.#startedAt) / 1000;
  }

  #draw(): void {
    const done = Math.max(0, this.#cell - 1); // the current cell has begun, not ended
    const line = `[${this.#index}/${this.#total}] ${this.#name} ${bar(done, this.#cells)} ` +
      (this.#cell === 0 ? "starting" : `cell ${this.#cell}/${this.#cells}`) +
      ` ${formatSeconds(this.#seconds())}`;
    this.#target.write(ERASE_LINE + line.slice(0, this.#target.columns - 1));
  }
}
