/**
 * Progress of `deno task scan`: on a terminal one line for the pass that runs (bar, part done, time left),
 * elsewhere one plain line when a pass begins, one every half minute and one when it ends.
 */
import { bar, formatSeconds, type ProgressTarget, stderrTarget } from "./progress.ts";

const ERASE_LINE = "\r\x1b[K";
/** In a log. */
const LINE_EVERY_MS = 30_000;

export class ScanProgress {
  readonly #target: ProgressTarget;
  #name = "";
  #startedAt = 0;
  #saidAt = 0;
  /** The first report of the pass: time left is counted from there. */
  #first: { done: number; at: number } | undefined;

  constructor(target: ProgressTarget = stderrTarget()) {
    this.#target = target;
  }

  /** A pass over `prompts` prompts begins; the one before has ended. */
  pass(name: string, prompts: number): void {
    this.finish();
    const now = performance.now();
    [this.#name, this.#startedAt, this.#saidAt, this.#first] = [name, now, now, undefined];
    if (this.#target.isTerminal) this.#target.write(`${name} …`);
    else this.#target.write(`${name}: ${prompts} prompts …\n`);
  }

  /** `done` of `total` parts of the pass are done. */
  update({ done, total }: { done: number; total: number }): void {
    if (this.#name === "") return;
    const now = performance.now();
    this.#first ??= { done, at: now };
    const each = (now - this.#first.at) / (done - this.#first.done); // the first batch also compiles
    const left = Number.isFinite(each) && done < total
      ? `, ${formatSeconds((total - done) * each / 1000)} left`
      : "";
    const part = `${Math.floor(100 * done / total)} %${left}`;
    if (this.#target.isTerminal) {
      const line = `${this.#name} ${bar(done, total)} ${part}`;
      this.#target.write(ERASE_LINE + line.slice(0, this.#target.columns - 1));
    } else if (now - this.#saidAt >= LINE_EVERY_MS && done < total) {
      this.#saidAt = now;
      this.#target.write(`${this.#name}: ${part}\n`);
    }
  }

  /** The pass is done. */
  finish(): void {
    if (this.#name === "") return;
    const took = formatSeconds((performance.now() - this.#startedAt) / 1000);
    this.#target.write(`${this.#target.isTerminal ? ERASE_LINE : ""}${this.#name}: ${took}\n`);
    this.#name = "";
  }

  /** The scan ends early: leaves a clean line for the message that follows. */
  stop(): void {
    if (this.#target.isTerminal && this.#name !== "") this.#target.write(ERASE_LINE);
    this.#name = "";
  }
}
