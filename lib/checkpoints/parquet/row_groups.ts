/**
 * One column of a parquet file, row group by row group (hyparquet, with hyparquet-compressors for zstd, gzip,
 * lz4 and brotli).
 *
 * The file comes from anyone: what it claims is checked before memory is taken for it, and what fails, fails
 * with one error.
 */
import type { AsyncBuffer, FileMetaData, SchemaElement } from "hyparquet";
import { quoted } from "../quoted.ts";
import { checkPages, type ColumnShape, MOST_VALUES } from "./page_check.ts";

/** A row group is in memory as a whole. */
export const MOST_GROUP_BYTES = 1 << 29;
const MOST_FOOTER_BYTES = 1 << 26;
/** "PAR1" */
const MAGIC = 0x31524150;
/** Levels of a schema, and columns, beyond which a footer is damaged. */
const DEEPEST = 64;

/** Where the column's bytes lie, and what its pages are checked against. */
export interface RowGroup {
  metadata: FileMetaData;
  index: number;
  column: string;
  /** Row of the file with which it begins. */
  first: number;
  rows: number;
  /** Byte range in the file. */
  from: number;
  bytes: number;
  shape: ColumnShape;
}

/**
 * The footer. `firstBytes` are read from the file's end at once: most footers are shorter; of a longer one
 * the rest is read too.
 *
 * @throws when there is none, or it contradicts itself
 */
export async function readFooter(file: AsyncBuffer, firstBytes = 1 << 16): Promise<FileMetaData> {
  const { parquetMetadata } = await import("hyparquet");
  const { byteLength } = file;
  if (byteLength < 12) throw new Error(`it has ${byteLength} bytes; 12 is the least.`);
  const from = Math.max(0, byteLength - firstBytes);
  const tail = await file.slice(from, byteLength);
  const view = new DataView(tail);
  const length = view.getUint32(tail.byteLength - 8, true);
  if (view.getUint32(tail.byteLength - 4, true) !== MAGIC) throw new Error('it does not end with "PAR1".');
  if (length > Math.min(MOST_FOOTER_BYTES, byteLength - 12)) {
    throw new Error(`its footer claims ${length} bytes.`);
  }
  const missing = length + 8 - tail.byteLength;
  if (missing <= 0) return checkFooter(parquetMetadata(tail));
  const before = await file.slice(from - missing, from);
  const whole = new Uint8Array(missing + tail.byteLength);
  whole.set(new Uint8Array(before));
  whole.set(new Uint8Array(tail), missing);
  return checkFooter(parquetMetadata(whole.buffer));
}

function checkFooter(metadata: FileMetaData): FileMetaData {
  const { schema, row_groups } = metadata;
  const lists = Array.isArray(schema) && Array.isArray(row_groups) &&
    row_groups.every((g) => Array.isArray(g?.columns));
  if (!lists || schema.length === 0 || subtree(schema, 0) !== schema.length) {
    throw new Error("its footer describes no table.");
  }
  return metadata;
}

/** Names of the columns at the top of the schema. */
export function columnNames({ schema }: FileMetaData): string[] {
  const [root, ...rest] = schema;
  const names: string[] = [];
  for (let at = 0; names.length < (root?.num_children ?? 0) && at < rest.length; at += subtree(rest, at)) {
    names.push(String(rest[at].name));
  }
  return names;
}

/** How many elements of the schema belong to the one at `at`, itself included. */
function subtree(schema: readonly SchemaElement[], at: number, depth = 0): number {
  const children = schema[at].num_children ?? 0;
  if (depth > DEEPEST || !(children >= 0)) throw new Error("its schema is damaged.");
  let next = at + 1;
  for (let child = 0; child < children; child++) {
    if (next >= schema.length) throw new Error("its schema breaks off.");
    next += subtree(schema, next, depth + 1);
  }
  return next - at;
}

/** @throws for a group that is too large, or whose column cannot be */
export function rowGroup(metadata: FileMetaData, index: number, column: string, fileBytes: number): RowGroup {
  const group = metadata.row_groups[index];
  const chunks = group.columns.filter((chunk) => chunk.meta_data?.path_in_schema[0] === column);
  if (chunks.length !== 1) {
    throw new Error(`row group ${index} has no column ${quoted(column)} of texts or lists.`);
  }
  const meta = chunks[0].meta_data!;
  const first = metadata.row_groups.slice(0, index).reduce((sum, { num_rows }) => sum + Number(num_rows), 0);
  const from = Number(meta.dictionary_page_offset || meta.data_page_offset);
  const [rows, bytes, unpacked, values] = [
    group.num_rows,
    meta.total_compressed_size,
    meta.total_uncompressed_size,
    meta.num_values,
  ].map(Number);
  const whole = (x: number) => Number.isSafeInteger(x) && x >= 0;
  if (![first, from, rows, bytes, unpacked, values].every(whole) || from + bytes > fileBytes) {
    throw new Error(`row group ${index} lies outside the file.`);
  }
  if (Math.max(bytes, unpacked) > MOST_GROUP_BYTES) {
    throw new Error(
      `row group ${index} has ${Math.max(bytes, unpacked)} bytes of ${
        quoted(column)
      }, more than the limit of ` +
        `${MOST_GROUP_BYTES}: it is decoded in memory as a whole. Write the file again with smaller row groups.`,
    );
  }
  if (Math.max(rows, values) > MOST_VALUES || rows > Math.max(values, 0)) {
    throw new Error(`row group ${index} claims ${rows} rows of ${values} values.`);
  }
  const shape = { codec: String(meta.codec), values, ...levels(metadata, meta.path_in_schema) };
  return { metadata, index, column, first, rows, from, bytes, shape };
}

function levels(
  { schema }: FileMetaData,
  path: readonly string[],
): Pick<ColumnShape, "repetition" | "definition"> {
  let [repetition, definition, at] = [0, 0, 0];
  for (const name of path) {
    let child = at + 1;
    const end = at + subtree(schema, at);
    while (child < end && schema[child].name !== name) child += subtree(schema, child);
    if (child >= end) throw new Error(`its schema lacks ${quoted(path)}.`);
    if (schema[child].repetition_type === "REPEATED") repetition++;
    if (schema[child].repetition_type !== "REQUIRED") definition++;
    at = child;
  }
  return { repetition, definition };
}

/** The column's values in one row group, a value for each row. */
export async function readRows(file: AsyncBuffer, group: RowGroup): Promise<unknown[]> {
  const { parquetReadObjects } = await import("hyparquet");
  const { compressors } = await import("hyparquet-compressors");
  const { metadata, column, first, rows, from, bytes, shape } = group;
  if (rows === 0) return [];
  const chunk = await file.slice(from, from + bytes);
  checkPages(new Uint8Array(chunk), shape, compressors);
  const held: AsyncBuffer = {
    byteLength: file.byteLength,
    slice(start, end = file.byteLength) {
      if (start < from || end > from + bytes || end < start) {
        throw new Error("its column lies elsewhere than it says.");
      }
      return chunk.slice(start - from, end - from);
    },
  };
  const objects = await parquetReadObjects({
    file: held,
    metadata,
    compressors,
    columns: [column],
    rowStart: first,
    rowEnd: first + rows,
  });
  if (objects.length !== rows) {
    throw new Error(`row group ${group.index} has ${objects.length} rows, not ${rows}.`);
  }
  return objects.map((row) => row[column]);
}
