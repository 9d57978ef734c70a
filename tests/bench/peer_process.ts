/**
 * A process that runs once what each line it is sent says (peer.py --turns, peer_ours.ts), with its memory
 * watched from outside: all sides by the same few lines of Python over /proc, which Deno itself reads only
 * with all permissions.
 */
const WATCH = `
import re, sys
pid, reset = sys.argv[1], sys.argv[2] == "reset"
try:
    if reset: open(f"/proc/{pid}/clear_refs", "w").write("5")  # sets the peak back to the present size, see proc(5)
    text = open(f"/proc/{pid}/status").read()
    print(*[int(re.search(field + r":\\s+(\\d+)", text)[1]) for field in ("VmRSS", "VmHWM")])
except (OSError, TypeError):
    print("nan nan")  # no such files on this system
`;

/** Memory in MiB; NaN where the system does not tell. */
export interface Memory {
  now: number;
  peak: number;
}

export interface Answer {
  seconds: number;
  /** Processor seconds of all its threads. */
  cpu: number;
  medians?: Record<string, number[]>;
}

export class TurnProcess {
  readonly name: string;
  /** The turns that count, since the last rest. */
  turns: Answer[] = [];
  /** What it said when it had loaded. */
  about: Record<string, unknown> = {};
  /** After the last rest. */
  rested: Memory = { now: NaN, peak: NaN };
  #python: string;
  #process: Deno.ChildProcess;
  #input: WritableStreamDefaultWriter<Uint8Array>;
  #lines: AsyncIterator<string>;

  private constructor(name: string, python: string, process: Deno.ChildProcess) {
    this.name = name;
    this.#python = python;
    this.#process = process;
    this.#input = process.stdin.getWriter();
    this.#lines = lines(process.stdout);
  }

  /** Starts a process and waits until it has loaded its model. */
  static async start(
    name: string,
    python: string,
    command: string,
    args: string[],
    env: Record<string, string> = {},
  ): Promise<TurnProcess> {
    const options = { args, env, stdin: "piped", stdout: "piped", stderr: "null" } as const;
    const started = new TurnProcess(name, python, new Deno.Command(command, options).spawn());
    started.about = await started.#answer();
    return started;
  }

  async #answer(): Promise<Record<string, unknown>> {
    const { value, done } = await this.#lines.next();
    if (!done) return JSON.parse(value);
    const { code } = await this.#process.status;
    throw new Error(
      `${this.name}: the process ended with code ${code} where an answer was expected; run it by hand to see why`,
    );
  }

  async #memory(what: "reset" | "read"): Promise<Memory> {
    const args = ["-c", WATCH, `${this.#process.pid}`, what];
    const { stdout } = await new Deno.Command(this.#python, { args, stderr: "null" }).output();
    const [now, peak] = new TextDecoder().decode(stdout).split(" ").map((kib) => Number(kib) / 1024);
    return { now, peak };
  }

  async #ask(line: string): Promise<Answer> {
    await this.#input.write(new TextEncoder().encode(`${line}\n`));
    return await this.#answer() as unknown as Answer;
  }

  /** Runs a task once. `count` false: a warm-up. */
  async turn(task: string, prompts: number, count = true): Promise<Answer> {
    const answer = await this.#ask(`${task} ${prompts}`);
    if (count) this.turns.push(answer);
    return answer;
  }

  /** Between two tasks: what nobody uses is given back, and peak memory counts from here. */
  async rest(): Promise<void> {
    await this.#ask("rest 0");
    this.rested = await this.#memory("reset");
    this.turns = [];
  }

  /** Peak memory since the last rest, MiB. */
  async peak(): Promise<number> {
    return (await this.#memory("read")).peak;
  }

  async end(): Promise<void> {
    await this.#input.close();
    await this.#process.status;
  }

  kill(): void {
    try {
      this.#process.kill();
    } catch {
      // It has ended already.
    }
  }
}

async function* lines(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let rest = "";
  for await (
    const text of stream.pipeThrough(new TextDecoderStream() as TransformStream<Uint8Array, string>)
  ) {
    const parts = (rest + text).split("\n");
    rest = parts.pop()!;
    yield* parts.filter((part) => part.startsWith("{"));
  }
}
