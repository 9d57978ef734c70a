/**
 * Documents from a file of one's own, one after the other:
 *
 * - `.txt`: one document, the whole file (a blank line may stand inside a document; for several documents use .jsonl).
 * - `.jsonl`: one JSON object a line with the field "text".
 * - `.parquet`: a column "text" of strings, or "tokens" of lists of token ids. Read one row group at a time; compressed with snappy or
 *   not at all.
 */
import { RandomAccessFile, reason } from "../random_access_file.ts";

/** A text, or its token ids where the file holds those. */
export type Document = string | number[];

/** Kinds of file that `documents` reads. */
export const DOCUMENT_FILES: readonly string[] = [".txt", ".jsonl", ".parquet"];

/** @throws for another kind of file, one that cannot be read, and a line or row that holds no document */
export async function* documents(path: string): AsyncGenerator<Document> {
  const kind = DOCUMENT_FILES.find((ending) => path.toLowerCase().endsWith(ending));
  if (kind === ".txt") yield await readText(path);
  else if (kind === ".jsonl") yield* jsonLines(await readText(path), path);
  else if (kind === ".parquet") yield* parquetDocuments(path);
  else {throw new Error(
      `${path}: texts are read from ${DOCUMENT_FILES.join(", ")}; got another kind of file.`,
    );}
}

async function readText(path: string): Promise<string> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await Deno.readFile(path));
  } catch (error) {
    if (error instanceof TypeError) throw new Error(`${path} is not text in UTF-8.`, { cause: error });
    throw new Error(`Cannot read ${path}: ${reason(error)}`, { cause: error });
  }
}

function* jsonLines(text: string, path: string): Generator<string> {
  let number = 0;
  for (const line of text.split("\n")) {
    number++;
    if (line.trim() === "") continue;
    const refuse = (what: string) =>
      new Error(`${path}, line ${number}: ${what}; expected an object with "text", such as {"text": "…"}.`);
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch (error) {
      throw refuse(`not JSON (${(error as Error).message})`);
    }
    const document = (value as { text?: unknown } | null)?.text;
    if (typeof document !== "string") throw refuse(`got ${line.slice(0, 60)}`);
    yield document;
  }
}

async function* parquetDocuments(path: string): AsyncGenerator<Document> {
  const { parquetMetadataAsync, parquetReadObjects } = await import("hyparquet");
  const source = await RandomAccessFile.open(path);
  const file = {
    byteLength: source.size,
    async slice(start: number, end = source.size) {
      const bytes = new Uint8Array(end - start);
      await source.readInto(start, bytes);
      return bytes.buffer;
    },
  };
  try {
    let metadata;
    try {
      metadata = await parquetMetadataAsync(file);
    } catch (error) {
      throw new Error(`${path} cannot be read as parquet: ${(error as Error).message}`, { cause: error });
    }
    const names = metadata.schema.map((element) => element.name);
    const column = ["text", "tokens"].find((name) => names.includes(name));
    if (!column) {
      throw new Error(
        `${path} has the columns ${names.slice(1).join(", ")}; expected "text" or "tokens" among them.`,
      );
    }
    let first = 0;
    for (const { num_rows } of metadata.row_groups) {
      const end = first + Number(num_rows);
      let rows;
      try {
        rows = await parquetReadObjects({
          file,
          metadata,
          columns: [column],
          rowStart: first,
          rowEnd: end,
        });
      } catch (error) {
        throw new Error(`${path}, rows ${first} to ${end - 1}: ${(error as Error).message}`, {
          cause: error,
        });
      }
      for (const [i, row] of rows.entries()) yield parquetValue(row[column], `${path}, row ${first + i}`);
      first = end;
    }
  } finally {
    source.close();
  }
}

function parquetValue(value: unknown, where: string): Document {
  if (typeof value === "string") return value;
  if (Array.isArray(value) || ArrayBuffer.isView(value)) {
    const ids = Array.from(value as unknown as ArrayLike<unknown>, Number);
    if (ids.every((id) => Number.isInteger(id) && id >= 0)) return ids;
  }
  throw new Error(`${where}: expected a text or a list of token ids.`);
}
