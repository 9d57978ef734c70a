// checkAttribution() against the plain forward pass in loops, run again without the node's output or its
// rotations; its identities in every family; and what it refuses.
import { assert, assertAlmostEquals, assertEquals, assertRejects } from "@std/assert";
import type { Prompts } from "../../../lib/checkpoints/mod.ts";
import {
  type AttributionOptions,
  checkAttribution,
} from "../../../lib/experiments/attribution/check_attribution.ts";
import { attentionOf } from "../../../lib/checkpoints/blocks.ts";
import { outputSize } from "../../../lib/checkpoints/config.ts";
import { laterNodes } from "../../../lib/metrics/later_nodes.ts";
import { rotationMatrix } from "../../../lib/metrics/rotation.ts";
import { loadModel } from "../../../lib/transformer/load.ts";
import { Model } from "../../../lib/transformer/model.ts";
import { modelNodes } from "../../../lib/transformer/nodes.ts";
import type { Plain } from "../../reference/plain_forward.ts";
import { folderOf, recordedNames } from "../../transformer/families/recorded.ts";
import {
  currentWeights,
  embeddedPrompts,
  randomPrompts,
  rows as tokenRows,
} from "../../transformer/models.ts";
import { dot, letterModel, letters, mean, minus, plainRun, vector } from "../plain_values.ts";

const NODE = "L0H1", LAYER = 0;

/** What a node writes at one position, by its name. */
function output(values: Map<string, Plain>, name: string, pos: number, row = 0): Float64Array {
  const [, layer, head] = /^L(\d)H(\d)$/.exec(name) ?? [];
  if (head) return vector(values.get(`blocks.${layer}.attn.hook_result`)!, row, pos, Number(head)).slice();
  return vector(values.get(`blocks.${name.slice(3)}.hook_mlp_out`)!, row, pos).slice();
}

/** One prompt in loops: DLA along the two answers, and runs without a vector at each position. */
function byHand(model: Model, tokens: number[], [a, b]: [number, number]) {
  const clean = plainRun(model, [tokens]);
  const weights = currentWeights(model);
  const { d_model: D, d_vocab: V } = model.config;
  const W_U = weights.get("unembed.W_U")!, w = weights.get("ln_final.w") ?? new Float32Array(D).fill(1);
  const direction = Float64Array.from({ length: D }, (_, m) => w[m] * (W_U[m * V + a] - W_U[m * V + b]));
  const dla = (c: Float64Array, pos: number) => {
    const [s] = vector(clean.get("ln_final.hook_scale")!, 0, pos), m = mean([...c]);
    return dot(c.map((x) => (x - m) / s), direction);
  };
  const difference = (values: Map<string, Plain>, pos: number) => {
    const logits = vector(values.get("logits")!, 0, pos);
    return logits[a] - logits[b];
  };
  /**
   * Without `delta(pos)` in what L0H1 adds, at position `pos`: DLA of what is left, the later nodes' steps,
   * the effect.
   */
  const without = (delta: (pos: number) => Float64Array, pos: number) => {
    const edit = (value: Plain) => {
      for (let t = 0; t < tokens.length; t++) {
        const row = vector(value, 0, t), d = delta(t);
        d.forEach((x, m) => row[m] -= x);
      }
    };
    const values = plainRun(model, [tokens], { edits: { [`blocks.${LAYER}.hook_attn_out`]: edit } });
    const end = (of: Map<string, Plain>) => vector(of.get("blocks.1.hook_resid_post")!, 0, pos).slice();
    return {
      dla: dla(delta(pos), pos),
      left: dla(minus(end(clean), end(values)), pos),
      steps: laterNodes(model.config, NODE).map(({ name }) =>
        dla(minus(output(clean, name, pos), output(values, name, pos)), pos)
      ),
      effect: difference(clean, pos) - difference(values, pos),
    };
  };
  return { clean, dla, difference, without, none: new Float64Array(D) };
}

const turned = (Q: Float64Array, w: Float64Array) =>
  w.map((_, i) => dot(Q.subarray(i * w.length, (i + 1) * w.length), w));

for (const processed of [true, false]) {
  Deno.test(`checkAttribution() of a text, by loops, ${processed ? "processed" : "stored"} weights`, async () => {
    const model = letterModel(31, processed);
    const tokens = letters.encode("cabbage", { prependBos: true }), last = tokens.length - 1;
    const unrelated = randomPrompts(model, 12, 4, 9);
    const hand = byHand(model, tokens, [5, 7]);
    for (const removedAt of ["rest", "all", "position"] as const) {
      const { rows: [row], steps, sum, answers } = await checkAttribution(model, "cabbage", {
        answers: ["f", "h"],
        nodes: [NODE],
        removedAt,
        rotations: 5,
        seed: 3,
        unrelated,
        samples: 3,
      });
      const counts = (t: number) => removedAt === "all" || (removedAt === "rest" ? t > 0 : t === last);
      const w = (t: number) => counts(t) ? output(hand.clean, NODE, t) : hand.none;
      const own = hand.without(w, last);
      assertEquals(answers!.map(({ id }) => id), [5, 7]);
      assertAlmostEquals(sum.logitDifference, hand.difference(hand.clean, last), 1e-5);
      assertAlmostEquals(row.dla, own.dla, 1e-5);
      assertAlmostEquals(row.left.logits, own.left, 1e-5);
      assertAlmostEquals(row.takenBack.logits, own.left - own.dla, 1e-5);
      assertAlmostEquals(row.effect.logits, own.effect, 1e-5);
      assertAlmostEquals(row.finalScale.logits, own.effect - own.left, 1e-5);
      steps.forEach((step, i) => assertAlmostEquals(step.logits, own.steps[i], 1e-5));

      const draws = Array.from({ length: 5 }, (_, i) => {
        const Q = rotationMatrix(model.config, 3 + i);
        return hand.without((t) => turned(Q, w(t)), last);
      });
      const square = draws.reduce((s, { dla }) => s + dla * dla, 0);
      const slope = (y: (draw: typeof own) => number) =>
        draws.reduce((s, draw) => s + draw.dla * y(draw), 0) / square;
      assertAlmostEquals(row.controlDla!, Math.sqrt(square / 5), 1e-5);
      assertAlmostEquals(row.left.control!, slope((d) => d.left), 1e-4);
      assertAlmostEquals(row.effect.control!, slope((d) => d.effect), 1e-4);
      steps.forEach((step, i) => assertAlmostEquals(step.control!, slope((d) => d.steps[i]), 1e-4));
      const spread = Math.sqrt(
        draws.reduce((s, d) => s + (d.effect - slope((x) => x.effect) * d.dla) ** 2, 0) / 4,
      );
      const [low, high] = row.effect.controlInterval!;
      assertAlmostEquals((high - low) / 2, 2 * spread * Math.sqrt(1 / row.dla ** 2 + 1 / square), 1e-3);

      const others = plainRun(model, tokenRows(unrelated).slice(0, 3).map((t) => t.slice(0, tokens.length)));
      const exchanged = Array.from({ length: 3 }, (_, i) => ({
        kept: hand.dla(output(others, NODE, last, i), last),
        ...hand.without((t) => counts(t) ? minus(w(t), output(others, NODE, t, i)) : hand.none, last),
      }));
      assertAlmostEquals(row.resampled!.kept, mean(exchanged.map(({ kept }) => kept)), 1e-5);
      assertAlmostEquals(row.resampled!.effect, mean(exchanged.map(({ effect }) => effect)), 1e-5);
      const ratio = exchanged.reduce((s, e) => s + e.dla * e.effect, 0) /
        exchanged.reduce((s, e) => s + e.dla * e.dla, 0);
      assertAlmostEquals(row.resampled!.exchanged, ratio, 1e-4);
    }
  });
}

Deno.test("checkAttribution() of prompts pools all positions but 0, by loops", async () => {
  const model = letterModel(32);
  const prompts = randomPrompts(model, 5, 3, 6);
  const { rows: [row], steps, sum } = await checkAttribution(model, prompts, {
    answers: [4, 9],
    nodes: [NODE],
    rotations: 2,
    seed: 8,
    batchSize: 2,
  });
  const all = [undefined, 8, 9].map((seed) =>
    tokenRows(prompts).flatMap((tokens) => {
      const hand = byHand(model, tokens, [4, 9]);
      const Q = seed === undefined ? undefined : rotationMatrix(model.config, seed);
      const w = (t: number) => t === 0 ? hand.none : output(hand.clean, NODE, t);
      return [1, 2, 3, 4, 5].map((pos) => ({
        ...hand.without((t) => Q ? turned(Q, w(t)) : w(t), pos),
        difference: hand.difference(hand.clean, pos),
      }));
    })
  );
  type Values = (typeof all)[number];
  const slope = (of: Values, y: (one: Values[number]) => number) =>
    of.reduce((s, one) => s + one.dla * y(one), 0) / of.reduce((s, one) => s + one.dla ** 2, 0);
  const [own, ...draws] = all;
  assertEquals(row.n, 15);
  assertAlmostEquals(row.dla, Math.sqrt(mean(own.map(({ dla }) => dla ** 2))), 1e-5);
  assertAlmostEquals(sum.logitDifference, mean(own.map(({ difference }) => difference)), 1e-5);
  for (const [credit, y] of [[row.left, "left"], [row.effect, "effect"]] as const) {
    assertAlmostEquals(credit.share, slope(own, (one) => one[y]), 1e-4);
    assertAlmostEquals(credit.logits, credit.share * row.dla, 1e-9);
    assertAlmostEquals(credit.control!, mean(draws.map((draw) => slope(draw, (one) => one[y]))), 1e-4);
    const [low, high] = credit.interval!;
    assert(low <= credit.share && credit.share <= high && low < high);
  }
  steps.forEach((step, i) => assertAlmostEquals(step.share, slope(own, (one) => one.steps[i]), 1e-4));
  assertAlmostEquals(row.specific!.value, row.left.share * -1 + row.left.control!, 1e-9);
});

/** Whether a later layer's b_O answers too: where attention has both biases and a norm on what it writes. */
function biasAnswers({ config, weights }: Model): boolean {
  return Array.from({ length: config.n_layers }, (_, layer) => attentionOf(config, layer)).some((branch) =>
    branch.postNorm !== undefined && weights.get(branch.output[1])!.data.some((x: number) => x !== 0)
  );
}

Deno.test("the steps of later nodes lead from DLA to what is left, in every family", async () => {
  const apart: string[] = [];
  for (const name of recordedNames) {
    const model = await loadModel(folderOf(name));
    if (outputSize(model.config) === 0) continue; // a base model has no logits
    const all = modelNodes(model.config).map((node) => node.name);
    const nodes = [all[0], "L0H1", "L1H0", all.at(-1)!];
    const prompts = randomPrompts(model, 4, 2, 7);
    const { rows, steps } = await checkAttribution(model, prompts, { nodes, rotations: 0, samples: 0 });
    assertEquals(rows.map(({ node }) => node), nodes);
    if (biasAnswers(model)) apart.push(name);
    for (const { node, dla, takenBack, left, finalScale, effect } of rows) {
      const sum = steps.filter((step) => step.node === node).reduce((s, { logits }) => s + logits, 0);
      const scale = 1e-4 * Math.max(1, Math.abs(dla), Math.abs(left.logits));
      if (!biasAnswers(model)) assertAlmostEquals(takenBack.logits, sum, scale, `${name} ${node}`);
      assertAlmostEquals(left.logits, dla + takenBack.logits, scale);
      assertAlmostEquals(effect.logits, left.logits + finalScale.logits, scale);
    }
  }
  assert(apart.length < 4, `only a few families have such biases: ${apart}`);
});

const model = await loadModel();
const prompts = await embeddedPrompts(4, 24);
const { text } = model.adversarial.prompts[0];

Deno.test("by default the nodes with the largest DLA are checked, of a text on its two most probable answers", async () => {
  const check = await checkAttribution(model, text, { most: 3, rotations: 2, samples: 2 });
  assertEquals(check.answers!.map(({ rank }) => rank), [1, 2]);
  const nodes = new Set(modelNodes(model.config).map(({ name }) => name));
  const largest = check.terms.filter(({ name }) => nodes.has(name)).sort((a, b) => b.size - a.size).slice(
    0,
    3,
  );
  assertEquals(check.rows.map(({ node }) => node), largest.map(({ name }) => name));
  largest.forEach(({ mean }, i) => assertAlmostEquals(mean, check.rows[i].dla, 1e-5));
  assertAlmostEquals(check.sum.sum, check.sum.logitDifference, 1e-4);
  assert(check.assumptions.resampled.includes("2 texts"));
});

Deno.test("a position in the text is the end of the text up to there; of prompts, it alone is looked at", async () => {
  const options = { answers: [5, 6] as const, nodes: ["MLP1"], rotations: 0, samples: 0 };
  const { tokens } = model.prompts([text]);
  const cut = { tokens: tokens.slice(0, 4), count: 1, length: 4, source: "cut" };
  const [whole, early] = await Promise.all([
    checkAttribution(model, text, { ...options, position: 3 }),
    checkAttribution(model, cut, { ...options, position: 3 }),
  ]);
  assertEquals(whole.rows, early.rows);
  const many = await checkAttribution(model, prompts, { ...options, position: 20 });
  assertEquals(many.rows[0].n, 4);
});

Deno.test("the same seed gives the same rows, another one another control and the same of all else", async () => {
  const [a, b, c] = await Promise.all(
    [1, 1, 2].map((seed) => checkAttribution(model, prompts, { seed, nodes: ["L1H1"], rotations: 1 })),
  );
  assertEquals(a.rows, b.rows);
  assertEquals(a.rows[0].effect.share, c.rows[0].effect.share);
  assert(Math.abs(a.rows[0].effect.control! - c.rows[0].effect.control!) > 1e-3);
});

Deno.test("pos_embed is the same on every prompt: resampled, its DLA is kept and nothing changes", async () => {
  const { rows: [row] } = await checkAttribution(model, text, { nodes: ["pos_embed"], samples: 3 });
  assertAlmostEquals(row.resampled!.kept, row.dla, 1e-6);
  assertAlmostEquals(row.resampled!.effect, 0, 1e-5);
});

Deno.test("what the model or the prompts do not give is left out and said", async () => {
  const bare = new Model({
    ...model,
    weights: model.weights,
    promptSource: undefined,
    tokenizer: model.tokenizer,
  });
  const without = await checkAttribution(bare, text, { nodes: ["L1H1"], rotations: 0 });
  assertEquals(without.rows[0].resampled, undefined);
  assertEquals(without.rows[0].left.control, undefined);
  assert(without.assumptions.resampled.includes("the model comes with no prompts"));
  const one = await embeddedPrompts(1, 24);
  const single = await checkAttribution(model, one, { nodes: ["L1H1"], rotations: 2 });
  assertEquals([single.rows[0].resampled, single.rows[0].effect.interval], [undefined, undefined]);
  assert(single.assumptions.resampled.includes("a single prompt"));
});

Deno.test("checkAttribution() refuses what it cannot mean", async () => {
  const refused = (from: string | Prompts, options: Record<string, unknown>, message: string) =>
    assertRejects(() => checkAttribution(model, from, options as AttributionOptions), Error, message);
  await refused(text, { anwsers: [" a", " b"] }, 'there is no option "anwsers". Did you mean "answers"?');
  await refused(text, { answers: [" a"] }, 'got answers [" a"]; expected two');
  await refused(text, { answers: " a, b" }, 'got answers " a, b"; expected two');
  await refused(text, { answers: [" the", "the same thing"] }, "tokens (");
  await refused(text, { answers: [" the", "the same thing"] }, "expected one (mind the space in front)");
  await refused(text, { answers: ["", " a"] }, 'answer "": got 0 tokens; expected one');
  await refused(text, { answers: [" the", " the"] }, "both answers are token");
  await refused(text, { answers: [3, 4096] }, "got answer id 4096; expected a whole number below 4096");
  await refused(text, { nodes: ["L9H0"] }, 'no node "L9H0"');
  await refused(text, { nodes: [] }, "got [] for nodes; expected a list of names, at least one, each once");
  await refused(text, { nodes: "L1H6" } as never, 'got "L1H6" for nodes; expected a list of names');
  await refused(5 as never, {}, "textOrPrompts: got 5; expected a text in quotes, or prompts");
  await refused(text, null as never, "got null as options");
  await refused(text, { nodes: ["MLP0", "MLP0"] }, "each once");
  await refused(
    text,
    { removedAt: "everywhere" },
    'there is no removedAt "everywhere"; there are rest, all, position',
  );
  await refused(prompts, { removedAt: "position" }, "needs one position to look at");
  await refused(text, { most: 0 }, "got 0 for most; expected a whole number of at least 1");
  await refused(text, { rotations: 1.5 }, "got 1.5 for rotations");
  await refused(text, { samples: -1 }, "got -1 for samples");
  await refused(text, { position: 0 }, "got position 0; expected 1 …");
  await refused(text, { position: 99 }, "got position 99; expected 1 …");
  await refused("", {}, "got 1 token; expected at least 2, since position 0 is a class of its own");
  await refused("word ".repeat(300), {}, "are longer than the model's context of 256");
  await refused(prompts, { unrelated: prompts }, "option unrelated is for a text");
  await refused(text, { unrelated: "hello" }, 'unrelated: got "hello"; expected prompts to resample from');
  await refused(text, { unrelated: model.prompts([text]) }, "the unrelated texts are the text itself");
  await refused(
    text,
    { unrelated: { ...prompts, tokens: prompts.tokens.slice(0, 2), count: 1, length: 2 } },
    "the unrelated texts have 2 tokens, the text that is asked about",
  );
  const mute = new Model({ ...model, weights: model.weights, tokenizer: undefined });
  await assertRejects(() => checkAttribution(mute, text), Error, "has no tokenizer.json");
  await assertRejects(
    () => checkAttribution(mute, prompts, { answers: [" a", " b"] }),
    Error,
    "as token ids",
  );
});
