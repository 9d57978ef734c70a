/**
 * Finds who cleans up after the embedded model's writer, by the rule of lib/experiments/retention/cleaners.ts, and writes cleanup.json
 * beside its weights. The writer is that of the cleanup.json that stands there, or the first argument.
 *
 *     deno run -A data/training/cleanup.ts [L1H6]
 */
import { findNode, loadModel, promptsFor, retention } from "../../lib/mod.ts";
import { LEAST_TAKEN_BACK } from "../../lib/experiments/retention/cleaners.ts";

const PROMPTS = 100, ROTATIONS = 32;

const model = await loadModel();
const [writer = model.cleanup.writer] = Deno.args;
const prompts = await promptsFor(model, { count: PROMPTS });
const { cleaners } = await retention(model, prompts, { writer, rotations: ROTATIONS });
if (cleaners.length === 0) {
  throw new Error(`no later node surely takes back ${LEAST_TAKEN_BACK} of ${writer}'s output and more than of the rotated one`);
}
const after = findNode(model.config, writer).layer;
const heads = cleaners.filter((row) => row.kind === "head");
const layers = [...new Set((heads.length > 0 ? heads : cleaners).map((row) => row.layer))].filter((layer) => layer > after);
const sum = cleaners.reduce((total, row) => total + row.response, 0);
const source = `data/training/cleanup.ts, on ${PROMPTS} held-out prompts with ${ROTATIONS} rotations: the later nodes that take back at least ` +
  `${100 * LEAST_TAKEN_BACK} % of what ${writer} writes, and at least as much more, and surely more, than of its output rotated (95 % interval over prompts). ` +
  `Together their response is ${sum.toFixed(2)} times its output. The patch takes the writer out of the values of their layers.`;
const found = { writer, cleaners: cleaners.map((row) => row.node), patchedLayers: layers, source };
await Deno.writeTextFile(
  new URL("../models/tiny-gelu-4l/cleanup.json", import.meta.url),
  JSON.stringify(found, null, 2) + "\n",
);
console.log(found);
