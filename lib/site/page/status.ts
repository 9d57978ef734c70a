/** The line at the top that says what happens, with its bar. */

import type { Runtime } from "../worker/messages.ts";

export interface Reporter {
  say(text: string): void;
  /** Nothing: the bar goes. */
  showProgress(done?: number, total?: number): void;
  /** How far a file is that is fetched. */
  onFetch(file: string, done: number, total: number): void;
}

/** "2 threads", "on the graphics card". */
export function inWords({ device, threads }: Runtime): string {
  if (device === "webgpu") return "on the graphics card";
  return threads === 1 ? "one thread" : `${threads} threads`;
}

/** What a reader calls the largest files. */
const RUNTIMES: Readonly<Record<string, string>> = {
  "ort-wasm-simd-threaded.wasm": "the runtime",
  "ort-wasm-simd-threaded.asyncify.wasm": "the graphics card's runtime",
};

/** Smaller ones are there before they are read about. */
const WORTH_SAYING = 1e5;

const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);

export function reporter(): Reporter {
  const status = document.getElementById("status")!;
  const progress = document.getElementById("progress") as HTMLProgressElement;
  const say = (text: string) => void (status.textContent = text);
  const showProgress = (done?: number, total?: number) => {
    progress.hidden = done === undefined;
    if (done === undefined) return;
    progress.max = total!;
    progress.value = done;
  };
  return {
    say,
    showProgress,
    onFetch(file, done, total) {
      if (total < WORTH_SAYING) return;
      say(
        done === total
          ? "Running"
          : `Fetching ${RUNTIMES[file] ?? file}: ${megabytes(done)} of ${megabytes(total)} MB, once`,
      );
      showProgress(done, total);
    },
  };
}
