/** What the explorer shows, and the link that restores it: everything stands in the address, after "#". */

export const VIEWS = ["tokens", "attribution", "retention", "attention", "removal"] as const;
export type View = typeof VIEWS[number];

export interface State {
  view: View;
  prompt: string;
  /** The node that is looked at: the writer. */
  writer: string;
  /** The head whose attention is shown. */
  head: string;
  /** The position that is asked about, from 0; undefined: the last. */
  position?: number;
  /** Two tokens as text; undefined: the two most probable. */
  answers?: [string, string];
}

/** What is chosen where the address says nothing. @param nodes and heads: names that the model has */
export function parseState(hash: string, defaults: State, nodes: readonly string[]): State {
  const fields = new URLSearchParams(hash.replace(/^#/, ""));
  const one = <T extends string>(name: string, known: readonly T[], otherwise: T): T =>
    known.find((each) => each === fields.get(name)) ?? otherwise;
  const heads = nodes.filter((name) => /^L\d+H\d+$/.test(name));
  const position = fields.get("position") ?? "";
  const answers = fields.getAll("answer");
  return {
    view: one("view", VIEWS, defaults.view),
    prompt: fields.get("prompt") ?? defaults.prompt,
    writer: one("writer", nodes, defaults.writer),
    head: one("head", heads, defaults.head),
    ...(/^\d{1,5}$/.test(position) ? { position: Number(position) } : {}),
    ...(answers.length === 2 && answers.every(Boolean) ? { answers: [answers[0], answers[1]] } : {}),
  };
}

export function hashOf({ view, prompt, writer, head, position, answers }: State): string {
  const fields = new URLSearchParams({ view, prompt, writer, head });
  if (position !== undefined) fields.set("position", String(position));
  for (const answer of answers ?? []) fields.append("answer", answer);
  return `#${fields}`;
}
