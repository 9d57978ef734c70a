/**
 * Models of known reuse, on the ground of the planted models: L0H2 writes 8 directions S from the token,
 * L2H3 erases them, and then, if it is planted, one node of layer 3 writes into S from the position. The
 * unembedding reads S most, or not at all, or as it reads anything.
 */
import { plant, plantMultiple } from "../scan/planted/nodes.ts";
import { modelOf } from "../scan/planted/kinds.ts";
import { sum, VOCABULARY, World } from "../scan/planted/world.ts";
import { Random } from "../../../lib/stats/random.ts";
import type { Model } from "../../../lib/transformer/model.ts";

/** Norm of what is written, and of what is written again. */
const SIZE = 3, AGAIN = 8;

export interface Reuse {
  again?: "L3H1" | "MLP3";
  read?: "most" | "not";
  erased?: boolean;
}

export function reuseModel(seed: number, { again, read, erased = true }: Reuse): Model {
  const world = new World(seed);
  plant(world, "L0H2", world.fromToken(SIZE), world.S);
  if (erased) plantMultiple(world, "L2H3", -1, world.sigma(2, SIZE ** 2));
  if (again) plant(world, again, world.fromPosition(AGAIN, world.sigma(3)), world.S);
  const W_U = world.arrays.get("unembed.W_U")!;
  const random = new Random(seed);
  for (let token = 0; token < VOCABULARY; token++) {
    const at = (i: number) => i * VOCABULARY + token;
    const parts = world.S.map((axis) =>
      read === "most"
        ? 2 * random.normal()
        : read === "not"
        ? -axis.reduce((s, x, i) => s + x * W_U[at(i)], 0)
        : 0
    );
    sum(world.S, parts).forEach((x, i) => W_U[at(i)] += x);
  }
  return modelOf(world);
}
