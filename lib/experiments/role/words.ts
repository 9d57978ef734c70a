/**
 * What `role` found, in sentences, each on the condition that makes it true. A thing is said to be so when
 * its interval lies wholly beyond that of the control.
 */
import { above, listed, number, percent } from "../numbers_in_words.ts";
import type { RoleResult } from "./role.ts";
import type { Factor } from "./rows.ts";

/** Named in one sentence. */
const NAMED = 3;
/** Parts of the variance that one factor explains and the others cannot: a large one, and most of it. */
const LARGE = 0.3, MOST = 0.5;
/** Weight on position 0 above which a head is said to rest there; uniform attention never gives more. */
const RESTS = 0.5;

/**
 * Paragraphs: what it says, where it attends, what it depends on, who needs it, what is lost without it.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../../transformer/load.ts";
 * import { role } from "./role.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 4 });
 * const result = await role(model, prompts, { edgePrompts: 0 });
 * console.log(roleInWords(result).join("\n"));
 * ```
 */
export function roleInWords(result: RoleResult): string[] {
  return [vocabulary(result), attention(result), variance(result), edges(result), without(result)]
    .filter((text) => text !== "");
}

const quoted = (token: string) => JSON.stringify(token);

function vocabulary({ writer, vocabulary: rows, chance }: RoleResult): string {
  if (rows.length === 0 || chance.length === 0) return "";
  const top = rows.filter(({ rank }) => rank <= NAMED);
  const said = listed(top.map(({ token, dla }) => `${quoted(token)} (${number(dla.value)})`));
  const largest = Math.max(...chance.map((draw) => draw.largest));
  const beyond = rows[0].dla.interval[0] > largest;
  const first = `On average ${writer} speaks most for ${said}, in logits.`;
  const beside = `The top of the list of the same output, rotated, is at ${
    number(Math.min(...chance.map((draw) => draw.largest)))
  } to ${number(largest)}`;
  return beyond
    ? `${first} ${beside}: so it says something to the vocabulary.`
    : `${first} ${beside}: that its own list says more than any such vector's would is not shown.`;
}

function attention({ writer, attention: rows }: RoleResult): string {
  const first = rows.filter(({ target }) => target === "first");
  if (first.length === 0) return "";
  const [near, far] = [first[0], first.at(-1)!];
  const range = `from ${percent(near.weight.value)} (positions ${near.from} to ${near.to}) to ${
    percent(far.weight.value)
  } (positions ${far.from} to ${far.to})`;
  const falls = near.weight.interval[0] > far.weight.interval[1];
  const rises = far.weight.interval[0] > near.weight.interval[1];
  const changes = falls
    ? "The weight on position 0 falls"
    : rises
    ? "The weight on position 0 rises"
    : "The weight on position 0 goes";
  const rest = first.every(({ weight: { interval: [low] } }) => low > RESTS)
    ? ` So ${writer} rests there.`
    : "";
  return `${changes} ${range}; uniform attention gives ${percent(near.uniform)} and ${
    percent(far.uniform)
  }.${rest}`;
}

const FACTOR: Record<Factor, string> = {
  position: "position",
  token: "the token",
  previous: "the token before",
  prompt: "the prompt",
};

function variance({ writer, variance: rows }: RoleResult): string {
  const all = rows.find(({ factor }) => factor === "all")!;
  const sure = rows.filter((row) => row.factor !== "all" && row.last.interval[0] > row.shuffledLast)
    .sort((a, b) => b.last.value - a.last.value);
  const total = `Position, token, token before and prompt together explain ${
    percent(all.last.value)
  } of the variance of what ${writer} writes`;
  if (sure.length === 0) return `${total}; none of them surely more than shuffled labels.`;
  const shares = sure.map((row) =>
    `${FACTOR[row.factor as Factor]} ${percent(row.last.value)} (shuffled ${percent(row.shuffledLast)})`
  );
  const [first] = sure;
  const [low] = first.last.interval, name = FACTOR[first.factor as Factor];
  const about = low > MOST
    ? ` So it is mostly about ${name}.`
    : low >= LARGE
    ? ` So a large part of it is about ${name}.`
    : "";
  return `${total}. Only with it in the sum: ${listed(shares)}.${about}`;
}

const INPUT = { Q: "the queries of", K: "the keys of", V: "the values of", MLP: "" };

/** Of so many differences that are none, those whose interval lies above 0. */
const byChance = (count: number) => {
  const expected = Math.round(count * 0.025);
  return expected < 1 ? "hardly one" : `about ${expected}`;
};

function edges({ writer, edges: rows }: RoleResult): string {
  if (rows.length === 0) return "";
  const needed = rows.filter(({ more, loss }) => above(more) && above(loss))
    .sort((a, b) => b.loss.value - a.loss.value);
  const inputs = rows.length;
  const patterns = rows.filter(({ pattern, patternControl }) =>
    pattern && patternControl && pattern.interval[0] > patternControl.interval[1]
  );
  const moved = patterns.length > 0
    ? ` It decides where heads look: without it the pattern of ${patterns.length} of ${
      rows.filter(({ pattern }) => pattern).length
    } queries and keys surely changes more than without the rotated output.`
    : "";
  if (needed.length === 0) {
    return `No single input of ${inputs} surely needs ${writer} more than the rotated output.${moved}`;
  }
  const said = needed.slice(0, NAMED).map(({ reader, input, loss, control }) =>
    `${INPUT[input]} ${reader} (${number(loss.value, 3)} nats, rotated ${number(control.value, 3)})`.trim()
  );
  const count = needed.length === 1 ? "One" : `${needed.length}`;
  return `${count} of ${inputs} inputs ${
    needed.length === 1 ? "needs" : "need"
  } ${writer} more than any such vector (each held to its own 95 %: by chance ${
    byChance(inputs)
  } would pass), most of all ${listed(said)}.${moved}`;
}

function without({ writer, without: rows }: RoleResult): string {
  const row = (by: string, group: string, run: string) =>
    rows.find((r) => r.by === by && r.group === group && r.run === run)!;
  if (rows.length === 0) return "";
  const [own, turned] = [row("all", "all", "removed"), row("all", "all", "rotated")];
  const beyond = own.loss.interval[0] > turned.loss.interval[1];
  const first =
    `Without ${writer} the loss is ${number(own.loss.value, 3)} nats a token higher, without a rotated ` +
    `vector ${number(turned.loss.value, 3)}${
      beyond ? ", surely less." : ": that it is needed for what it says is not shown over all tokens."
    }`;
  const classes = rows.filter(({ by, run }) => by === "class" && run === "removed")
    .sort((a, b) => b.loss.value - a.loss.value);
  if (classes.length < 2) return first;
  const [most, least] = [classes[0], classes.at(-1)!];
  const control = ({ group }: typeof most) => row("class", group, "rotated").loss;
  const { interval: [low] } = most.loss;
  if (low <= 0 || low <= least.loss.interval[1] || low <= control(most).interval[1]) return first;
  const said = (one: typeof most) =>
    `${one.group} (${number(one.loss.value, 3)}, a rotated vector ${number(control(one).value, 3)})`;
  return `${first} It matters most for ${said(most)}, least for ${said(least)}.`;
}
