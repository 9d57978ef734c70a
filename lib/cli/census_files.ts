/**
 * Where a census keeps what it has measured of one model: each pass of the scan in a file as a scan's, and
 * the rows of every later step in one. After an interruption the same command goes on from there.
 */
import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Prompts } from "../checkpoints/mod.ts";
import { writeWhole } from "../checkpoints/write_whole.ts";
import type { CensusKeeper } from "../experiments/census/census.ts";
import type { Passes } from "../experiments/scan/passes.ts";
import { aboutNext, textDigest } from "../experiments/scan/state.ts";
import { keptAfter } from "./scan_run.ts";
import { PassFile } from "./pass_file.ts";

/** JSON has no NaN: such a number is null, and is read as NaN. */
export const fromJson = (text: string) => JSON.parse(text, (_, value) => value === null ? NaN : value);

export interface CensusPlace {
  folder: string;
  /** Of all that the numbers depend on. */
  key: string;
  /** Of the model. */
  digest: string;
  screened: Prompts;
  examined: Prompts;
  /** The first pass of a scan of the same model, which is used where it is of the same prompts. */
  scanned: string;
}

export class CensusFiles implements CensusKeeper {
  /** Whether something was there from an earlier run. */
  resumed = false;
  readonly #place: CensusPlace;
  readonly #say: (text: string) => void;
  #steps: Record<string, unknown[]> | undefined;
  #pass: PassFile | undefined;
  /** Of no use once the model is done: all but the first pass, which serves other thresholds. */
  readonly #passing: string[] = [];

  constructor(place: CensusPlace, say: (text: string) => void) {
    this.#place = place;
    this.#say = say;
  }

  readonly passes = {
    load: async (measured: Passes) => {
      const { digest, screened, examined, scanned } = this.#place;
      const first = measured.next!.pass === "screen", { count } = first ? screened : examined;
      const about = await aboutNext(measured, digest, first ? screened : examined);
      const path = await this.#path(about.pass, JSON.stringify(about), "safetensors");
      if (!first) this.#passing.push(path);
      this.#pass = new PassFile(path, about);
      const part = await this.#pass.load(measured, count, this.#say) ??
        (first ? await new PassFile(scanned, about).load(measured, count, this.#say, "ignore") : undefined);
      this.resumed ||= part !== undefined;
      return part;
    },
    save: (_: unknown, part: Parameters<PassFile["save"]>[0]) => this.#pass!.save(part),
    done: (_: unknown, part: Parameters<PassFile["finish"]>[0]) => this.#pass!.finish(part),
  };

  async rows<Row>(step: string, measure: () => Promise<Row[]>): Promise<Row[]> {
    const path = await this.#path("rows", this.#place.key, "json");
    if (!this.#steps) {
      this.#passing.push(path);
      this.#steps = await this.#read(path);
    }
    if (Array.isArray(this.#steps[step])) {
      this.#say(`${step}: measured before, from ${path}.`);
      this.resumed = true;
      return this.#steps[step] as Row[];
    }
    const made = await measure();
    this.#steps[step] = made;
    await writeWhole(path, JSON.stringify({ key: this.#place.key, steps: this.#steps }) + "\n");
    return made;
  }

  /** Keeps what a pass that was broken off has measured. */
  async broken(error: unknown): Promise<void> {
    await keptAfter(error, this.#pass);
  }

  /** Once the model is in the report. */
  async clear(): Promise<void> {
    for (const path of this.#passing) await rm(path, { force: true });
  }

  /** Steps of an earlier run; a file of something else is as none, and is replaced. */
  async #read(path: string): Promise<Record<string, unknown[]>> {
    try {
      const { key, steps } = fromJson(await readFile(path, "utf8"));
      return key === this.#place.key ? steps : {};
    } catch {
      return {};
    }
  }

  async #path(what: string, of: string, extension: string): Promise<string> {
    return join(this.#place.folder, `${what}-${(await textDigest(of)).slice(0, 16)}.${extension}`);
  }
}
