// Each planted model is what its truth says, by retention(): the writer is erased as much as planted, by whom
// and by which route it was planted, and other nodes are not. How often a scan says so: ../power.ts.
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { retention, type RetentionOptions } from "../../../../lib/experiments/retention/retention.ts";
import { KIND_NAMES, type KindName, KINDS, plantedModel, plantedPrompts } from "./kinds.ts";
import type { Truth } from "./truth.ts";

const SEEDS = [101, 102, 103];
/** Nodes without clean-up in most kinds. */
const OTHERS = ["L0H2", "L0H1", "L1H2", "embed"];
/** Kinds that differ from another by a number alone; power.ts measures them. */
const LEFT_OUT: KindName[] = ["pair 0.35", "pair 0.25", "first token × 3", "first token × 10"];

const measured = (kind: KindName, seed: number, options: RetentionOptions) =>
  retention(plantedModel(kind, seed), plantedPrompts(seed, 16), { rotations: 2, ...options });

for (const kind of KIND_NAMES.filter((name) => !LEFT_OUT.includes(name))) {
  const truth: Truth = KINDS[kind].truth;
  Deno.test(`planted "${kind}": the writer is erased as planted, by its cleaners, and others are not`, async () => {
    const names = new Set([...OTHERS, ...truth.writers, ...truth.along?.slice(0, 1) ?? []]);
    // The writer of "through the norm" makes the stream twice as long, so all that is written along with it
    // or against it moves σ.
    const tolerance = kind === "through the norm" ? 0.07 : 0.04;
    for (const seed of SEEDS) {
      const { writers, responses } = await measured(kind, seed, { writer: [...names] });
      for (const { writer, left, control, specific } of writers) {
        const at = `seed ${seed}, ${writer}: left ${left.value}, control ${control!.value}`;
        if (truth.writers.includes(writer)) {
          assertAlmostEquals(left.value, truth.left, 0.06, at);
          assertAlmostEquals(specific!.value, truth.specific, 2 * tolerance, at);
          const own = responses.filter((r) => r.writer === writer && r.run === "writer" && r.ratio < -0.05);
          assertEquals(own.map((r) => r.node), truth.cleaners[writer], at);
        } else if (truth.along?.includes(writer)) assert(specific!.value > 0.6, at);
        // 16 random dimensions hold more or less of the 8 that are erased, and so do those of the control.
        else assertAlmostEquals(specific!.value, 0, 4 * tolerance, at);
        if (truth.contraction && writer !== "embed" && !truth.writers.includes(writer)) {
          assertAlmostEquals(left.value, truth.contraction, 0.09, at);
        }
      }
    }
  });
}

const LEFT_BY_ROUTE: Partial<Record<KindName, { patterns: number; values: number }>> = {
  mlp: { patterns: 0, values: 0 },
  pair: { patterns: 0, values: 0 },
  "through attention": { patterns: 1.08, values: 1 },
  "through the norm": { patterns: 0, values: 1 },
};

// With the patterns of the clean run, L2H3 of "through attention" writes the token's vector whether or not
// the writer is there: it is (91 / 81)^½ longer, by the squared norms of the streams, without the writer.
for (const route of ["patterns", "values"] as const) {
  Deno.test(`planted routes: what is left when erasing may go through ${route} alone`, async () => {
    for (const [kind, left] of Object.entries(LEFT_BY_ROUTE) as [KindName, typeof LEFT_BY_ROUTE.pair][]) {
      for (const seed of SEEDS) {
        const { writers: [row] } = await measured(kind, seed, { writer: "L0H2", rotations: 0, route });
        assertAlmostEquals(row.left.value, left![route], 0.08, `${kind}, seed ${seed}`);
      }
    }
  });
}

Deno.test("planted first tokens: what the writer writes at position 0 is as long as planted", async () => {
  for (const [kind, factor] of [["first token × 30", 30], ["first token × 100", 100]] as const) {
    const { first: [{ norm, elsewhere }] } = await measured(kind, 101, { writer: "L0H2", rotations: 0 });
    assertAlmostEquals(norm / elsewhere, factor, factor / 10);
  }
});

Deno.test("planted amplifier: twice the output before the cleaner, nothing after it", async () => {
  const { rows } = await measured("amplified", 101, { writer: "L0H2", rotations: 0 });
  const ratio = (location: string) => rows.find((r) => r.location === location)!.ratio;
  assertAlmostEquals(ratio("resid_mid1"), 2, 0.08);
  assertAlmostEquals(ratio("resid_mid2"), 0, 0.08);
});

Deno.test("planted steps: an eighth less after each layer", async () => {
  const { rows } = await measured("steps", 101, { writer: "L0H2", rotations: 0 });
  for (let layer = 1; layer <= 8; layer++) {
    const { median } = rows.find((r) => r.location === `resid_mid${layer}`)!;
    assertAlmostEquals(median, 1 - layer / 8, 0.05, `layer ${layer}`);
  }
});

// Where the measure itself is off, and by how much: what it says depends on the strength.
Deno.test("planted limits: the stream's largest part under contraction, and attention under a small removal", async () => {
  const writer = async (kind: KindName, strength: number, name: string) =>
    (await measured(kind, 101, { writer: name, strength })).writers[0];
  // All of embed taken out: the rotated one makes LayerNorm divide by √2 more and so is contracted less, 1 -
  // 1/√8. Of a tenth of embed LayerNorm takes out what merely makes the stream shorter, before anything is
  // contracted.
  const [whole, tenth] = [await writer("contraction", 1, "embed"), await writer("contraction", 0.1, "embed")];
  assertAlmostEquals(whole.left.value, 0.5, 0.03);
  assertAlmostEquals(whole.control!.value, 1 - Math.SQRT1_2 / 2, 0.05);
  assertAlmostEquals(tenth.left.value, 0.87, 0.05);
  assertAlmostEquals(tenth.control!.value, 0.5, 0.03);
  // A tenth less of what a head looks for does not move its attention.
  assertAlmostEquals((await writer("through attention", 0.1, "L0H2")).left.value, 1.1, 0.08);
});
