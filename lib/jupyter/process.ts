/**
 * The kernel's process: `deno jupyter --kernel` as a child, what it wrote, and how it ended.
 *
 * The child is `Deno.execPath()`, never the `deno` that npm puts on the PATH: that one is a wrapper, and
 * killing it leaves the real process behind. What this does not do: end the kernel when this process itself
 * is killed without notice (SIGKILL); the idle kernel then stays.
 */
import { type Connection, newConnection, writeConnectionFile } from "./connection.ts";

/** How much of what the kernel wrote is kept for the message about its end. */
const LOG_CHARACTERS = 20_000;

/** Every start of the kernel writes this; it explains nothing. */
const STANDING_WARNING = '"deno jupyter" is unstable';

/** The kernel's process has ended, or its connection broke, while something was still expected of it. */
export class KernelDiedError extends Error {
  override name = "KernelDiedError";
}

export interface ProcessOptions {
  /** Relative imports in cells and the search for deno.json start here. */
  cwd: string;
  /** Where the connection file lies while the kernel runs. */
  runtimeDir: string;
  /** Added to the environment of this process. */
  env?: Record<string, string>;
}

export class KernelProcess {
  readonly connection: Connection;
  /** Rejects with a KernelDiedError when the process ends, wanted or not. */
  readonly died: Promise<never>;
  readonly #child: Deno.ChildProcess;
  readonly #connectionFile: string;
  #log = "";

  private constructor(child: Deno.ChildProcess, connection: Connection, connectionFile: string) {
    this.#child = child;
    this.connection = connection;
    this.#connectionFile = connectionFile;
    this.died = this.#watch();
    this.died.catch(() => {}); // whoever waits for the kernel races on it; nobody waiting is no error
  }

  static async spawn({ cwd, runtimeDir, env }: ProcessOptions): Promise<KernelProcess> {
    const connection = newConnection();
    const file = await writeConnectionFile(connection, runtimeDir);
    const command = new Deno.Command(Deno.execPath(), {
      args: ["jupyter", "--kernel", "--conn", file],
      cwd,
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
    try {
      return new KernelProcess(command.spawn(), connection, file);
    } catch (error) {
      await Deno.remove(file);
      throw error;
    }
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The end of what the process itself wrote (not what cells print: that comes as messages). */
  get log(): string {
    return this.#log.split("\n").filter((line) => !line.includes(STANDING_WARNING)).join("\n").trim();
  }

  kill(): void {
    try {
      this.#child.kill("SIGKILL");
    } catch { /* it has ended by itself */ }
  }

  /** Waits for the end of the process, `graceMs` long; then kills it. Removes the connection file. */
  async waitForEnd(graceMs: number): Promise<void> {
    const timer = setTimeout(() => this.kill(), graceMs);
    await this.died.catch(() => {});
    clearTimeout(timer);
    await Deno.remove(this.#connectionFile).catch(() => {}); // gone already when called twice
  }

  async #watch(): Promise<never> {
    const [{ code, signal }] = await Promise.all([
      this.#child.status,
      this.#keepLog(this.#child.stdout),
      this.#keepLog(this.#child.stderr),
    ]);
    const how = signal
      ? `was killed by ${signal}${signal === "SIGKILL" ? " (out of memory?)" : ""}`
      : `ended with exit code ${code} (does a cell call Deno.exit?)`;
    throw new KernelDiedError(`The kernel ${how}.${this.log ? ` It wrote: ${this.log}` : ""}`);
  }

  async #keepLog(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.#log = (this.#log + text).slice(-LOG_CHARACTERS);
    }
  }
}
