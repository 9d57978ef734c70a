/** All kinds of planted models, and their making. */
import { writeSafetensors } from "../../../../lib/checkpoints/safetensors_write.ts";
import { stateDictShapes } from "../../../../lib/checkpoints/state_dict.ts";
import type { Prompts } from "../../../../lib/checkpoints/mod.ts";
import { Random } from "../../../../lib/stats/random.ts";
import { Model } from "../../../../lib/transformer/model.ts";
import { NO_STEPS } from "../../../../lib/transformer/processing.ts";
import { weight, type Weights } from "../../../../lib/transformer/weights.ts";
import { depth } from "./depth.ts";
import { routes } from "./routes.ts";
import { simple } from "./simple.ts";
import type { Kind } from "./truth.ts";
import { wholeStream } from "./whole_stream.ts";
import { LENGTH, VOCABULARY, World } from "./world.ts";

export const KINDS = { ...simple, ...depth, ...wholeStream, ...routes } satisfies Record<string, Kind>;
export type KindName = keyof typeof KINDS;
export const KIND_NAMES = Object.keys(KINDS) as KindName[];

function planted(name: KindName, seed: number): World {
  const kind: Kind = KINDS[name];
  const world = new World(seed * 977 + KIND_NAMES.indexOf(name), kind.size);
  kind.plant(world);
  return world;
}

export function plantedModel(kind: KindName, seed: number): Model {
  return modelOf(planted(kind, seed), `planted: ${kind}, seed ${seed}`);
}

export function modelOf({ config, arrays }: World, name = "planted"): Model {
  const weights: Weights = new Map();
  for (const [each, shape] of stateDictShapes(config)) {
    weights.set(each, weight(each, arrays.get(each)!, shape));
  }
  return new Model({ name, config, weights, processing: NO_STEPS });
}

/** Writes the model as a folder: config.json and model.safetensors. */
export async function writePlanted(folder: string, kind: KindName, seed: number): Promise<void> {
  const { config, arrays } = planted(kind, seed);
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
  const tensors = [...stateDictShapes(config)].map(([name, dims]) =>
    [name, { dtype: "F32" as const, dims, data: arrays.get(name)! }] as const
  );
  await writeSafetensors(`${folder}/model.safetensors`, Object.fromEntries(tensors));
}

/**
 * Random tokens. First tokens differ as long as there are enough, so that all seeds ask for the same graphs.
 */
export function plantedPrompts(seed: number, count = 48): Prompts {
  const random = new Random(seed * 31 + 5);
  const first = random.permutation(VOCABULARY);
  const tokens = Int32Array.from(
    { length: count * LENGTH },
    (_, i) => i % LENGTH === 0 ? first[i / LENGTH % VOCABULARY] : random.below(VOCABULARY),
  );
  return { tokens, count, length: LENGTH, source: `${count} random prompts, seed ${seed}` };
}
