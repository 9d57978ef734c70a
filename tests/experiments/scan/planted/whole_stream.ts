/**
 * What happens to the stream as a whole, whoever wrote: contraction, and growth along one direction. Neither
 * is clean-up of a writer.
 */
import { plant, plantMultiple } from "./nodes.ts";
import { controlOf, type Kind, NOTHING } from "./truth.ts";
import { sum, type Vector, type World } from "./world.ts";

const SIZE = 3;
/** What layer 2 leaves of everything. */
const LEFT = 0.5;

/** The heads of layer 2 share the basis among them: together they write -1/2 of everything that they read. */
function plantContraction(world: World, written: number): void {
  const { n_heads, d_model } = world.config;
  const share = d_model / n_heads;
  for (let head = 0; head < n_heads; head++) {
    const axes = world.axes.slice(head * share, (head + 1) * share);
    plantMultiple(world, `L2H${head}`, LEFT - 1, world.sigma(2, written), axes);
  }
}

const contraction: Kind = {
  truth: { ...NOTHING, left: LEFT, contraction: LEFT },
  plant(world) {
    plant(world, "L0H2", world.fromToken(SIZE), world.S);
    plantContraction(world, SIZE ** 2);
  },
};

/** The same, with a writer of which the head L1H3 has erased all by then. */
const contractionAndCleaner: Kind = {
  truth: {
    writers: ["L0H2"],
    cleaners: { L0H2: ["L1H3"] },
    route: "values",
    left: 0,
    specific: LEFT * controlOf(1),
    contraction: LEFT,
  },
  plant(world) {
    plant(world, "L0H2", world.fromToken(SIZE), world.S);
    plantMultiple(world, "L1H3", -1, world.sigma(1, SIZE ** 2));
    plantContraction(world, 0);
  },
};

/**
 * The MLPs add about 10, 20, 40, 80 along one direction, so that the stream grows from 9 to 150: most of it
 * at all tokens alike, a part of it the more, the later the position. L0H2 writes a little against that
 * direction, by the position as well. Its projection ratio falls by hundreds, and more at its own position
 * than elsewhere; but nobody reads it.
 */
const growing: Kind = {
  truth: NOTHING,
  plant(world) {
    const { n_layers, n_ctx } = world.config;
    const direction: Vector = sum([world.S[0], world.S2[0], world.tokens[0]], [1, 1, 1], 1 / Math.sqrt(3));
    const later = (t: number) => t / n_ctx;
    plant(world, "MLP0", [world.course((t) => 10 * later(t))], [direction]);
    for (let layer = 0; layer < n_layers; layer++) {
      const size = 5 * (layer === 0 ? 1 : 2 ** (layer + 1));
      world.row(`blocks.${layer}.mlp.b_out`, 0, direction.map((x) => size * x));
    }
    plant(world, "L0H2", [world.course((t) => -0.6 * later(t)), ...world.fromToken(0.2)], [
      direction,
      ...world.S,
    ]);
  },
};

export const wholeStream = { contraction, "contraction and cleaner": contractionAndCleaner, growing };
