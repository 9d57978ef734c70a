/** The one place that says which measurement is put to the test by power.ts. */
import type { Prompts } from "../../../../lib/checkpoints/mod.ts";
import { retention, type RetentionOptions } from "../../../../lib/experiments/retention/retention.ts";
import type { Model } from "../../../../lib/transformer/model.ts";
import type { Truth } from "./truth.ts";

/** What a measurement says of a model, in the words of its truth. */
export interface Verdict {
  writers: readonly string[];
  cleaners: Readonly<Record<string, readonly string[]>>;
  route: Readonly<Record<string, Truth["route"]>>;
}

/** Least specific erasure of a writer, and least response beyond the control's of a cleaner. */
const ERASED = 0.2, TAKEN = 0.05;

/** `retention` of all nodes on the first half of the prompts; of those that stand out, once more and by route on the other half. */
export async function verdictOf(model: Model, prompts: Prompts): Promise<Verdict> {
  const [first, second] = halves(prompts);
  const options: RetentionOptions = { rotations: 2 };
  const found = (await retention(model, first, { ...options, writer: "all" })).writers
    .filter(({ specific }) => specific!.value >= ERASED && specific!.interval[0] > 0);
  const writers: string[] = [],
    cleaners: Record<string, string[]> = {},
    route: Record<string, Truth["route"]> = {};
  if (found.length === 0) return { writers, cleaners, route };
  const writer = found.map((row) => row.writer);
  const again = await retention(model, second, { ...options, writer });
  const [patterns, values] = [
    await retention(model, second, { ...options, writer, route: "patterns" }),
    await retention(model, second, { ...options, writer, route: "values" }),
  ];
  for (const [i, { writer, left, specific }] of again.writers.entries()) {
    if (!(specific!.value >= ERASED && specific!.interval[0] > 0)) continue;
    writers.push(writer);
    const responses = again.responses.filter((row) => row.writer === writer);
    const control = new Map(responses.filter(({ run }) => run === "control").map((r) => [r.node, r.ratio]));
    cleaners[writer] = responses.filter(({ run, node, ratio, interval }) =>
      run === "writer" && interval[1] < 0 && ratio < control.get(node)! - TAKEN
    ).map(({ node }) => node);
    const [withoutPatterns, withoutScales] = [patterns.writers[i], values.writers[i]];
    const parts = {
      attention: withoutPatterns.left.value - left.value,
      norm: withoutScales.left.value - withoutPatterns.left.value,
      values: withoutScales.specific!.value,
    };
    const routes = Object.keys(parts) as (keyof typeof parts)[];
    route[writer] = routes.reduce((a, b) => parts[b] > parts[a] ? b : a);
  }
  return { writers, cleaners, route };
}

function halves(prompts: Prompts): [Prompts, Prompts] {
  const { tokens, count, length, source } = prompts;
  const half = count >> 1;
  const part = (from: number, to: number) => ({
    tokens: tokens.slice(from * length, to * length),
    count: to - from,
    length,
    source,
  });
  return [part(0, half), part(half, count)];
}
