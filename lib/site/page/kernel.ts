/** The page's side of the worker: starts it, runs one cell at a time, and ends it. */
import type { FromWorker, OutputMessage, Runtime, ToWorker } from "../worker/messages.ts";
import type { Fault } from "../worker/scope.ts";

export interface Listener {
  output(message: OutputMessage): void;
  file(name: string, content: string): void;
}

export interface KernelEvents {
  onFetch(name: string, done: number, total: number): void;
}

/** The run was ended by who reads the page. */
export class Stopped extends Error {}

interface Run {
  resolve(fault: Fault | undefined): void;
  reject(error: Error): void;
}

export class Kernel {
  #worker?: Worker;
  #ready?: Promise<Runtime>;
  #run?: Run;
  /** Of the cell that ran last: what its timers print later goes there. */
  #listener?: Listener;
  /** Who was given an output that may change: by the name under which it does. */
  readonly #shown = new Map<unknown, Listener>();
  /** Ends the wait for a worker that is about to start. */
  #giveUp?: (error: Error) => void;

  /** @param script address of the worker's script; another one counts from the next start on */
  constructor(public script: string, readonly events: KernelEvents) {}

  /**
   * Starts the worker, if none runs. Resolves to what its runtime computes with. @throws where it cannot
   * start; the next call tries again
   */
  start(): Promise<Runtime> {
    if (this.#ready) return this.#ready;
    const worker = this.#worker = new Worker(this.script, { type: "module", name: "cells" });
    const ready = this.#ready = new Promise<Runtime>((resolve, reject) => {
      this.#giveUp = reject;
      const fail = (message: string) => {
        reject(new Error(message));
        if (this.#worker === worker) this.stop();
      };
      worker.onmessage = ({ data }: MessageEvent<FromWorker>) => {
        if (data.type === "ready") resolve(data.runtime);
        else if (data.type === "failed") fail(data.message);
        else this.#take(data);
      };
      worker.onerror = (event) => {
        event.preventDefault();
        fail(
          event.message ||
            "The scripts of this page could not be fetched. Run again when the connection is back" +
              (this.script.includes("?device=") ? ", or choose the processor above." : "."),
        );
      };
    });
    ready.catch(() => {});
    return ready;
  }

  /** Whether what cells have made is there. */
  get isRunning(): boolean {
    return this.#worker !== undefined;
  }

  /** Runs a cell. Resolves to its fault, if it has one. @throws Stopped, or why the worker could not start */
  async run(cell: string, source: string, listener: Listener): Promise<Fault | undefined> {
    await this.start();
    return await new Promise((resolve, reject) => {
      this.#run = { resolve, reject };
      this.#listener = listener;
      this.#worker!.postMessage({ type: "run", cell, source } satisfies ToWorker);
    });
  }

  /** Ends the worker and all that cells have made. */
  stop(): void {
    this.#worker?.terminate();
    this.#shown.clear();
    this.#worker = undefined;
    this.#ready = undefined;
    this.#giveUp?.(new Stopped("stopped"));
    this.#end()?.reject(new Stopped("stopped"));
  }

  #end(): Run | undefined {
    const run = this.#run;
    this.#run = undefined;
    return run;
  }

  #take(message: FromWorker): void {
    if (message.type === "fetching") this.events.onFetch(message.name, message.done, message.total);
    else if (message.type === "output") this.#output(message.output);
    else if (message.type === "file") this.#listener?.file(message.name, message.content);
    else if (message.type === "done") {
      this.#end()?.resolve(message.fault);
      if (message.fault?.ends) this.stop();
    }
  }

  /** An output changes in its own cell, also when that has ended and another one runs. */
  #output(output: OutputMessage): void {
    const id = (output.content.transient as { display_id?: string } | undefined)?.display_id;
    if (output.msg_type === "update_display_data") return this.#shown.get(id)?.output(output);
    if (id !== undefined && this.#listener) this.#shown.set(id, this.#listener);
    this.#listener?.output(output);
  }
}
