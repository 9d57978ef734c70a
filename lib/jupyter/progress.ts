/**
 * Progress of a long cell as one line of its output, which redraws itself: without it a cell that runs for a
 * minute shows only [*].
 *
 * The line appears only when a cell takes longer than a second, and carries a mark by which `executeNotebook`
 * leaves it out of what is kept: how long a machine took is no result.
 */
import { display, inNotebook } from "./display.ts";
import type { Output } from "./notebook.ts";

/** What runs report: see `RunOptions`. */
interface Reported {
  done: number;
  total: number;
  /** Since the run began. */
  seconds: number;
}

/** Shows nothing before: most cells are done by then. */
const FIRST_AFTER_SECONDS = 1;
/** Between two redraws. */
const EVERY_MS = 300;
const MARK = "cleanup-lens-progress";

/** Whether an output is a line of progress. */
export function isProgress(output: Output): boolean {
  return "metadata" in output && output.metadata[MARK] === true;
}

const duration = (seconds: number) =>
  seconds < 90 ? `${Math.max(1, Math.round(seconds))} s` : `${Math.round(seconds / 60)} min`;

/** The line itself: "retention: 40 %, about 12 s left"; at the end how long it took. */
export function progressLine(what: string, { done, total, seconds }: Reported): string {
  if (done >= total) return `${what}: done in ${duration(seconds)}`;
  const left = done > 0 ? `, about ${duration(seconds * (total - done) / done)} left` : "";
  return `${what}: ${Math.floor(100 * done / total)} %${left}`;
}

/**
 * Give the result to an experiment as `onProgress`. Outside a notebook nothing is shown.
 *
 * @example
 * ```ts
 * import { nodeProjections } from "../experiments/node_projections.ts";
 * import { loadModel, promptsFor } from "../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 2 });
 * await nodeProjections(model, prompts, { onProgress: showProgress("projections") });
 * ```
 */
export function showProgress(
  what: string,
): (progress: { done: number; total: number; seconds: number }) => void {
  const id = crypto.randomUUID();
  let shown = false, last = -Infinity;
  let sent = Promise.resolve();
  return (progress) => {
    const now = performance.now();
    const ended = progress.done >= progress.total;
    if (!inNotebook() || (!shown && (ended || progress.seconds < FIRST_AFTER_SECONDS))) return;
    if (!ended && now - last < EVERY_MS) return;
    last = now;
    const update = shown;
    shown = true;
    const line = { "text/plain": progressLine(what, progress) };
    // one after the other; a lost line of progress is no fault of the experiment
    sent = sent.then(() => display(line, { id, update, metadata: { [MARK]: true } })).catch(() => {});
  };
}
