/**
 * What a scan found, in sentences: the beginning of the report, of the terminal's output and of the notebook.
 * Each sentence is printed on the condition that makes it true; where a condition does not hold, another
 * sentence says what does.
 */
import { ranked } from "../retention/cleaners.ts";
import { estimate, listed, number, percent, threshold } from "../numbers_in_words.ts";
import { isWide, UNEXAMINED } from "./candidates.ts";
import type { ExaminedWriter } from "./examine.ts";
import { foundWriters, type ScanResult } from "./scan.ts";

/**
 * A writer whose output is the same at a position in all prompts to at least this part is called positional.
 */
export const SHARED = 0.7;
/** A route is named when it carries at least this part of the specific erasure. */
export const ROUTE = 0.6;
/** Mean |DLA|, in logits, below which nothing is said of it. */
const LITTLE = 0.005;
/** Median retention and that of all that is written are told apart from this difference on. */
const APART = 0.15;
/** Level of the tests of attribution, adjusted for the writers that were found. */
const LEVEL = 0.05;
/** Cleaners named in a sentence; the table has them all. */
const NAMED = 4;

/**
 * Paragraphs: what was found, one for each writer, then what is true of the model as a whole.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../../transformer/load.ts";
 * import { scan } from "./scan.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 32, length: 32 });
 * const result = await scan(model, prompts, { settings: { examine: 1, rotations: 2 } });
 * console.log(inWords(result).join("\n"));
 * ```
 */
export function inWords(result: ScanResult): string[] {
  return [
    overview(result),
    ...foundWriters(result).map((writer) => describeWriter(writer)),
    ...modelInWords(result),
  ];
}

/** How many writers, out of how many nodes. */
export function overview(result: ScanResult): string {
  const { writers, passedOver, settings: { specific } } = result;
  const nodes = writers.length + passedOver.length;
  const found = foundWriters(result);
  const left = passedOver.filter((c) => c.passedOver?.startsWith(UNEXAMINED)).length;
  const more = left === 0
    ? ""
    : ` ${left} more ${left === 1 ? "node" : "nodes"} lost ${
      threshold(specific / 2)
    } or more beyond the control of the layer on the ` +
      `first half and ${left === 1 ? "was" : "were"} not examined: ${
        left === 1
          ? "it has less of the stream erased, and may be a writer"
          : "they have less of the stream erased, and writers may be among them"
      } (setting “examine”).`;
  if (found.length > 0) {
    const names = listed(found.slice(0, 8).map((w) => w.writer)) + (found.length > 8 ? " and others" : "");
    const below = found.filter((w) => w.specific.interval[0] < specific).map((w) => w.writer);
    const unsure = below.length === 0
      ? ""
      : ` All are surely erased beyond the control, but of ${listed(below)} the interval reaches below ${
        threshold(specific)
      }.`;
    return `${
      found.length === 1 ? "One node writes" : `${found.length} nodes write`
    } what is specifically erased ` +
      `(by ${threshold(specific)} or more beyond the control): ${names}.${unsure}${more}`;
  }
  const examined = writers.length === 0
    ? `None of ${nodes} nodes lost enough more than its layer's control to be examined.`
    : `Of ${nodes} nodes ${writers.length} ${writers.length === 1 ? "was" : "were"} examined; ` +
      `the largest specific erasure is ${estimate(largest(writers).specific)}.`;
  return `No clean-up was found. ${examined}${more}`;
}

function largest(writers: readonly ExaminedWriter[]): ExaminedWriter {
  return writers.reduce((a, b) => b.specific.value > a.specific.value ? b : a);
}

/** One writer that was found. */
export function describeWriter(writer: ExaminedWriter): string {
  return [
    leftInWords(writer),
    amongPeers(writer),
    byLength(writer),
    erasersInWords(writer),
    routeInWords(writer),
    positionalInWords(writer),
    attributionInWords(writer),
  ]
    .filter(Boolean).join(" ");
}

/** The same in one sentence, for a table. */
export function oneSentence(writer: ExaminedWriter): string {
  const { cleaners, specific, specificRatio, left, leftByLength, attribution, shared, writer: name } = writer;
  const [first] = ranked(cleaners).all;
  const by = !first || specificRatio <= 0
    ? ""
    : first.specific.value > specificRatio
    ? `; ${first.node} takes back more than that, and others give some of it back`
    : `; ${first.node} takes back ${
      percent(first.specific.value / specificRatio)
    } of what is taken back beyond that`;
  const otherwise = Math.abs(left.value - leftByLength.value) >= APART
    ? ` at the typical token (${estimate(leftByLength)} of all that it writes)`
    : "";
  const said = name !== "pos_embed" && shared >= SHARED
    ? `; ${percent(shared)} of it is the same at a position in all prompts`
    : "";
  const dla = !attribution || attribution.meanAbsolute < LITTLE
    ? ""
    : attribution.beyond.interval[0] > 0 && attribution.q <= LEVEL
    ? "; more of its attribution is taken back than of the control's"
    : "; no clear difference from the control in what is taken back of its attribution";
  return `${number(left.value)} of it is left${otherwise}, ${
    number(specific.value)
  } less than of it rotated${by}${said}${dla}.`;
}

function leftInWords({ writer, left, control, specific }: ExaminedWriter): string {
  const turned = left.value < 0 ? " and turned round" : "";
  const grown = control.value > 1.05 ? " (such vectors grow here)" : "";
  return `${writer} writes what is later erased${turned}: at the end of the stream ${
    number(left.value)
  } of it is left at the typical ` +
    `token, and ${number(control.value)} of the same output rotated at random${grown}. That is ${
      estimate(specific)
    } less.`;
}

/**
 * Beside the other heads of its layer: where most of a layer is erased, a specific erasure alone is nothing
 * special.
 */
function amongPeers({ peers }: ExaminedWriter): string {
  if (!peers) return "";
  const [low, median, high] = peers;
  const range = `${number(low)} to ${number(high)} (median ${number(median)})`;
  return `Of the other heads of its layer ${range} was left when the nodes were screened.`;
}

/**
 * Where tokens with long outputs differ from the others, the parts below, which are of all that was written,
 * do not add up to the median.
 */
function byLength({ left, leftByLength }: ExaminedWriter): string {
  if (Math.abs(left.value - leftByLength.value) < APART) return "";
  return `Tokens at which it writes much ${
    leftByLength.value > left.value ? "keep more" : "keep less"
  }: of all that it writes, ` +
    `${estimate(leftByLength)} is left.`;
}

function erasersInWords({ cleaners, specificRatio }: ExaminedWriter): string {
  if (cleaners.length === 0) {
    return `No single later node surely takes back more of it than of the control: the erasing is spread over many.`;
  }
  const { all, sum } = ranked(cleaners);
  const named = all.slice(0, NAMED).map((c) => `${c.node} (${number(c.specific.value)})`);
  const more = all.length > NAMED ? ` and ${all.length - NAMED} more` : "";
  const names = more ? named.join(", ") + more : listed(named);
  const one = all.length === 1;
  const rest = specificRatio - sum;
  const spread = sum < specificRatio / 2 ? "The erasing is spread over many nodes. " : "";
  const others = Math.abs(rest) < 0.02
    ? "that is all"
    : rest > 0
    ? `the other later nodes take back another ${number(rest)}`
    : `the other later nodes give ${number(-rest)} of it back`;
  return `${spread}${names} ${one ? "takes" : "take"} back more of it than of the control${
    one ? "" : `: together ${number(sum)}`
  }; ` +
    `${others} (parts of all that was written, over the whole text).`;
}

/** The mean over tokens can be spread otherwise than the median: then no route is named. */
function routeInWords({ routes, specific }: ExaminedWriter): string {
  if (!routes) return "";
  const parts = [
    ["through values and MLP inputs", routes.values],
    ["through the normalisations' scales", routes.scales],
    ["through attention patterns", routes.attention],
  ] as const;
  const main = parts.find(([, part]) => part >= ROUTE * specific.value);
  if (!main) {
    return `No route carries most of the ${number(specific.value)} at the typical token: ${
      listed(parts.map(([name, part]) => `${number(part)} ${name}`))
    }.`;
  }
  const all = `the ${number(specific.value)} at the typical token`;
  return main[1] >= 0.95 * specific.value
    ? `All of ${all} goes ${main[0]}.`
    : `Of ${all} ${number(main[1])} goes ${main[0]}.`;
}

function positionalInWords({ writer, shared }: ExaminedWriter): string {
  if (writer === "pos_embed" || shared < SHARED) return ""; // that of pos_embed is, by its nature
  return `${percent(shared)} of its output is the same at a position in all prompts.`;
}

function attributionInWords({ writer, attribution }: ExaminedWriter): string {
  if (!attribution) return "";
  const { takenBack, controlTakenBack, beyond, meanAbsolute, effect } = attribution;
  const size = `Direct logit attribution credits it with ${
    number(meanAbsolute)
  } logits at a token, in the mean.`;
  if (meanAbsolute < LITTLE) return `Direct logit attribution credits it with next to nothing.`;
  const [least, most] = beyond.interval, sureOfIt = attribution.q <= LEVEL;
  const sure = takenBack.interval[0] > 0;
  const back = sure
    ? `Later nodes take back ${percent(takenBack.value)} of that (95 %: ${
      percent(takenBack.interval[0])
    } to ` +
      `${percent(takenBack.interval[1])})`
    : takenBack.interval[1] < 0
    ? `Later nodes do not take that back but add ${percent(-takenBack.value)} to it`
    : `Whether later nodes take that back is not sure (95 %: ${percent(takenBack.interval[0])} to ` +
      `${percent(takenBack.interval[1])})`;
  const control = `, of the rotated output's ${percent(controlTakenBack.value)}`;
  const verdict = least > 0 && sureOfIt
    ? `: attribution misleads more for ${writer} than for what merely is written there.`
    : most < 0
    ? `: less than of what merely is written there.`
    : `: no clear difference.`;
  const loss = `Without its output the model loses ${
    number(effect.value)
  } logits for each logit of attribution.`;
  return `${size} ${back}${control}${verdict} ${loss}`;
}

/**
 * What is true of the model as a whole: how much of anything is left, what is protected, position 0, and the
 * untrained null.
 */
export function modelInWords(result: ScanResult): string[] {
  return [contractionInWords(result), protectedInWords(result), sinkInWords(result), untrainedInWords(result)]
    .filter((text) => text !== "");
}

function contractionInWords({ layers }: ScanResult): string {
  const all = layers.filter((l) => l.kind === "head");
  const heads = all.filter((l) => !isWide(l));
  if (heads.length < 2) return "";
  const silent = all.filter(isWide).map((l) => `${l.layer}`);
  const unsaid = silent.length === 0
    ? ""
    : ` Of layer${silent.length === 1 ? "" : "s"} ${
      listed(silent)
    } nothing can be said: what a missing output changes elsewhere is ` +
      `larger than the output.`;
  const least = heads.reduce((a, b) => b.left < a.left ? b : a);
  const places = heads.length <= 5
    ? heads
    : [0, 0.25, 0.5, 0.75, 1].map((p) => heads[Math.round(p * (heads.length - 1))]);
  const course = places.map(({ layer, left }) => `layer ${layer}: ${number(left)}`).join(", ");
  const says = least.left < 0.8
    ? `The model writes back part of anything: of what a head of a layer writes, whatever it says, is left at the end`
    : `The model leaves most of anything in the stream: of what a head of a layer writes, whatever it says, is left at the end`;
  return `${says}: ${course}.${unsaid} Only what goes beyond that counts as clean-up here.`;
}

function protectedInWords({ passedOver }: ScanResult): string {
  const names = passedOver.filter((c) => c.passedOver?.startsWith("protected"))
    .sort((a, b) => a.specific - b.specific).map((c) => c.name);
  if (names.length === 0) return "";
  const shown = names.slice(0, 8);
  const more = names.length > shown.length ? ` and ${names.length - shown.length} more` : "";
  return `Kept better than the layer's control on the first half, the most kept first (not tested on the second): ${
    more ? shown.join(", ") + more : listed(shown)
  }.`;
}

function sinkInWords({ sink }: ScanResult): string {
  if (!sink) return "";
  const { times, writer, norm, elsewhere, takenBackBy, left, location } = sink;
  const length = (x: number) => x >= 100 ? Math.round(x).toLocaleString("en") : x.toPrecision(2);
  const back = takenBackBy && takenBackBy.part >= 0.1
    ? `${takenBackBy.node} takes ${percent(takenBackBy.part)} of that back (of the same vector rotated: ${
      percent(takenBackBy.ofControl)
    }); ${number(left)} of it is left at the end.`
    : `No later node takes a tenth of that back; ${number(left)} of it is left at the end.`;
  return `Position 0 holds a massive activation, as attention sinks do: the stream there is ${
    length(times)
  } times as long as elsewhere (${location}). ` +
    `${writer} writes a vector of length ${length(norm)} there, and ${
      length(elsewhere)
    } elsewhere. ${back} It is left out of all other numbers.`;
}

function untrainedInWords({ untrained: null_ }: ScanResult): string {
  if (!null_) return "";
  const { prompts, found, examined, largestSpecific } = null_;
  return `With each weight's values shuffled, the same scan of ${prompts} prompts found ` +
    `${found.length === 0 ? "no writer" : `${found.length} (${listed(found)})`}; ${examined.length} ` +
    `${examined.length === 1 ? "was" : "were"} examined, and the largest specific erasure was ${
      number(largestSpecific)
    }.`;
}
