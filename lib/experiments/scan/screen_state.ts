/**
 * The state of a first pass as a file, so that a scan that was interrupted goes on where it was, and another
 * scan of the same model and prompts with other thresholds need not repeat the pass.
 *
 * A safetensors file with the arrays of each removal's statistics; its metadata hold a key, SHA-256 over
 * everything that the pass depends on (the weights, the settings of the model, the prompts, the seed and the
 * form of the state), and a checksum of the arrays.
 */
import { stat } from "node:fs/promises";
import { bytesOf, type RawTensor } from "../../checkpoints/dtypes.ts";
import type { Prompts } from "../../checkpoints/mod.ts";
import { isMissing } from "../../platform/errors.ts";
import { SafetensorsFile } from "../../checkpoints/safetensors.ts";
import { writeSafetensors } from "../../checkpoints/safetensors_write.ts";
import { BINS } from "../../stats/histogram.ts";
import { digest, weightDigests } from "../../transformer/fingerprint.ts";
import type { Model } from "../../transformer/model.ts";
import { BLOCKS, RemovalStats } from "../retention/removal_stats.ts";
import { shapeOfRemoval } from "../retention/removals.ts";
import { screenRemovals } from "./screen.ts";

/** Goes up when what is kept changes. */
const FORM = 3;

export type Screened = ReadonlyMap<string, RemovalStats>;

/** What the first pass over `prompts` depends on, as a hash. */
export async function screenKey(model: Model, prompts: Prompts, seed: number): Promise<string> {
  const parts = [`form ${FORM}, ${BINS} bins, seed ${seed}`, JSON.stringify(model.config)];
  parts.push(...await weightDigests(model));
  parts.push(`prompts ${prompts.count} × ${prompts.length} ${await digest(bytesOf(prompts.tokens))}`);
  return await digest(new TextEncoder().encode(parts.join("\n")));
}

async function checksum(tensors: Record<string, RawTensor>): Promise<string> {
  const parts: string[] = [];
  for (const [name, { data }] of Object.entries(tensors)) {
    parts.push(`${name} ${await digest(bytesOf(data as Float64Array<ArrayBuffer>))}`);
  }
  return await digest(new TextEncoder().encode(parts.sort().join("\n")));
}

/** Writes the state; never half of it. */
export async function saveScreen(path: string, stats: Screened, key: string): Promise<void> {
  const tensors: Record<string, RawTensor> = {};
  for (const [removal, one] of stats) {
    for (const [name, data] of Object.entries(one.arrays)) {
      if (data.length === 0) continue; // the last node has no later ones
      tensors[`${removal}/${name}`] = {
        dtype: data instanceof Float64Array ? "F64" : "I32",
        dims: [data.length],
        data: data as RawTensor["data"],
      };
    }
  }
  await writeSafetensors(path, tensors, { key, checksum: await checksum(tensors) });
}

class ForeignFile extends Error {
  constructor(path: string) {
    super(
      `${path} is no first pass of a scan, which would be written there. Give another --out, or move it away.`,
    );
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch (error) {
    if (isMissing(error)) return false;
    throw error;
  }
}

/**
 * What was saved under `key`. `undefined`: there is no such file; "other": it is that of another scan.
 * @throws for a safetensors file that is no state: it is somebody's, and is not to be replaced
 */
export async function loadScreen(
  path: string,
  model: Model,
  prompts: Prompts,
  seed: number,
  key: string,
): Promise<Screened | "damaged" | "other" | undefined> {
  let file: SafetensorsFile | undefined;
  try {
    if (!await isThere(path)) return undefined;
    file = await SafetensorsFile.open(path);
    if (file.metadata.key === undefined) throw new ForeignFile(path);
    if (file.metadata.key !== key) return "other";
    const stats = new Map<string, RemovalStats>();
    const read: Record<string, RawTensor> = {};
    for (const { key: removal, writer } of screenRemovals(model, model.forward(), prompts, seed).removals) {
      const blocks = Math.min(BLOCKS, prompts.count);
      const one = new RemovalStats(shapeOfRemoval(model, writer, blocks), "end");
      if (!file.tensors.has(`${removal}/ends`)) continue; // not measured yet
      for (const [name, array] of Object.entries(one.arrays)) {
        if (array.length === 0) continue;
        const tensor = await file.read(`${removal}/${name}`);
        if (tensor.data.length !== array.length || tensor.data.constructor !== array.constructor) {
          return "damaged";
        }
        read[`${removal}/${name}`] = tensor;
        array.set(tensor.data as never);
      }
      stats.set(removal, one);
    }
    return await checksum(read) === file.metadata.checksum ? stats : "damaged";
  } catch (error) {
    if (error instanceof ForeignFile) throw error;
    return "damaged";
  } finally {
    file?.close();
  }
}
