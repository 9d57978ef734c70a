/**
 * Documents from a file of one's own, one after the other, read no further than they are asked for:
 *
 * - `.txt`: one document, the whole file (a blank line may stand inside a document; for several documents use
 *   .jsonl).
 * - `.jsonl`: one JSON object a line with the field "text".
 * - `.parquet`: a column "text" of strings, or "tokens" of lists of token ids; compressed with snappy, zstd,
 *   gzip, lz4, brotli or not at all. One row group is in memory at a time.
 */
import type { AsyncBuffer } from "hyparquet";
import { columnNames, readFooter, readRows, rowGroup } from "../parquet/row_groups.ts";
import { quoted, saidBy, shown } from "../quoted.ts";
import { RandomAccessFile } from "../random_access_file.ts";
import { type ReadWatch, textLines, textPieces } from "./text_lines.ts";

/** A text of any length, read from its beginning as far as it is wanted. */
export interface LongText {
  /** Its first `characters` characters, or all of it where it has fewer. */
  start(characters: number): Promise<string>;
}

/** A text, its token ids where the file holds those, or null for a row without one. */
export type Document = string | number[] | LongText | null;

/** Kinds of file that `documents` reads. */
export const DOCUMENT_FILES: readonly string[] = [".txt", ".jsonl", ".parquet"];

/**
 * The texts of a .txt, .jsonl or .parquet file, one at a time.
 * @throws when it cannot be read, naming the line or row
 * @throws for another kind of file, one that cannot be read, and a line or row that holds no document
 *
 * @example
 * ```ts
 * const file = new URL("../../../LICENSE", import.meta.url).pathname;
 * const texts = documents(`${file}.txt`); // "texts.jsonl", "texts.parquet"
 * await texts.next().catch((error) => console.log(error.message)); // there is no such file
 * ```
 */
export async function* documents(path: string, watch?: ReadWatch): AsyncGenerator<Document> {
  const kind = DOCUMENT_FILES.find((ending) => path.toLowerCase().endsWith(ending));
  if (kind === ".txt") {
    const text = longText(path, watch);
    await text.start(1); // a file that cannot be read is refused before anything is said of what it holds
    yield text;
  } else if (kind === ".jsonl") yield* jsonLines(path, watch);
  else if (kind === ".parquet") yield* parquetDocuments(path, watch);
  else {throw new Error(
      `${path}: texts are read from ${DOCUMENT_FILES.join(", ")}; got another kind of file.`,
    );}
}

function longText(path: string, watch?: ReadWatch): LongText {
  return {
    async start(characters) {
      const parts: string[] = [];
      let length = 0;
      for await (const piece of textPieces(path, watch)) {
        parts.push(piece);
        length += piece.length;
        if (length >= characters) break;
      }
      return parts.join("").slice(0, characters);
    },
  };
}

async function* jsonLines(path: string, watch?: ReadWatch): AsyncGenerator<string | null> {
  let number = 0;
  for await (const line of textLines(path, watch)) {
    number++;
    if (line.trim() === "") continue;
    const refuse = (what: string) =>
      new Error(`${path}, line ${number}: ${what}; expected an object with "text", such as {"text": "…"}.`);
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw refuse(`not JSON (${shown((error as Error).message)})`);
    }
    const document = (value as { text?: unknown } | null)?.text;
    if (typeof document !== "string" && document !== null) throw refuse(`got ${shown(line, 60)}`);
    yield document;
  }
}

async function* parquetDocuments(path: string, watch: ReadWatch = {}): AsyncGenerator<Document> {
  const source = await RandomAccessFile.open(path);
  const file = parquetFile(source);
  const refused = (where: string, error: unknown) =>
    new Error(`${path}${where} cannot be read as parquet: ${saidBy(error)}`, { cause: error });
  try {
    let metadata, names: string[];
    try {
      metadata = await readFooter(file);
      names = columnNames(metadata);
    } catch (error) {
      throw refused("", error);
    }
    const column = ["text", "tokens"].find((name) => names.includes(name));
    if (!column) {
      throw new Error(
        `${path} has the columns ${quoted(names, 200)}; expected "text" or "tokens" among them.`,
      );
    }
    const groups = metadata.row_groups.length;
    for (let index = 0; index < groups; index++) {
      watch.signal?.throwIfAborted();
      let values, first = 0;
      try {
        const group = rowGroup(metadata, index, column, source.size);
        first = group.first;
        values = await readRows(file, group);
      } catch (error) {
        throw refused(`, row group ${index}`, error);
      }
      watch.onRead?.(Math.round(source.size * (index + 1) / groups), source.size);
      for (const [i, value] of values.entries()) yield parquetValue(value, path, first + i, column);
    }
  } finally {
    source.close();
  }
}

function parquetFile(source: RandomAccessFile): AsyncBuffer {
  return {
    byteLength: source.size,
    async slice(start, end = source.size) {
      if (!(0 <= start && start <= end && end <= source.size)) {
        throw new Error(`bytes ${start} to ${end} of ${source.size} were wanted.`);
      }
      const bytes = new Uint8Array(end - start);
      await source.readInto(start, bytes);
      return bytes.buffer;
    },
  };
}

function parquetValue(value: unknown, path: string, row: number, column: string): Document {
  if (value === null || value === undefined) return null;
  if (column === "text" && typeof value === "string") return value;
  if (column === "tokens" && (Array.isArray(value) || ArrayBuffer.isView(value))) {
    const items = Array.from(value as unknown as ArrayLike<unknown>);
    const ids = items.map((id) => typeof id === "bigint" ? Number(id) : id);
    const odd = ids.findIndex((id) => !(Number.isInteger(id) && id as number >= 0 && id as number < 2 ** 31));
    if (odd < 0) return ids as number[];
    throw new Error(
      `${path}, row ${row}, column "tokens": item ${odd} is ${
        shown(String(items[odd]))
      }; a token id was expected.`,
    );
  }
  const expected = column === "text" ? "a text" : "a list of token ids";
  throw new Error(`${path}, row ${row}, column "${column}": expected ${expected}.`);
}
