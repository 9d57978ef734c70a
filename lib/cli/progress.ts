/**
 * Progress of `deno task figures`: on a terminal one line that redraws itself (how much is done, the time,
 * and the notebooks that run, each with its cell of how many), elsewhere one plain line when a notebook
 * starts and one when it ends, so that a log stays readable.
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
    write(text) {
      try {
        writeSync(2, text);
      } catch { /* nobody reads it any more, or its disk is full: the work goes on */ }
    },
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
export function counted(count: number, noun: string, several = `${noun}s`): string {
  return `${count} ${count === 1 ? noun : several}`;
}

/** Says on a terminal how far a download is; elsewhere nothing. */
export const downloadProgress = (target: ProgressTarget): OnDownload => (progress) => {
  if (target.isTerminal) target.write(ERASE_LINE + describeDownload(progress));
};

/** Says on a terminal how much of a file is read; elsewhere nothing. */
export function readProgress(
  file: string,
  target?: ProgressTarget,
): { report: (bytes: number, of: number) => void; finish: () => void } {
  if (!target?.isTerminal) return { report() {}, finish() {} };
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
  let saidAt = performance.now(), said = false;
  return {
    report(bytes, of) {
      if (performance.now() < saidAt + REDRAW_MS) return;
      [saidAt, said] = [performance.now(), true];
      const line = `Reading ${file} ${bar(bytes, of)} ${megabytes(bytes)} of ${megabytes(of)} MB`;
      target.write(ERASE_LINE + line.slice(0, target.columns - 1));
    },
    finish: () => said && target.write(ERASE_LINE),
  };
}

/** "███░░░", `width` characters, of which done/total are filled. */
export function bar(done: number, total: number, width = BAR_CELLS): string {
  const filled = total === 0 ? 0 : Math.round((Math.min(done, total) / total) * width);
  return "█".repeat(filled) + "░".repeat(width - filled);
}

/** One notebook while it runs. */
interface Running {
  name: string;
  /** "[3/17] fig2_nodes". */
  label: string;
  cell: number;
  cells: number;
  startedAt: number;
}

/** What a notebook that runs reports. */
export interface NotebookProgress {
  /** A cell begins: the `cell`th of `cells` code cells. */
  cell(cell: number, cells: number): void;
  /** The notebook is done. */
  finish(): void;
  /** The notebook failed, which its error says when what runs beside it has ended. */
  fail(): void;
}

export class Progress {
  readonly #target: ProgressTarget;
  readonly #total: number;
  readonly #running = new Set<Running>();
  readonly #began = performance.now();
  #started = 0;
  #ended = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param total number of notebooks that will run */
  constructor(total: number, target: ProgressTarget = stderrTarget()) {
    this.#total = total;
    this.#target = target;
  }

  /** A notebook starts, beside those that run. */
  start(name: string): NotebookProgress {
    const label = `[${++this.#started}/${this.#total}] ${name}`;
    const notebook: Running = { name, label, cell: 0, cells: 0, startedAt: performance.now() };
    this.#running.add(notebook);
    if (this.#target.isTerminal) this.#timer ??= setInterval(() => this.#draw(), REDRAW_MS);
    else this.#target.write(`${label} …\n`);
    this.#draw();
    return {
      cell: (cell, cells) => {
        [notebook.cell, notebook.cells] = [cell, cells];
        this.#draw();
      },
      finish: () => this.#end(notebook, counted(notebook.cells, "cell")),
      fail: () => this.#end(notebook, "not finished"),
    };
  }

  #end(notebook: Running, how: string): void {
    this.#running.delete(notebook);
    this.#ended++;
    if (this.#running.size === 0) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
    if (this.#target.isTerminal) this.#target.write(ERASE_LINE);
    this.#target.write(`${notebook.label}: ${how}, ${formatSeconds(since(notebook.startedAt))}\n`);
    this.#draw();
  }

  #draw(): void {
    if (!this.#target.isTerminal || this.#running.size === 0) return;
    const running = [...this.#running], most = this.#target.columns - 1;
    // the current cell has begun, not ended
    const parts = running.map(({ cell, cells }) => cells === 0 ? 0 : Math.max(0, cell - 1) / cells);
    const done = this.#ended + parts.reduce((a, b) => a + b, 0);
    const all = `[${this.#ended}/${this.#total}] ${bar(done, this.#total)} ${
      formatSeconds(since(this.#began))
    }`;
    const line = (named: (name: string) => string) =>
      `${all}  ${
        running.map(({ name, cell, cells }) =>
          `${named(name)} ${cell === 0 ? "starting" : `${cell}/${cells}`}`
        ).join(", ")
      }`;
    const whole = line((name) => name);
    this.#target.write(ERASE_LINE + (whole.length > most ? line(short).slice(0, most) : whole));
  }
}

/** "fig1_residual_stream" → "fig1". */
const short = (name: string) => name.replace(/^(fig[^_]+)_.*/, "$1");

const since = (startedAt: number) => (performance.now() - startedAt) / 1000;
