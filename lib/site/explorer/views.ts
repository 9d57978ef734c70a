/**
 * The code of each view: what runs is what is shown, and it runs in a notebook as it stands. Texts of the
 * reader stand in it as JSON, so that they are nothing but texts.
 */
import type { State, View } from "./state.ts";

interface Described {
  title: string;
  /** What is seen, in a sentence or two. */
  about: string;
  /** Which of the choices matter. */
  uses: readonly ("writer" | "head" | "position" | "answers")[];
  code(state: State): string;
}

const text = (value: string) =>
  JSON.stringify(value).replace(/[\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`);

/** Loads the model and makes the prompt, for what the view needs besides. */
const head = (imports: string[], { prompt }: State) =>
  `import { ${["feed", "loadModel", "run", ...imports].sort().join(", ")} } from "../lib/mod.ts";

const model = await loadModel("tiny-gelu-4l");
const prompt = model.prompts([${text(prompt)}]);
const decode = (id: number) => model.tokenizer!.decodeToken(id);
const tokens = [...prompt.tokens].map((id, i) => \`\${i}:\${decode(id)}\`);
`;

const at = ({ position }: State) => position === undefined ? "prompt.length - 1" : String(position);

export const DESCRIBED: Readonly<Record<View, Described>> = {
  tokens: {
    title: "Tokens and predictions",
    about:
      "The prompt in the model's own pieces, and after each the token that the model takes for most probable next.",
    uses: [],
    code: (state) =>
      `${head(["table"], state)}
const top = model.forward().logProbabilities().exp().topK("d_vocab", 3);
const { values, ids } = await run({ values: top.values, ids: top.indices }, feed(prompt));
const next = (i: number, pos: number) => {
  const one = { batch: 0, pos, d_vocab: i };
  return \`\${JSON.stringify(decode(ids.at(one)))} \${(100 * values.at(one)).toFixed(0)} %\`;
};
await table(
  tokens.map((token, pos) => ({ token, next: next(0, pos), second: next(1, pos), third: next(2, pos) })),
  { limit: 300 },
);`,
  },
  attribution: {
    title: "Attribution, and what is taken back",
    about:
      "Direct logit attribution (DLA) credits each node with a part of the difference between two logits. What do later nodes take back of the writer's part, and by how much does the difference really fall without the writer?",
    uses: ["writer", "position", "answers"],
    code: ({ prompt, writer, position, answers }) => {
      const options = [
        ...(answers ? [`answers: [${answers.map(text).join(", ")}]`] : []),
        ...(position === undefined ? [] : [`position: ${position}`]),
        "samples: 0",
      ].join(", ");
      return `import { attributionInWords, attributionWaterfall, checkAttribution } from "../lib/mod.ts";
import { loadModel, show, table } from "../lib/mod.ts";

const model = await loadModel("tiny-gelu-4l");
const text = ${text(prompt)};
const check = await checkAttribution(model, text, { nodes: [${text(writer)}], ${options} });
console.log(attributionInWords(check).join("\\n\\n"));
await table(check.terms.toSorted((a, b) => b.size - a.size).slice(0, 12).map(({ name, mean }) => ({ node: name, DLA: mean })));
const { rows: [row], steps } = check;
const title = check.answers!.map(({ token }) => JSON.stringify(token)).join(" against ");
await show(attributionWaterfall([{ row, steps, title: \`${writer}: \${title}\` }]), { name: "attribution", rows: [row] });`;
    },
  },
  retention: {
    title: "What is left of the writer's output",
    about:
      "Retention at each location and position: 1, all of the output is still in the stream; 0, nothing is left along it. Measured by taking the output out of the run. Position 0 is left alone.",
    uses: ["writer"],
    code: (state) =>
      `${head(["atPositions", "grid", "laterLocations", "removal", "retained", "show"], state)}
const clean = model.forward();
const writer = ${text(state.writer)};
const delta = atPositions(clean.node(writer));
const without = model.forward({ hooks: removal(clean, writer, delta) });
const places = laterLocations(model.config, writer);
const asked = Object.fromEntries(
  places.map(({ location, hook }) => [location, retained(clean, without, delta, hook)]),
);
const left = await run(asked, feed(prompt));
const rows = places.flatMap(({ location }) =>
  tokens.slice(1).map((column, i) => ({ row: location, column, value: left[location].at({ batch: 0, pos: i + 1 }) }))
);
const labels = { row: "where in the stream", column: "position and token", value: "retention" };
await show(grid(rows, { title: \`What is left of \${writer}\`, labels, limit: 1 }), { name: "retention", rows });`,
  },
  attention: {
    title: "Where a head looks",
    about:
      "The attention pattern of one head: from each position (row), how much it looks at each earlier one (column). Rows add up to 1.",
    uses: ["head"],
    code: (state) => {
      const [, layer, number] = /^L(\d+)H(\d+)$/.exec(state.head)!;
      return `${head(["grid", "show"], state)}
const pattern = model.forward().hook("blocks.${layer}.attn.hook_pattern").select("head", ${number});
const { seen } = await run({ seen: pattern }, feed(prompt));
const rows = tokens.flatMap((row, query) =>
  tokens.slice(0, query + 1).map((column, key) => ({ row, column, value: seen.at({ batch: 0, query, key }) }))
);
const labels = { row: "from", column: "to", value: "attention" };
await show(grid(rows, { title: "Attention of ${state.head}", labels, limit: 1 }), { name: "attention", rows });`;
    },
  },
  removal: {
    title: "Without the writer",
    about:
      "The model runs once as it is and once without the writer's output (position 0 keeps it). Which next tokens gain, which lose?",
    uses: ["writer", "position"],
    code: (state) =>
      `${head(["atPositions", "removal", "table"], state)}
const at = ${at(state)};
const writer = ${text(state.writer)};
const clean = model.forward();
const without = model.forward({ hooks: removal(clean, writer, atPositions(clean.node(writer))) });
const logits = await run({
  clean: clean.logits.select("pos", at),
  without: without.logits.select("pos", at),
  before: clean.logProbabilities().select("pos", at),
  after: without.logProbabilities().select("pos", at),
}, feed(prompt));
const all = Array.from(logits.clean.data, (clean, id) => ({
  next: JSON.stringify(decode(id)),
  logit: clean,
  [\`without \${writer}\`]: logits.without.data[id],
  change: logits.without.data[id] - clean,
  "probability %": 100 * Math.exp(logits.before.data[id]),
  "then %": 100 * Math.exp(logits.after.data[id]),
}));
console.log(\`After \${tokens.slice(Math.max(0, at - 5), at + 1).join(" · ")}: the ten most probable next tokens.\`);
await table(all.toSorted((a, b) => b.logit - a.logit).slice(0, 10), { digits: 2 });`,
  },
};
