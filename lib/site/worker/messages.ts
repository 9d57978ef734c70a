/** What a page and its worker tell each other. */
import type { Fault } from "./scope.ts";

export type ToWorker = { type: "run"; cell: string; source: string };

/** An output of the cell that runs, in the words of Jupyter's protocol. */
export interface OutputMessage {
  msg_type: "stream" | "display_data" | "update_display_data" | "execute_result";
  content: Record<string, unknown>;
}

/** What the runtime computes with. */
export interface Runtime {
  device: "cpu" | "webgpu";
  threads: number;
}

export type FromWorker =
  | { type: "ready"; runtime: Runtime }
  | { type: "failed"; message: string }
  | { type: "fetching"; name: string; done: number; total: number }
  | { type: "output"; output: OutputMessage }
  | { type: "file"; name: string; content: string }
  | { type: "done"; fault?: Fault };
