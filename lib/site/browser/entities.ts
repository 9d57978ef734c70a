/**
 * In place of entities/decode: names of characters in HTML that is parsed. Figures are made element by
 * element, so none is.
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
