/**
 * Progress of one long run, with the time that is left: "Figures 1 to 3 ██████░░░ 120/300 prompts, 1 min 20
 * s, 2 min 00 s left".
 *
 * What is left is what the latter half of the prompts so far took each, times the prompts to come: prompts of
 * one set are equally long, so each takes as long as the next, unless other programs take up the machine; an
 * older half would know less of these. The time before the first report is used only while there is no other:
 * it holds the compilation of the graph. On a terminal one line redraws itself; elsewhere a line is written
 * at each tenth.
 */
import type { Progress } from "../tensor/run.ts";
import { bar, formatSeconds, type ProgressTarget, stderrTarget } from "./progress.ts";

const ERASE_LINE = "\r\x1b[K";

/** Seconds left, from the reports so far; undefined before the first. */
export function secondsLeft(reports: readonly Progress[]): number | undefined {
  const last = reports.at(-1);
  if (!last || last.done === 0) return undefined;
  const first = reports.findLast(({ done }) => 2 * done <= last.done) ?? reports[0];
  const [prompts, seconds] = reports.length > 1
    ? [last.done - first.done, last.seconds - first.seconds]
    : [last.done, last.seconds];
  return (last.total - last.done) * seconds / prompts;
}

export class RunProgress {
  readonly #title: string;
  readonly #target: ProgressTarget;
  readonly #reports: Progress[] = [];
  #tenth = 0;

  constructor(title: string, target: ProgressTarget = stderrTarget()) {
    this.#title = title;
    this.#target = target;
    this.#target.write(target.isTerminal ? `${title} …` : `${title} …\n`);
  }

  /** All reports so far. */
  get reports(): readonly Progress[] {
    return this.#reports;
  }

  /** Give this to a run as `onProgress`. */
  readonly report = (progress: Progress): void => {
    this.#reports.push(progress);
    const { done, total, seconds } = progress;
    const left = done < total ? `, ${formatSeconds(secondsLeft(this.#reports)!)} left` : "";
    const line = `${this.#title} ${bar(done, total)} ${done}/${total}, ${formatSeconds(seconds)}${left}`;
    if (this.#target.isTerminal) {
      this.#target.write(ERASE_LINE + line.slice(0, this.#target.columns - 1));
      return;
    }
    const tenth = Math.floor(10 * done / total);
    if (tenth > this.#tenth) this.#target.write(`${line}\n`);
    this.#tenth = tenth;
  };

  /** Leaves a clean line for what comes next. */
  finish(): void {
    if (this.#target.isTerminal) this.#target.write(ERASE_LINE);
  }
}
