/** Where along the depth a writer's output is erased, and how long it is at position 0. */
import { plant, plantMultiple } from "./nodes.ts";
import { erased, type Kind } from "./truth.ts";

const SIZE = 3;
const STEPS = 8;

/** L1H5 writes once more what it reads, L2H3 takes back all of it: retention goes 1, 2, 0. */
const amplified: Kind = {
  truth: { ...erased(["L2H3"]), along: ["L1H5"] },
  plant(world) {
    plant(world, "L0H2", world.fromToken(SIZE), world.S);
    plantMultiple(world, "L1H5", 1, world.sigma(1, SIZE ** 2));
    plantMultiple(world, "L2H3", -1, world.sigma(2, (2 * SIZE) ** 2));
  },
};

const CLEANERS = Array.from({ length: STEPS }, (_, i) => `L${i + 1}H3`);

/**
 * One head in each of eight layers takes back an eighth of what was written. Without one of them there is
 * more left for those that come after, so what it writes is erased too.
 */
const steps: Kind = {
  truth: { ...erased(CLEANERS), along: CLEANERS.slice(0, -1) },
  size: { n_layers: STEPS + 1, n_heads: 4 },
  plant(world) {
    plant(world, "L0H2", world.fromToken(SIZE), world.S);
    CLEANERS.forEach((name, i) => {
      const there = 1 - i / STEPS;
      plantMultiple(world, name, -1 / STEPS / there, world.sigma(i + 1, (there * SIZE) ** 2));
    });
  },
};

/** A clean pair, with a writer that writes `factor` times as much at position 0, along one direction. */
function firstToken(factor: number): Kind {
  return {
    truth: erased(["L2H3"]),
    plant(world) {
      const sink = world.course((t) => t === 0 ? (factor - 1) * SIZE : 0);
      const reads = world.fromToken(SIZE).map((v, k) => k === 0 ? v.map((x, i) => x + sink[i]) : v);
      plant(world, "L0H2", reads, world.S);
      plantMultiple(world, "L2H3", -1, world.sigma(2, SIZE ** 2));
    },
  };
}

export const depth = {
  amplified,
  steps,
  "first token × 3": firstToken(3),
  "first token × 10": firstToken(10),
  "first token × 30": firstToken(30),
  "first token × 100": firstToken(100),
};
