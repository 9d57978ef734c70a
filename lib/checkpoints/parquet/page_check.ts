/**
 * Whether the pages of a parquet column can be decoded with bounded work. hyparquet believes what a page
 * says: a run of 2^31 equal values, which takes 5 bytes to claim, is written out until the memory is full. So
 * every size, and the length of every run, is held against what the page can hold before a page is decoded.
 */
import type { Compressors } from "hyparquet";
import { ByteReader, type PageHeader, readPageHeader } from "./page_headers.ts";

/** What a column chunk says of itself, and the levels that its place in the schema gives it. */
export interface ColumnShape {
  codec: string;
  values: number;
  repetition: number;
  definition: number;
}

/**
 * A page is unpacked in memory as a whole, a row group decoded. Data sets of texts have 1 MB a page, some 100
 * MB a group.
 */
export const MOST_PAGE_BYTES = 1 << 28;
export const MOST_VALUES = 1 << 26;
/** Encodings by their number in parquet.thrift. */
const PLAIN = 0, DICTIONARY = 2, RLE = 3, DELTA_BYTE_ARRAY = 7, RLE_DICTIONARY = 8;

/** @throws with what is wrong, for a chunk whose pages claim more than they hold */
export function checkPages(chunk: Uint8Array, shape: ColumnShape, compressors: Compressors): void {
  const reader = new ByteReader(chunk);
  let values = 0;
  while (reader.position < chunk.length - 1) {
    const page = readPageHeader(reader);
    const bytes = chunk.subarray(reader.position, reader.position + Math.max(0, page.stored));
    if (page.stored < 0 || page.stored > bytes.length) refuse("a page reaches over the end of its column");
    if (!(page.unpacked >= 0 && page.unpacked <= MOST_PAGE_BYTES)) {
      refuse(`a page claims ${page.unpacked} bytes`);
    }
    if (!(page.values >= 0 && page.values <= MOST_VALUES)) refuse(`a page claims ${page.values} values`);
    reader.skip(page.stored);
    if (page.kind === "data" || page.kind === "data 2") {
      if (page.encoding === DELTA_BYTE_ARRAY) {
        refuse("the encoding DELTA_BYTE_ARRAY is not supported: write the file again without it");
      }
      values += page.values;
      if (values > shape.values) {
        refuse(`its pages hold more than the ${shape.values} values that the footer states`);
      }
      checkRuns(page, bytes, shape, compressors);
    } else if (page.kind === "dictionary" && page.values > page.unpacked) {
      // each takes a byte at least
      refuse(`a dictionary of ${page.unpacked} bytes claims ${page.values} values`);
    }
  }
}

function refuse(what: string): never {
  throw new RangeError(what);
}

function unpack(
  bytes: Uint8Array,
  length: number,
  { codec }: ColumnShape,
  compressors: Compressors,
): Uint8Array {
  if (codec === "UNCOMPRESSED") return bytes;
  const decompress = compressors[codec as keyof Compressors];
  return decompress ? decompress(bytes, length) : refuse(`the compression ${codec} is not supported`);
}

/** The runs of levels and of dictionary indices of one data page. */
function checkRuns(page: PageHeader, bytes: Uint8Array, shape: ColumnShape, compressors: Compressors): void {
  const { values, repetitionBytes, definitionBytes } = page;
  let rest: ByteReader;
  if (page.kind === "data 2") {
    const levels = repetitionBytes + definitionBytes;
    if (repetitionBytes < 0 || definitionBytes < 0 || levels > Math.min(bytes.length, page.unpacked)) {
      refuse("the levels of a page reach over its end");
    }
    const [first, second] = [bytes.subarray(0, repetitionBytes), bytes.subarray(repetitionBytes, levels)];
    if (shape.repetition) checkHybrid(new ByteReader(first), shape.repetition, values);
    if (shape.definition) checkHybrid(new ByteReader(second), shape.definition, values);
    const packed = bytes.subarray(levels);
    rest = new ByteReader(page.packed ? unpack(packed, page.unpacked - levels, shape, compressors) : packed);
  } else {
    rest = new ByteReader(unpack(bytes, page.unpacked, shape, compressors));
    for (const most of [shape.repetition, shape.definition]) {
      if (!most) continue;
      const length = rest.byte() + rest.byte() * 2 ** 8 + rest.byte() * 2 ** 16 + rest.byte() * 2 ** 24;
      const from = rest.position;
      rest.skip(length);
      checkHybrid(new ByteReader(rest.bytes.subarray(from, from + length)), most, values);
    }
  }
  const { encoding } = page;
  if (rest.position >= rest.bytes.length) return;
  if (encoding === DICTIONARY || encoding === RLE_DICTIONARY) checkHybrid(rest, 2 ** rest.byte() - 1, values);
  else if (encoding === RLE) checkHybrid(rest, 1, values);
  else if (encoding === PLAIN && values > 8 * rest.bytes.length && shape.definition === 0) {
    refuse(`a page of ${rest.bytes.length} bytes claims ${values} values`);
  }
}

/**
 * Runs of the RLE and bit-packed hybrid with values up to `most`: none may be longer than what is left of
 * `values`.
 */
function checkHybrid(reader: ByteReader, most: number, values: number): void {
  const width = Math.ceil(Math.log2(most + 1));
  if (width > 32) refuse(`it has indices of ${width} bits`);
  for (let seen = 0; seen < values && reader.position < reader.bytes.length;) {
    const head = reader.varint();
    const isPacked = head % 2 === 1;
    const count = isPacked ? 8 * ((head - 1) / 2) : head / 2;
    // The last bit-packed run is filled up to 8 values, or by some writers to a whole page of 512.
    if (count > values - seen + (isPacked ? 511 : 0)) {
      refuse(`a run of ${count} values stands where ${values - seen} are left`);
    }
    const bytes = isPacked ? count * width / 8 : Math.ceil(width / 8);
    // writers leave out trailing zeros
    reader.position = Math.min(reader.bytes.length, reader.position + bytes);
    seen += count;
  }
}
