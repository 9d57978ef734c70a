/**
 * Prompts and answers as labels: white space made visible, long texts shortened at the front (the end is what
 * the model continues), and wrapped.
 */
import { hasGlyph, wrapText } from "./font.ts";
import { fontSize } from "./theme.ts";

const meanings = [["⏎", "line break"], ["⇥", "tab"], ["␣", "space"], [
  "□",
  "a character that the font lacks",
]];

/** What the symbols in the labels mean, for captions: those that occur only. */
export function symbolNote(labels: string[]): string {
  const used = meanings.filter(([symbol]) => labels.some((label) => label.includes(symbol)));
  return used.length === 0 ? "" : used.map(([symbol, meaning]) => `${symbol} ${meaning}`).join(", ") + ".";
}

/** Line breaks, tabs, runs of spaces and what the font lacks as symbols. */
export function visible(text: string): string {
  const symbols = text
    .replace(/\r?\n/g, "⏎")
    .replace(/\t/g, "⇥")
    .replace(/ {2,}/g, (spaces) => "␣".repeat(spaces.length))
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, "□");
  return [...symbols].map((character) => hasGlyph(character) ? character : "□").join("")
    // Inter joins "-" and ">" into an arrow, which a reader would take for another character; a non-joiner
    // prevents it.
    .replace(/[-=<>~](?=[-=<>~])/g, "$&\u200c");
}

/** Like `visible`, and a space at either end is a symbol too: for answers and whole prompts. */
export function visibleEnds(text: string): string {
  return visible(text).replace(/^ | $/g, "␣");
}

/**
 * The last `most` characters, from the start of a word when one is near, with "…" before them when some were
 * cut.
 */
export function lastCharacters(text: string, most: number): string {
  const characters = [...text];
  return characters.length <= most ? text : "…" + characters.slice(-most).join("").replace(/^\S{0,15} +/, "");
}

/**
 * Lines of a prompt label of `width` pixels: the prompt in quotation marks, at most `most` characters of its
 * end.
 */
export function promptLines(prompt: string, width: number, most: number): string[] {
  return wrapText(`“${lastCharacters(visibleEnds(prompt), most)}”`, width, fontSize.tick);
}
