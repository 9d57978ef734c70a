/**
 * A pass of a scan in its file: what it has measured is saved while it runs, and taken up by the next run.
 */
import type { Passes } from "../experiments/scan/passes.ts";
import {
  type About,
  differing,
  loadState,
  readAbout,
  saveState,
  type ShardFacts,
} from "../experiments/scan/state.ts";
import type { Entry, Part } from "../experiments/retention/sums.ts";

/**
 * Saved at most this often, and never for more than a twentieth of the time: a large state takes long to
 * write, and is written more rarely.
 */
const SAVE_EVERY_MS = 20_000, TIMES_AS_LONG = 20;

const PASS_IN_WORDS: Record<string, string> = {
  screen: "first pass",
  examination: "second pass",
  routes: "third pass",
};

export const inWords = (pass: string): string => PASS_IN_WORDS[pass] ?? pass;

/** A sum over nothing is complete from the beginning. */
const isComplete = ({ arrays, prompts }: Entry, count: number) =>
  prompts === count || Object.values(arrays).every(({ length }) => length === 0);

/** How many of the sums are there, over all of `count` prompts. */
export function completeSums(part: Part, empty: Part, count: number): { done: number; all: number } {
  const done = [...empty.keys()].filter((key) => {
    const entry = part.get(key) ?? empty.get(key)!;
    return isComplete(entry, count);
  });
  return { done: done.length, all: empty.size };
}

export class PassFile {
  #part: Part | undefined;
  #saveAfter: number;

  constructor(
    readonly path: string,
    readonly about: About,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.#saveAfter = now() + SAVE_EVERY_MS;
  }

  /** What a shard's file says besides. */
  shard?: ShardFacts;
  /** Why it could not be written last. */
  failed?: unknown;

  /**
   * What was measured before. Of another scan's file, and of a damaged one, it is said that it is replaced.
   * @param other what to do about another scan's: default: it is replaced
   */
  async load(
    measured: Passes,
    count: number,
    say: (text: string) => void,
    other: "replace" | "refuse" | "ignore" = "replace",
  ): Promise<Part | undefined> {
    const state = await loadState(this.path, this.about, measured.empty());
    const pass = inWords(this.about.pass);
    if (state === undefined || (other === "ignore" && typeof state === "string")) return undefined;
    if (state === "damaged") {
      say(`${this.path} is damaged: the ${pass} begins anew, and replaces it.`);
      return undefined;
    }
    if (state === "other") {
      if (other === "refuse") throw new Error(await foreign(this.path, this.about));
      say(`${this.path} is of another scan (model, prompts, settings or version): it is replaced.`);
      return undefined;
    }
    const { done, all } = completeSums(state.part, measured.empty(), count);
    say(`${pass[0].toUpperCase()}${pass.slice(1)}: ${done} of ${all} runs are done, from ${this.path}.`);
    if (state.shard) this.shard = state.shard;
    return this.#part = state.part;
  }

  /** Notes what is measured so far, and saves it now and then. @throws when it cannot be written */
  async save(part: Part): Promise<void> {
    this.#part = part;
    if (this.now() > this.#saveAfter) await this.flush();
  }

  /** Notes and saves what is measured. */
  async finish(part: Part): Promise<void> {
    this.#part = part;
    await this.flush();
  }

  /** Saves what was noted last. */
  async flush(): Promise<void> {
    if (!this.#part) return;
    const began = this.now();
    try {
      await saveState(this.path, {
        about: this.about,
        part: this.#part,
        ...(this.shard && { shard: this.shard }),
      });
    } catch (error) {
      this.failed = error;
      throw error;
    }
    const ended = this.now();
    this.#saveAfter = ended + Math.max(SAVE_EVERY_MS, TIMES_AS_LONG * (ended - began));
  }
}

/** What is wrong with a file that is not what it should be. */
export async function foreign(path: string, about: About): Promise<string> {
  const said = await readAbout(path);
  const what = said === undefined || said === "damaged" ? "something else" : differing(about, said.about);
  return `${path} is of ${what}. Give another --out, or move it away.`;
}
