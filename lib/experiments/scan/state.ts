/**
 * What a pass has measured, as a file: so that a scan that was stopped goes on where it was, another scan of
 * the same model and prompts with other thresholds need not repeat the first pass, and shards can be joined.
 *
 * A safetensors file with the arrays of each sum. Its metadata say what was measured (`About`), how many
 * prompts are in each sum, and a checksum of the arrays.
 */
import { stat } from "node:fs/promises";
import { bytesOf, type RawTensor } from "../../checkpoints/dtypes.ts";
import type { Prompts } from "../../checkpoints/mod.ts";
import { SafetensorsFile } from "../../checkpoints/safetensors.ts";
import { writeSafetensors } from "../../checkpoints/safetensors_write.ts";
import { isMissing } from "../../platform/errors.ts";
import { BINS } from "../../stats/histogram.ts";
import { digest, weightDigests } from "../../transformer/fingerprint.ts";
import type { Model } from "../../transformer/model.ts";
import type { Part } from "../retention/sums.ts";
import type { Passes } from "./passes.ts";
import type { Extras, ScanFacts } from "./result.ts";
import type { Shard } from "./shards.ts";

/** Goes up when what is kept changes. */
const FORM = 5;

/** What a file's sums are of. Two files whose `About` are alike but for the shard can be added. */
export interface About {
  /** Of the state, and of its histograms. */
  form: string;
  pass: string;
  /** SHA-256 of the settings and the weights of the model. */
  model: string;
  /** SHA-256 of the prompts of the whole pass, of all shards together. */
  prompts: string;
  /** Of the rotations. */
  seed: number;
  /** SHA-256 of the names and sizes of all sums: which nodes, how many rotations. */
  sums: string;
}

/** What else a shard's file says: which it is, and what the report of all of them needs. */
export interface ShardFacts extends Shard {
  facts: ScanFacts;
  extras: Extras;
  /**
   * Prompts in one batch, and where the model runs: sums are equal to the last digits only where these are.
   */
  batch: number;
  device: string;
}

export interface State {
  about: About;
  part: Part;
  shard?: ShardFacts;
}

export const textDigest = async (text: string): Promise<string> =>
  await digest(new TextEncoder().encode(text));

/** What a model is: settings and weights. */
export async function modelDigest(model: Model): Promise<string> {
  return await textDigest([JSON.stringify(model.config), ...await weightDigests(model)].join("\n"));
}

/** SHA-256 of what the pass that is next measures. */
export async function sumsDigest(measured: Passes): Promise<string> {
  const sums = [...measured.empty()].map(([key, { arrays }]) =>
    `${key}: ${Object.entries(arrays).map(([name, { length }]) => `${name} ${length}`)}`
  );
  return await textDigest(sums.join("\n"));
}

/** What the pass that is next measures, and on what. @param prompts all of the pass */
export async function aboutNext(measured: Passes, model: string, prompts: Prompts): Promise<About> {
  return {
    form: `${FORM}, ${BINS} bins`,
    pass: measured.next!.pass,
    model,
    prompts: await textDigest(
      `${prompts.count} × ${prompts.length}, ${await digest(
        bytesOf(prompts.tokens as Int32Array<ArrayBuffer>),
      )}`,
    ),
    seed: measured.plan.settings.seed,
    sums: await sumsDigest(measured),
  };
}

async function checksum(tensors: Record<string, RawTensor>): Promise<string> {
  const parts: string[] = [];
  for (const [name, { data }] of Object.entries(tensors)) {
    parts.push(`${name} ${await digest(bytesOf(data as Float64Array<ArrayBuffer>))}`);
  }
  return await textDigest(parts.sort().join("\n"));
}

/** Writes the state; never half of it. */
export async function saveState(path: string, { about, part, shard }: State): Promise<void> {
  const tensors: Record<string, RawTensor> = {};
  const prompts: Record<string, number> = {};
  for (const [key, entry] of part) {
    prompts[key] = entry.prompts;
    for (const [name, data] of Object.entries(entry.arrays)) {
      if (data.length === 0) continue; // the last node has no later ones
      tensors[`${key}/${name}`] = {
        dtype: data instanceof Float64Array ? "F64" : "I32",
        dims: [data.length],
        data: data as RawTensor["data"],
      };
    }
  }
  await writeSafetensors(path, tensors, {
    about: JSON.stringify(about),
    prompts: JSON.stringify(prompts),
    ...(shard && { shard: JSON.stringify(shard) }),
    checksum: await checksum(tensors),
  });
}

class ForeignFile extends Error {
  constructor(path: string) {
    super(
      `${path} is no pass of a scan, which would be written there. Give another --out, or move it away.`,
    );
  }
}

/** What a file of a pass says of itself. */
export type Said = Pick<State, "about"> & { shard?: ShardFacts };

/**
 * What a file says of itself, without its sums. `undefined`: there is no such file.
 * @throws for a safetensors file that is no state: it is somebody's, and is not to be replaced
 */
export async function readAbout(path: string): Promise<Said | "damaged" | undefined> {
  return await reading(path, (file) => Promise.resolve(saidBy(file)));
}

/**
 * What was saved of the pass that `empty` is of. `undefined`: there is no such file; "other": it is of
 * another model, other prompts or other nodes. @throws as `readAbout` does
 */
export async function loadState(
  path: string,
  about: About,
  empty: Part,
): Promise<State | "damaged" | "other" | undefined> {
  return await reading(path, async (file) => {
    const said = saidBy(file);
    if (differing(about, said.about) !== undefined) return "other";
    const counts = JSON.parse(file.metadata.prompts);
    const read: Record<string, RawTensor> = {};
    const part = new Map(empty);
    for (const [key, entry] of empty) {
      if (!Object.hasOwn(counts, key)) {
        part.delete(key); // not begun
        continue;
      }
      for (const [name, array] of Object.entries(entry.arrays)) {
        if (array.length === 0) continue;
        const tensor = await file.read(`${key}/${name}`);
        if (tensor.data.length !== array.length || tensor.data.constructor !== array.constructor) {
          return "damaged";
        }
        read[`${key}/${name}`] = tensor;
        array.set(tensor.data as never);
      }
      entry.prompts = counts[key];
    }
    return await checksum(read) === file.metadata.checksum ? { ...said, part } : "damaged";
  });
}

async function reading<T>(
  path: string,
  use: (file: SafetensorsFile) => Promise<T>,
): Promise<T | "damaged" | undefined> {
  let file: SafetensorsFile | undefined;
  try {
    await stat(path);
    file = await SafetensorsFile.open(path);
    if (file.metadata.about === undefined && file.metadata.key === undefined) throw new ForeignFile(path);
    return await use(file);
  } catch (error) {
    if (error instanceof ForeignFile) throw error;
    if (isMissing(error)) return undefined;
    return "damaged";
  } finally {
    file?.close();
  }
}

/** Earlier versions kept a key in place of `about`: theirs is another form. */
function saidBy({ metadata: { about, shard } }: SafetensorsFile): Said {
  if (about === undefined) return { about: { form: "earlier" } as About };
  return { about: JSON.parse(about), ...(shard !== undefined && { shard: JSON.parse(shard) }) };
}

const WORDS: Record<keyof About, string> = {
  form: "another version of this program",
  pass: "another pass",
  model: "another model",
  prompts: "other prompts",
  seed: "another seed",
  sums: "other nodes or options",
};

/** In what two files differ, in words; undefined: in nothing. */
export function differing(a: About, b: About): string | undefined {
  const key = (Object.keys(WORDS) as (keyof About)[]).find((key) => a[key] !== b[key]);
  return key && WORDS[key];
}
