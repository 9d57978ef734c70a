/** A writer in layer 0 and cleaners in layer 2 that write its opposite; a part of it; and nothing at all. */
import { plant, plantMultiple } from "./nodes.ts";
import { controlOf, erased, type Kind, NOTHING } from "./truth.ts";
import type { World } from "./world.ts";

const SIZE = 3;

/** A writer that writes to S from the token. */
function tokenWriter(world: World, name = "L0H2"): void {
  const layer = Number(name.match(/\d/)![0]);
  plant(world, name, world.fromToken(SIZE, world.sigma(layer)), world.S);
}

function cleanedBy(cleaners: readonly string[], part = 1, writer?: string): Kind {
  return {
    truth: erased(cleaners, part, writer),
    plant(world) {
      tokenWriter(world, writer);
      for (const name of cleaners) {
        plantMultiple(world, name, -part / cleaners.length, world.sigma(2, SIZE ** 2));
      }
    },
  };
}

const SIX = [1, 2, 3, 4, 5, 6].map((head) => `L2H${head}`);

/** Writes a large part by the position and a small one by the token. The positional part alone is erased. */
const positional: Kind = {
  truth: { ...erased(["L2H3"]), left: 0.1, specific: controlOf(0.9) - 0.1 },
  plant(world) {
    plant(world, "L0H2", [...world.fromToken(1), ...world.fromPosition(3)], [...world.S, ...world.S2]);
    plantMultiple(world, "L2H3", -1, world.sigma(2, 1 + 3 ** 2), world.S2);
  },
};

/** A writer that writes by the position alone: the same in all prompts. */
const sharedWriter: Kind = {
  truth: erased(["L2H3"]),
  plant(world) {
    plant(world, "L0H2", world.fromPosition(SIZE), world.S);
    plantMultiple(world, "L2H3", -1, world.sigma(2, SIZE ** 2));
  },
};

/** Writes one direction, and its opposite in the second half of the context; a tenth comes from the token. */
const signChange: Kind = {
  truth: erased(["L2H3"]),
  plant(world) {
    const course = world.course((t) => t < world.config.n_ctx / 2 ? SIZE : -SIZE);
    const token = world.fromToken(SIZE / 10);
    const reads = token.map((v, k) => k === 0 ? v.map((x, i) => x + course[i]) : v);
    plant(world, "L0H2", reads, world.S);
    plantMultiple(world, "L2H3", -1, world.sigma(2, SIZE ** 2));
  },
};

/**
 * Two heads of two layers that write the same vector u at every token, of norm 2. L2H3 writes -2u; without
 * one of them it reads half as much in a stream that is shorter: (93 / 81)^½ of u, by the squared norms. So
 * 0.07 u of the missing one stay.
 */
const together: Kind = {
  truth: {
    writers: ["L0H2", "L1H4"],
    cleaners: { L0H2: ["L2H3"], L1H4: ["L2H3"] },
    route: "values",
    left: 0.07,
    specific: controlOf(1) - 0.07,
  },
  plant(world) {
    plant(world, "L0H2", world.fromToken(2), world.S);
    plant(world, "L1H4", world.fromToken(2, world.sigma(1, 2 ** 2)), world.S);
    plantMultiple(world, "L2H3", -1, world.sigma(2, 4 ** 2));
  },
};

export const simple = {
  pair: cleanedBy(["L2H3"]),
  "pair 0.5": cleanedBy(["L2H3"], 0.5),
  "pair 0.35": cleanedBy(["L2H3"], 0.35),
  "pair 0.25": cleanedBy(["L2H3"], 0.25),
  "pair 0.1": cleanedBy(["L2H3"], 0.1),
  shared: cleanedBy(SIX),
  mlp: cleanedBy(["MLP2"]),
  "mlp writer": cleanedBy(["L2H3"], 1, "MLP0"),
  positional,
  "shared writer": sharedWriter,
  "sign change": signChange,
  together,
  none: { truth: NOTHING, plant: (world: World) => tokenWriter(world) },
  random: { truth: NOTHING, plant: () => {} },
};
