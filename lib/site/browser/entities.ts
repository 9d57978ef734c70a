/**
 * In place of entities, whose tables of names are larger than the library's figures: no HTML is parsed that
 * names characters, since figures are made element by element; what is written needs these few.
 */
export const htmlDecodeTree: readonly number[] = [], xmlDecodeTree: readonly number[] = [];
export const DecodingMode = { Legacy: 0, Strict: 1, Attribute: 2 } as const;
export const fromCodePoint = String.fromCodePoint;

export class EntityDecoder {
  startEntity(): void {}

  write(): number {
    return 0;
  }

  end(): number {
    return 0;
  }
}

const NAMES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
  "\u00a0": "&nbsp;",
};

const escaper = (pattern: RegExp) => (text: string): string => text.replace(pattern, (one) => NAMES[one]);

export const escapeText = escaper(/[&<>\u00a0]/g);
export const escapeAttribute = escaper(/[&"\u00a0]/g);
export const encodeXML = escaper(/[&<>"']/g);
