// Against PyTorch: a forward pass of its own on the stored weights, in float64
// (tests/reference/attribution.py).
import { assertAlmostEquals, assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import { dataPath } from "../../../lib/checkpoints/mod.ts";
import { checkAttribution } from "../../../lib/experiments/attribution/check_attribution.ts";
import { loadModel } from "../../../lib/transformer/load.ts";
import recorded from "../../reference/data/attribution.json" with { type: "json" };

const TOLERANCE = 1e-3;
const byName = (values: object) => new Map(Object.entries(values) as [string, number][]);

Deno.test("the recorded reference is of these weights and prompts", async () => {
  for (
    const [path, expected] of [
      ["models/tiny-gelu-4l/model.safetensors", recorded.weightsSha256],
      ["prompts/held-out.safetensors", recorded.promptsSha256],
    ]
  ) {
    const hash = createHash("sha256").update(await Deno.readFile(dataPath(path))).digest("hex");
    assertEquals(hash, expected, `${path} has changed: python tests/reference/record.py attribution`);
  }
});

for (const removedAt of ["rest", "position"] as const) {
  Deno.test(`DLA, each later node's step, what is left and the effect are PyTorch's: removed at ${removedAt}`, async () => {
    const model = await loadModel();
    const { rows: [row], steps, terms, sum, answers } = await checkAttribution(model, recorded.text, {
      nodes: [recorded.writer],
      removedAt,
      rotations: 0,
      samples: removedAt === "rest" ? recorded.resampled.samples : 0,
    });
    assertEquals([...model.prompts([recorded.text]).tokens], recorded.tokens);
    assertEquals(answers!.map(({ id }) => id), recorded.answers);
    assertAlmostEquals(sum.logitDifference, recorded.logitDifference, TOLERANCE);
    const dla = byName(recorded.dla);
    assertEquals(terms.filter(({ name }) => dla.has(name)).length, dla.size);
    for (const { name, mean } of terms) {
      if (dla.has(name)) assertAlmostEquals(mean, dla.get(name)!, TOLERANCE, name);
    }
    const expected = recorded.removed[removedAt];
    const each = byName(expected.steps);
    assertEquals(steps.map(({ by }) => by), [...each.keys()]);
    for (const { by, logits } of steps) assertAlmostEquals(logits, each.get(by)!, TOLERANCE, by);
    assertAlmostEquals(row.left.logits, expected.left, TOLERANCE);
    assertAlmostEquals(row.effect.logits, expected.effect, TOLERANCE);
    if (removedAt === "position") return;
    assertAlmostEquals(row.resampled!.kept, recorded.resampled.kept, TOLERANCE);
    assertAlmostEquals(row.resampled!.effect, recorded.resampled.effect, TOLERANCE);
  });
}
