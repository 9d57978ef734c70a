// Every published value of gelu-4l finds its measured one. A small random model with gelu-4l's layers and
// heads stands in: values differ, but names, fields, prompts and positions must be those that the experiments
// give, or an hour of measuring would end in "missing".
import { assert, assertEquals, assertGreater } from "@std/assert";
import { loadExpected } from "../../lib/experiments/expected.ts";
import { figureSteps, quickChecks } from "../../lib/experiments/verification.ts";
import { knownDifferences } from "../../lib/experiments/known_differences.ts";
import { readAdversarial } from "../../lib/checkpoints/adversarial.ts";
import { dataPath, type Tokenizer } from "../../lib/checkpoints/mod.ts";
import { readCleanup } from "../../lib/checkpoints/cleanup.ts";
import { Model } from "../../lib/transformer/model.ts";
import { inParts } from "../../lib/experiments/part_progress.ts";
import { randomPrompts, small } from "../transformer/models.ts";

const expected = await loadExpected("gelu-4l");
const { prompts: adversarial, source } = await readAdversarial(dataPath("models/gelu-4l/adversarial.json"));

/** The published ids: a tokenizer that knows the post's prompts and answers, and nothing else. */
const D_VOCAB = 48_262;
const texts = new Map<string, number[]>();
for (
  const row of expected.figures.tokens.rows as {
    text: string;
    position: number;
    id: number;
    length: number;
  }[]
) {
  texts.set(row.text, [...(texts.get(row.text) ?? []), row.id]);
}
const tokenizer: Tokenizer = {
  bosId: 1,
  size: D_VOCAB,
  encode(text, { prependBos = false } = {}) {
    const ids = texts.get(text);
    if (!ids) throw new Error(`the test's tokenizer does not know ${JSON.stringify(text)}`);
    return ids[0] === 1 && !prependBos ? ids.slice(1) : ids;
  },
  decode: () => "",
  decodeToken: (id) => [...texts].find(([, ids]) => ids.length === 1 && ids[0] === id)?.[0] ?? `<${id}>`,
};

async function standIn(): Promise<Model> {
  const sizes = { n_layers: 4, n_heads: 8, d_model: 12, d_head: 3, d_mlp: 2048, n_ctx: 64, d_vocab: D_VOCAB };
  const { model: { config, weights, processing } } = small(141, { ...sizes, default_prepend_bos: true });
  const cleanup = await readCleanup(dataPath("models/gelu-4l/cleanup.json"), config);
  return new Model({
    name: "gelu-4l",
    config,
    weights,
    processing,
    cleanup,
    tokenizer,
    adversarial: { prompts: adversarial, source },
  });
}

Deno.test("every published value of gelu-4l is looked for, and found, in what the experiments measure", async () => {
  const model = await standIn();
  const prompts = randomPrompts(model, 16, 4, 64);
  const seen = new Set<string>();
  for (const step of [...quickChecks, ...figureSteps]) {
    if (!step.figures.some((figure) => Object.hasOwn(expected.figures, figure))) continue;
    const compared = await step.run({ model, prompts, expected, options: {} });
    for (const [figure, comparisons] of Object.entries(compared)) {
      seen.add(figure);
      assertGreater(comparisons.length, 0, figure);
      // Panel b of Figure 4 names the head with the highest DLA, which is another one in another model.
      const missing = comparisons.filter((c) =>
        c.verdict === "missing" && !(figure === "fig4" && c.what.includes(" b "))
      );
      assertEquals(missing, [], figure);
      // All numbers that are published are compared: none falls through because its field has another name.
      const numbers = expected.figures[figure].rows.flatMap((row) =>
        Object.entries(row).filter(([key, value]) =>
          typeof value === "number" && !expected.figures[figure].keys.includes(key)
        )
      );
      assertEquals(comparisons.length, numbers.length, figure);
    }
  }
  assertEquals([...seen].sort(), Object.keys(expected.figures).sort());
});

Deno.test("the token ids of the stand-in agree, and its random weights do not", async () => {
  const model = await standIn();
  const context = { model, prompts: randomPrompts(model, 17, 2, 40), expected, options: {} };
  const [tokens, weights] = await Promise.all(quickChecks.slice(0, 2).map((check) => check.run(context)));
  assert(tokens.tokens.every((c) => c.verdict === "agrees"));
  assert(weights.weights.some((c) => c.verdict === "differs"));
});

Deno.test("the known differences are said of figures that there are", () => {
  const names = new Set([...quickChecks, ...figureSteps].flatMap(({ figures }) => figures));
  for (const { figures, say } of knownDifferences) {
    for (const figure of figures) assert(names.has(figure), figure);
    assertGreater(say.length, 40);
  }
});

Deno.test("inParts() tells several runs as one", () => {
  const seen: [number, number][] = [];
  const part = inParts({ batchSize: 3, onProgress: ({ done, total }) => seen.push([done, total]) }, 3);
  for (let i = 0; i < 3; i++) {
    assertEquals(part(i).batchSize, 3);
    part(i).onProgress!({ done: 5, total: 10, seconds: 1 });
    part(i).onProgress!({ done: 10, total: 10, seconds: 2 });
  }
  assertEquals(seen, [[5, 30], [10, 30], [15, 30], [20, 30], [25, 30], [30, 30]]);
  const quiet = { batchSize: 1 };
  assertEquals(inParts(quiet, 2)(1), quiet);
});
