/** What a scan found, in sentences: the beginning of the report, of the terminal's output and of the notebook. */
import { SHARED } from "./cleaners.ts";
import { type ExaminedWriter, foundWriters, type ScanResult } from "./scan.ts";

const percent = (x: number) => number(100 * x, 0) + " %";

/** With a true minus sign. */
const number = (x: number, digits = 2) => x.toFixed(digits).replace("-", "−");

/** "A", "A and B", "A, B and C". */
export function listed(names: readonly string[]): string {
  if (names.length < 2) return names.join("");
  return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** One paragraph for each writer found, or one that says that there is none; then one on the untrained null, where it was run. */
export function inWords(result: ScanResult): string[] {
  const found = foundWriters(result);
  const nodes = result.writers.length + result.passedOver.length;
  const paragraphs = found.length > 0 ? found.map(describeWriter) : [
    `No clean-up was found. Of ${nodes} nodes, ${result.writers.length} had an output that is there just after it is written ` +
    `and falls away later on; for ${result.writers.length === 1 ? "it" : "none of them"} ` +
    `${result.writers.length === 1 ? "no" : "did"} later nodes erase enough of it to pass the tests.`,
  ];
  if (result.untrained) {
    const { prompts, found, examined, largestDrop } = result.untrained;
    paragraphs.push(
      `With each weight's values shuffled, the same scan of ${prompts} prompts found ` +
        `${found.length === 0 ? "no writer" : `${found.length} (${listed(found)})`}; ` +
        `${examined.length} went on to the second pass, and the largest drop of a median was ${
          largestDrop.toFixed(2)
        }.`,
    );
  }
  return paragraphs;
}

function describeWriter({ candidate, evidence, verdict, causal, consequence }: ExaminedWriter): string {
  const { name, highest, lowest, drop } = candidate;
  const cleaners = verdict.cleaners.map((c) => c.node);
  const sentences = [
    `${name} writes what is later erased: the median projection ratio of the residual stream onto its output falls by ` +
    `${drop.toFixed(2)} from ${highest} to ${lowest}, and by more than 0.3 on ${
      percent(evidence.dropShare)
    } of tokens.`,
    `${listed(cleaners)} ${cleaners.length === 1 ? "erases" : "erase"} it: together they write ` +
    `${number(verdict.groupRatio)} times its output.`,
  ];
  if (name !== "pos_embed" && verdict.sharedAcrossPrompts >= SHARED) { // that of pos_embed is, by its nature
    sentences.push(
      `What is erased is the same across prompts (${
        percent(verdict.sharedAcrossPrompts)
      } of it is found with the writer's output ` +
        `of another prompt at the same position): its positional mean, such as information on the position.`,
    );
  }
  if (causal) {
    const { frozen, control } = causal.patched;
    sentences.push(
      `Taking the output out of the cleaners' input undoes ${percent(frozen.undone)} of the erasure ` +
        `(95 %: ${percent(frozen.interval[0])} to ${percent(frozen.interval[1])}); an unrelated vector ` +
        `of the same length ${control.undone < 0 ? "adds to it by" : "undoes"} ${
          percent(Math.abs(control.undone))
        }.`,
      causalWord(frozen.undone, control.undone),
    );
  }
  if (consequence) {
    sentences.push(
      `Direct logit attribution of ${name} goes with that of the part of the cleaners' output which comes from it at ` +
        `r = ${number(consequence.composition.r)}, slope ${
          number(consequence.composition.slope)
        }: that much of what ` +
        `the attribution shows is taken back.`,
    );
  }
  return sentences.filter(Boolean).join(" ");
}

/** A reading of the patch: the numbers stand beside it. */
function causalWord(undone: number, control: number): string {
  const net = undone - Math.abs(control);
  if (net >= 0.5) return "So they erase it mainly because they read it.";
  if (net >= 0.15) return "So they erase it in part because they read it; the rest comes by other ways.";
  return "That is not clearly more than the control: their reading it does not explain the erasure.";
}
