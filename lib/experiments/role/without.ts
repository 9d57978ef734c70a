/**
 * What the model loses without a node's output, by position and by class of the predicted token: taken out,
 * exchanged for that of another prompt, and, as a control, a rotated vector taken out.
 */
import type { Prompts, Tokenizer } from "../../checkpoints/mod.ts";
import { atPositions, removal } from "../../metrics/retention.ts";
import { rotated, rotation } from "../../metrics/rotation.ts";
import { run, type RunOptions } from "../../tensor/run.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Model } from "../../transformer/model.ts";
import { losses, withNext } from "../next_token_loss.ts";
import { type PromptBootstrap, ratioOf, type Statistic } from "../prompt_bootstrap.ts";
import { cutPrompts } from "../prompt_feeds.ts";
import { shiftedPrompts } from "../shifted_prompts.ts";
import { binsOf } from "./attention.ts";
import type { WithoutRow } from "./rows.ts";

const CLASSES: [name: string, pattern: RegExp][] = [
  ["white space", /^\s+$/],
  ["digit", /^\s*\p{N}/u],
  ["beginning of a word", /^\s\p{L}/u],
  ["part of a word", /^\p{L}/u],
];

/** The class of a token's text; what none of the patterns fits is punctuation and symbols. */
export function classOf(text: string): string {
  return CLASSES.find(([, pattern]) => pattern.test(text))?.[0] ?? "symbols";
}

interface Tokens {
  by: WithoutRow["by"];
  group: string;
  counts(prompt: number, pos: number): boolean;
}

/** All tokens, then bins of positions, then classes of the next token where there is a tokenizer. */
function groupsOf({ tokens, length }: Prompts, bins: number, tokenizer?: Tokenizer): Tokens[] {
  const groups: Tokens[] = [{ by: "all", group: "all", counts: () => true }];
  for (const [from, to] of binsOf(length - 2, bins)) {
    groups.push({ by: "position", group: `${from}–${to}`, counts: (_, pos) => pos >= from && pos <= to });
  }
  if (!tokenizer) return groups;
  const known = new Map<number, string>();
  const classAt = (prompt: number, pos: number) => {
    const id = tokens[prompt * length + pos + 1];
    if (!known.has(id)) known.set(id, classOf(tokenizer.decodeToken(id)));
    return known.get(id)!;
  };
  for (const name of [...CLASSES.map(([name]) => name), "symbols"]) {
    groups.push({ by: "class", group: name, counts: (prompt, pos) => classAt(prompt, pos) === name });
  }
  return groups;
}

/** Rows by group and run. */
export async function withoutRows(
  model: Model,
  prompts: Prompts,
  writer: string,
  bins: number,
  seeds: readonly number[],
  boot: PromptBootstrap,
  options: RunOptions,
): Promise<WithoutRow[]> {
  const clean = model.forward(), other = model.forward({ tokens: model.tokens("other") });
  const next = model.tokens("next");
  const w = clean.node(writer);
  const deltas: Record<string, Tensor> = { removed: w, resampled: w.sub(other.node(writer)) };
  seeds.forEach((seed, i) => deltas[`rotated ${i}`] = rotated(w, rotation(model.config, seed)));
  const outputs: Record<string, Tensor> = { clean: losses(clean, next) };
  for (const [name, delta] of Object.entries(deltas)) {
    outputs[name] = losses(
      model.forward({ hooks: removal(clean, writer, atPositions(delta)) }),
      next,
    );
  }
  const length = prompts.length - 1;
  const fed = { ...withNext(prompts), other: cutPrompts(shiftedPrompts(prompts), 0, length) };
  const values = await run(outputs, fed, options);
  return groupsOf(prompts, bins, model.tokenizer).flatMap(({ by, group, counts }) => {
    const sizes = new Float64Array(prompts.count);
    const sums = Object.fromEntries(
      Object.keys(deltas).map((name) => [name, new Float64Array(prompts.count)]),
    );
    for (let prompt = 0; prompt < prompts.count; prompt++) {
      for (let pos = 1; pos < length; pos++) {
        if (!counts(prompt, pos)) continue;
        sizes[prompt]++;
        const at = prompt * length + pos;
        for (const [name, sum] of Object.entries(sums)) {
          sum[prompt] += values[name].data[at] - values.clean.data[at];
        }
      }
    }
    const n = sizes.reduce((a, b) => a + b);
    if (n === 0) return [];
    const counted = boot.sums(sizes);
    const statistic = (name: string): Statistic => ratioOf(boot.sums(sums[name]), counted);
    const draws = seeds.map((_, i) => statistic(`rotated ${i}`));
    const row = (run: WithoutRow["run"], loss: Statistic) => ({ by, group, run, loss: boot.of(loss), n });
    return [
      row("removed", statistic("removed")),
      row("resampled", statistic("resampled")),
      row("rotated", boot.another(draws)),
    ];
  });
}
