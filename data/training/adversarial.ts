/**
 * Finds the prompts of Figure 4 for the embedded model, two of prose and two of code, and writes adversarial.json beside its weights.
 *
 *     deno run -A data/training/adversarial.ts
 */
import { selectPrompts } from "../../lib/checkpoints/mod.ts";
import { findAdversarialPrompts, loadModel, promptsFor } from "../../lib/mod.ts";

/** By how many logits the first answer must lead the second. */
const LEAD = 0.5;

const model = await loadModel();
const prompts = await promptsFor(model);

const rowsOf = (kind: "prose" | "code") => [...prompts.kinds!.keys()].filter((row) => prompts.kinds![row] === kind);
const accept = {
  prose: (text: string) => /^[A-Z][A-Za-z', ]* [a-z]{2,}$/.test(text), // words, commas and apostrophes
  code: (text: string) => /^[^\n]*[[\](){};][^\n]*$/.test(text), // one line
};
/** How the model's two first answers must begin: as a new word or a sign in prose, so that the last word of the text is a whole one. */
const answers = { prose: /^( [A-Za-z]|[.,;:])/, code: /\S/ };

async function leading(text: string): Promise<{ lead: number; top: string[] }> {
  const { logits } = await model.runWithCache(model.prompts([text]), []);
  const last = [...logits.data.slice(-model.config.d_vocab)];
  const order = last.map((value, id) => ({ value, id })).sort((a, b) => b.value - a.value);
  return { lead: order[0].value - order[1].value, top: order.slice(0, 2).map(({ id }) => model.tokenizer!.decodeToken(id)) };
}

const found = [];
for (const kind of ["prose", "code"] as const) {
  const texts = selectPrompts(prompts, rowsOf(kind));
  const misleading = await findAdversarialPrompts(model, texts, { count: 16, accept: accept[kind], contrast: 0.5, candidates: 250, lengths: [8, 10, 12, 14] });
  const kept = [];
  for (const prompt of misleading) {
    const { lead, top } = await leading(prompt.text);
    const fits = lead >= LEAD && top.every((answer) => answers[kind].test(answer));
    console.log(`${fits ? "*" : " "} ${kind} ${lead.toFixed(2)} ${JSON.stringify(prompt.text)} ${JSON.stringify(top)}`);
    if (fits) kept.push(prompt);
  }
  found.push(...kept.slice(0, 2));
}
const source = "data/training/adversarial.ts (findAdversarialPrompts on the held-out prompts): the first two of prose, whose last word is a whole one for the model, and the first two lines of code, where the model's " +
  `first answer leads by at least ${LEAD} logits, ${model.cleanup.writer}'s DLA stays within a tenth when its input is resampled, and the other head with the highest DLA loses at least half of it.`;
const path = new URL("../models/tiny-gelu-4l/adversarial.json", import.meta.url);
await Deno.writeTextFile(path, JSON.stringify({ prompts: found, source }, null, 2) + "\n");
console.log(found);
