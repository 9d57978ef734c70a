/**
 * Headers of parquet pages: what they claim, read without believing any of it.
 *
 * A header is a Thrift struct in the compact protocol. Source: parquet-format's parquet.thrift (PageHeader)
 * and Thrift's compact-protocol specification. Only the fields that bound the work are kept.
 */

/** Bytes that are read in order; beyond the end a RangeError is thrown. */
export class ByteReader {
  constructor(readonly bytes: Uint8Array, public position = 0) {}

  byte(): number {
    if (this.position >= this.bytes.length) throw new RangeError("it breaks off");
    return this.bytes[this.position++];
  }

  /** Unsigned LEB128, at most 5 bytes. Larger values become Infinity, which no limit lets through. */
  varint(): number {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      const byte = this.byte();
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return Number.isSafeInteger(value) ? value : Infinity;
    }
    throw new RangeError("a number in it does not end");
  }

  zigzag(): number {
    const value = this.varint();
    return value % 2 ? -(value + 1) / 2 : value / 2;
  }

  skip(count: number): void {
    if (!(count >= 0 && this.position + count <= this.bytes.length)) throw new RangeError("it breaks off");
    this.position += count;
  }
}

type Fields = Map<number, number | boolean | Fields | undefined>;

/** Fields of structs lie at most so deep in a page header (its statistics). */
const DEEPEST = 8;

/** Numbers, flags and structs of a struct by field id; texts and lists are passed over. */
function readStruct(reader: ByteReader, depth = 0): Fields {
  if (depth > DEEPEST) throw new RangeError("its header nests too deep");
  const fields: Fields = new Map();
  let id = 0;
  for (;;) {
    const head = reader.byte();
    const type = head & 15;
    if (type === 0) return fields;
    id = head >> 4 ? id + (head >> 4) : reader.zigzag();
    fields.set(id, readValue(reader, type, depth));
  }
}

function readValue(reader: ByteReader, type: number, depth: number): number | boolean | Fields | undefined {
  if (type === 1 || type === 2) return type === 1;
  if (type === 3) return reader.byte();
  if (type >= 4 && type <= 6) return reader.zigzag();
  if (type === 7) return void reader.skip(8);
  if (type === 8) return void reader.skip(reader.varint());
  if (type === 9) {
    const head = reader.byte();
    const count = head >> 4 === 15 ? reader.varint() : head >> 4;
    for (let i = 0; i < count; i++) {
      if ((head & 15) <= 2) reader.byte();
      else readValue(reader, head & 15, depth + 1);
    }
    return undefined;
  }
  if (type === 12) return readStruct(reader, depth + 1);
  throw new RangeError(`its header has a field of type ${type}`);
}

export interface PageHeader {
  kind: "data" | "data 2" | "dictionary" | "index";
  /** Bytes in the file, and unpacked. */
  stored: number;
  unpacked: number;
  /** Values, nulls counted. */
  values: number;
  /** Number of the encoding in parquet.thrift. */
  encoding: number;
  /** Version 2: bytes of the levels, which are not packed. */
  repetitionBytes: number;
  definitionBytes: number;
  packed: boolean;
}

const KINDS = ["data", "index", "dictionary", "data 2"] as const;

/** Reads one header and leaves the reader at the page's bytes. @throws RangeError when it is none */
export function readPageHeader(reader: ByteReader): PageHeader {
  const fields = readStruct(reader);
  const number = (from: Fields, id: number) => {
    const value = from.get(id);
    return typeof value === "number" ? value : 0;
  };
  const kind = KINDS[number(fields, 1)];
  if (kind === undefined) throw new RangeError(`it has a page of kind ${number(fields, 1)}`);
  const own = fields.get({ data: 5, index: 6, dictionary: 7, "data 2": 8 }[kind]);
  const about: Fields = own instanceof Map ? own : new Map();
  const second = kind === "data 2";
  return {
    kind,
    unpacked: number(fields, 2),
    stored: number(fields, 3),
    values: number(about, 1),
    encoding: number(about, second ? 4 : 2),
    definitionBytes: second ? number(about, 5) : 0,
    repetitionBytes: second ? number(about, 6) : 0,
    packed: about.get(7) !== false,
  };
}
