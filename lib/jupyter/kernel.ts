/**
 * A Deno Jupyter kernel: start, execute, interrupt, shut down, and notice when it dies.
 *
 * Measured habits of this kernel (Deno 2.9.6) that the code answers to:
 * - it may broadcast before a subscriber has joined: start-up asks `kernel_info` until its `idle` was *seen*;
 * - it sends the reply and `idle` before some outputs: `execute` then waits for a quiet spell;
 * - a syntax error or an import that does not resolve comes as a reply alone, without an error output: one is
 *   made of it;
 * - `Deno.exit` in a cell ends the process with no reply: every wait also waits for the process;
 * - `interrupt_request` stops a busy loop but no pending `await`: what does not stop is killed.
 *
 * The kernel has all permissions, whatever this process has. It does not answer input requests.
 */
import { Channels, type Request } from "./channels.ts";
import type { Output } from "./notebook.ts";
import { OutputCollector } from "./outputs.ts";
import { KernelDiedError, KernelProcess, type ProcessOptions } from "./process.ts";

/**
 * The kernel sends outputs up to about 8 ms after `idle`, and its small packets can wait 40 ms more for an
 * acknowledgement (it leaves Nagle's algorithm on). In 1600 cells on a busy machine the latest came 45 ms
 * after `idle`; with a spell of 20 ms one cell in 2000 lost outputs.
 */
const QUIET_MS = 60;
/** How long an interrupted cell may take to end before its kernel is killed. */
const INTERRUPT_GRACE_MS = 2000;
/** How long a kernel may take to end after a polite request. */
const SHUTDOWN_GRACE_MS = 3000;
/** How long after its connection broke a process may take to be seen as ended. */
const DEATH_GRACE_MS = 200;
/** How long one `kernel_info` may stay unanswered during the start before the next is sent. */
const HANDSHAKE_MS = 200;

/** A kernel did not start in time, or a cell ran longer than it was given. */
export class KernelTimeoutError extends Error {
  override name = "KernelTimeoutError";
}

export interface KernelOptions extends ProcessOptions {
  /**
   * Default 90 000: a second on an idle machine, more than 30 s on one with ten times as much to do as it
   * can.
   */
  startTimeoutMs?: number;
  /** Ends the start, with the signal's reason. */
  signal?: AbortSignal;
}

export interface ExecuteOptions {
  /** Default: no limit. */
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Called after each change of the outputs. */
  onOutput?: (outputs: Output[]) => void;
  /** True: does not count as a cell. */
  silent?: boolean;
  /** Whether these are all outputs: then none are waited for. Default: a quiet spell says so. */
  settled?: (outputs: readonly Output[]) => boolean;
}

export interface ExecuteResult {
  status: "ok" | "error";
  executionCount: number | null;
  /** As nbformat has them. Outputs that come late still enter this array. */
  outputs: Output[];
}

export class Kernel {
  readonly #process: KernelProcess;
  readonly #channels: Channels;

  private constructor(process: KernelProcess) {
    this.#process = process;
    this.#channels = new Channels(process.connection);
  }

  /**
   * Starts a kernel and waits until it answers. When another process has taken one of its ports, the kernel
   * ends at once, or what answers is no kernel: then it is started again, twice.
   * @throws KernelDiedError with what it wrote; KernelTimeoutError; the signal's reason.
   */
  static async start(options: KernelOptions): Promise<Kernel> {
    for (let attempt = 1;; attempt++) {
      const kernel = new Kernel(await KernelProcess.spawn(options));
      try {
        await kernel.#connect(options);
        return kernel;
      } catch (error) {
        await kernel.kill();
        const inVain = error instanceof KernelTimeoutError || options.signal?.aborted;
        if (attempt === 3 || inVain) throw error;
      }
    }
  }

  async #connect({ signal, startTimeoutMs = 90_000 }: KernelOptions): Promise<void> {
    const timeout = AbortSignal.timeout(startTimeoutMs);
    const either = signal ? AbortSignal.any([timeout, signal]) : timeout;
    try {
      await this.#within(this.#channels.open(either));
      for (;;) {
        either.throwIfAborted();
        const request = await this.#send("shell", "kernel_info_request", {});
        if (await this.#within(request.done.promise, HANDSHAKE_MS)) return;
      }
    } catch (error) {
      if (error !== timeout.reason) throw error;
      throw new KernelTimeoutError(
        `Starting the kernel: no answer within ${startTimeoutMs / 1000} s. It wrote: ${
          this.#process.log || "nothing"
        }`,
      );
    }
  }

  /** Process id, for messages and tests. */
  get pid(): number {
    return this.#process.pid;
  }

  /**
   * Runs one cell. An exception in the cell is a result, not an exception.
   * @throws KernelDiedError; KernelTimeoutError; the signal's reason. After the latter two the kernel may be
   * dead as well.
   */
  async execute(code: string, options: ExecuteOptions = {}): Promise<ExecuteResult> {
    options.signal?.throwIfAborted();
    const collector = new OutputCollector();
    const content = {
      code,
      silent: options.silent ?? false,
      store_history: !options.silent,
      user_expressions: {},
      allow_stdin: false,
      stop_on_error: true,
    };
    const request = await this.#send("shell", "execute_request", content, (message) => {
      if (collector.add(message)) options.onOutput?.(collector.outputs);
    });
    await this.#untilDone(request, options);
    await this.#untilQuiet(request, () => options.settled?.(collector.outputs) ?? false);

    const reply = request.reply!.content;
    if (reply.status !== "ok" && collector.error === undefined) {
      const ename = reply.ename || "Error";
      const evalue = reply.evalue || "the kernel gave no reason: a syntax error or an interrupt";
      const traceback = reply.traceback?.length ? reply.traceback : [`${ename}: ${evalue}`];
      collector.outputs.push({ output_type: "error", ename, evalue, traceback });
    }
    return {
      status: collector.error ? "error" : "ok",
      executionCount: reply.execution_count ?? null,
      outputs: collector.outputs,
    };
  }

  async #untilDone(request: Request, { timeoutMs, signal }: ExecuteOptions): Promise<void> {
    const aborted = Promise.withResolvers<void>();
    const abort = () => aborted.resolve();
    signal?.addEventListener("abort", abort, { once: true });
    try {
      const inTime = await this.#within(Promise.race([request.done.promise, aborted.promise]), timeoutMs);
      if (inTime && !signal?.aborted) return;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
    await this.interrupt();
    const stopped = await this.#within(request.done.promise, INTERRUPT_GRACE_MS);
    if (!stopped) await this.kill();
    signal?.throwIfAborted();
    throw new KernelTimeoutError(
      `The cell ran longer than ${timeoutMs! / 1000} s. It was interrupted` +
        (stopped ? "." : ", did not react, and its kernel was ended."),
    );
  }

  /** Waits until the kernel has answered once more and has then sent nothing for this request for a while. */
  async #untilQuiet(request: Request, settled: () => boolean): Promise<void> {
    if (settled()) return;
    const barrier = await this.#send("shell", "kernel_info_request", {});
    await this.#within(barrier.done.promise, 5000);
    const start = performance.now();
    for (;;) {
      const left = Math.max(start, request.lastMessageAt) + QUIET_MS - performance.now();
      if (settled() || (left <= 0 && !this.#channels.receiving)) return;
      const wait = new Promise((resolve) => setTimeout(resolve, Math.max(left, QUIET_MS)));
      await this.#within(wait);
    }
  }

  /** Asks the kernel to stop what it is doing. */
  async interrupt(): Promise<void> {
    await this.#send("control", "interrupt_request", {});
  }

  /** Ends the kernel politely, after a while by force. Idempotent. */
  async shutdown(): Promise<void> {
    // a broken connection is no obstacle: the process is killed after the grace time
    await this.#channels.send("control", "shutdown_request", { restart: false }).catch(() => {});
    await this.#process.waitForEnd(SHUTDOWN_GRACE_MS);
    this.#channels.close();
  }

  /** Ends the kernel at once. Idempotent. */
  async kill(): Promise<void> {
    this.#process.kill();
    await this.#process.waitForEnd(0);
    this.#channels.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  /** Sends a request; a dead kernel is reported as such, not as the broken connection that it leaves. */
  async #send(...request: Parameters<Channels["send"]>): Promise<Request> {
    try {
      return await this.#channels.send(...request);
    } catch (error) {
      await this.#within(new Promise(() => {}), DEATH_GRACE_MS); // rejects when the process has ended
      throw new KernelDiedError(`The connection to the kernel broke: ${error}`, { cause: error });
    }
  }

  /**
   * True when `promise` resolved, false when `timeoutMs` passed first; rejects when the kernel died first.
   */
  async #within(promise: Promise<unknown>, timeoutMs?: number): Promise<boolean> {
    const timeout = Promise.withResolvers<boolean>();
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => timeout.resolve(false), timeoutMs);
    // a dying process also breaks its connection, and says more about the reason
    const broken = this.#channels.broken.catch(async (error) => {
      await new Promise((resolve) => setTimeout(resolve, DEATH_GRACE_MS));
      throw error;
    });
    try {
      return await Promise.race([promise.then(() => true), timeout.promise, this.#process.died, broken]);
    } finally {
      clearTimeout(timer);
    }
  }
}
