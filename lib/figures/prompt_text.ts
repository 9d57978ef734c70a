/**
 * Prompts and answers as labels: white space made visible, long texts shortened at the front (the end is what the model
 * continues), and wrapped.
 */
import { wrapText } from "./font.ts";
import { fontSize } from "./theme.ts";

/** What the symbols mean, for captions. */
export const symbolNote = "⏎ line break, ⇥ tab, ␣ space.";

/** Line breaks, tabs and other control characters as symbols; runs of spaces as ␣. */
export function visible(text: string): string {
  return text
    .replace(/\r?\n/g, "⏎")
    .replace(/\t/g, "⇥")
    .replace(/ {2,}/g, (spaces) => "␣".repeat(spaces.length))
    // deno-lint-ignore no-control-regex
    .replace(/[\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028\u2029\ufeff]/g, "�")
    // Inter joins "-" and ">" into an arrow, which a reader would take for another character.
    .replace(/([-=<])(?=[->=])/g, "$1\u2060");
}

/** An answer token: like `visible`, and spaces at its ends are symbols too. */
export function visibleAnswer(text: string): string {
  return visible(text.replace(/^ | $/g, "\u0001")).replace(/�/g, "␣");
}

/** The last `most` characters, with "…" before them when some were cut. */
export function lastCharacters(text: string, most: number): string {
  const characters = [...text];
  return characters.length <= most ? text : "…" + characters.slice(-most).join("").trimStart();
}

/** Lines of a prompt label of `width` pixels: the prompt in quotation marks, at most `most` characters of its end. */
export function promptLines(prompt: string, width: number, most: number): string[] {
  return wrapText(`“${lastCharacters(visible(prompt), most)}”`, width, fontSize.tick);
}
