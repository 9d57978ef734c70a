/**
 * Erasing that reads no values of the writer: through attention patterns alone, and through LayerNorm's scale
 * alone.
 */
import { attendToItself, plant, plantValues } from "./nodes.ts";
import type { Kind, Truth } from "./truth.ts";
import { POSITION, RANK, times, type World } from "./world.ts";

function by(route: Truth["route"]): Truth {
  // Nobody reads S, so nothing is erased of a rotated output.
  return { writers: ["L0H2"], cleaners: { L0H2: ["L2H3"] }, route, left: 0, specific: 1 };
}

/**
 * All numbers from the token but the last, which tells that the writer is there: it is the same everywhere.
 */
const PRESENCE = RANK - 1;

function tokenPart(world: World, size: number, sigma: number) {
  return world.fromToken(size * Math.sqrt(RANK / PRESENCE), sigma).slice(0, PRESENCE);
}

/**
 * L2H3 knows from the token what the writer writes, and writes the opposite of it where it attends to its own
 * position. It does so only where it finds the writer's constant part in the stream; without it, all
 * positions attend to position 0, where the stream is one long vector and next to nothing is to be read.
 */
const attention: Kind = {
  truth: by("attention"),
  plant(world) {
    const [token, presence, sink] = [2.5, 2, 100];
    const { d_head, d_model } = world.config;
    const sigma = world.sigma(2, token ** 2 + presence ** 2), node = { layer: 2, head: 3 };
    const [atSink] = world.positions, longest = Math.sqrt(d_model); // of what LayerNorm returns
    world.row("pos_embed.W_pos", 0, times(sink, [atSink])[0]);
    const constant = world.course((t) => t === 0 ? 0 : presence);
    plant(world, "L0H2", [...tokenPart(world, token, world.sigma(0)), constant], world.S);

    // The own position's score is own²/√d_head. That of position 0 is twice as much, less what the presence
    // takes away: all of it.
    attendToItself(world, node);
    const own = 4 * POSITION / sigma;
    const query = 2 * own ** 2 / (4 * longest);
    world.arrays.get("blocks.2.attn.b_Q")![node.head * d_head] = query;
    const [read] = times(-query * sigma / presence, [world.S[PRESENCE]]);
    world.column("blocks.2.attn.W_Q", d_head, 0, read, node.head);

    // The constant part comes from b_V, and is taken away again at position 0.
    world.arrays.get("blocks.2.attn.b_V")![node.head * d_head + PRESENCE] = presence;
    const reads = [...tokenPart(world, token, sigma), times(-presence / longest, [atSink])[0]];
    plantValues(world, node, reads, times(-1, world.S));
  },
};

/**
 * L2H3 writes along with the writer, from the token: the more, the shorter the stream that LayerNorm divides
 * by. The writer makes up most of the stream, so without it L2H3 writes more than twice as much, and all of
 * it is back.
 */
const norm: Kind = {
  truth: by("norm"),
  plant(world) {
    const size = 16;
    plant(world, "L0H2", world.fromToken(size), world.S);
    const [present, absent] = [world.sigma(2, size ** 2), world.sigma(2)];
    plant(world, "L2H3", world.fromToken(size / (present / absent - 1), present), world.S);
  },
};

export const routes = { "through attention": attention, "through the norm": norm };
