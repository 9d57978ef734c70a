/**
 * Finds the prompts of Figure 4 for the embedded model, two of prose and two of code, and writes adversarial.json beside its weights.
 *
 *     deno run -A data/training/adversarial.ts
 */
import { selectPrompts } from "../../lib/checkpoints/mod.ts";
import { findAdversarialPrompts, loadModel, promptsFor } from "../../lib/mod.ts";

const model = await loadModel();
const prompts = await promptsFor(model);

const rowsOf = (kind: "prose" | "code") => [...prompts.kinds!.keys()].filter((row) => prompts.kinds![row] === kind);
const accept = {
  prose: (text: string) => /^[A-Za-z ]* [A-Za-z]{4,}$/.test(text), // less often ends inside a word
  code: (text: string) => /^.*[[\](){};].*$/.test(text), // one line
};
const found = [];
for (const kind of ["prose", "code"] as const) {
  const texts = selectPrompts(prompts, rowsOf(kind));
  found.push(...await findAdversarialPrompts(model, texts, { count: 2, accept: accept[kind], contrast: 0.5, candidates: 300 }));
}
const source = "findAdversarialPrompts on the held-out prompts: of prose the first two texts of letters and spaces alone whose last word has four letters or more, of code the first two " +
  "lines with brackets or semicolons, where the other head with the highest DLA loses at least half of it.";
const path = new URL("../models/tiny-gelu-4l/adversarial.json", import.meta.url);
await Deno.writeTextFile(path, JSON.stringify({ prompts: found, source }, null, 2) + "\n");
console.log(found);
