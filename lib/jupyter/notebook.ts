/**
 * Jupyter notebooks as files: nbformat 4.5 in, nbformat 4.5 out.
 *
 * In memory, sources and text outputs are plain strings; on disk they are arrays of lines, keys are in
 * alphabetical order and the indent is one space, as Jupyter itself writes them, so that a re-executed
 * notebook differs only where its content does. Writing goes to a temporary file beside the target, which
 * then replaces it: a full disk or a killed process leaves the old file whole.
 *
 * Source: https://nbformat.readthedocs.io/en/stable/format_description.html. It does not read formats before
 * 4.5 (Jupyter converts them when it saves), nor attachments in any way but by keeping them.
 */
import type { Fields } from "./messages.ts";

/** One output in several representations, by MIME type. Text is a string, JSON types are values. */
export type MimeBundle = Record<string, unknown>;

export interface StreamOutput {
  output_type: "stream";
  name: "stdout" | "stderr";
  text: string;
}

export interface DisplayOutput {
  output_type: "display_data";
  data: MimeBundle;
  metadata: Fields;
}

export interface ResultOutput {
  output_type: "execute_result";
  execution_count: number | null;
  data: MimeBundle;
  metadata: Fields;
}

export interface ErrorOutput {
  output_type: "error";
  ename: string;
  evalue: string;
  traceback: string[];
}

export type Output = StreamOutput | DisplayOutput | ResultOutput | ErrorOutput;

export interface TextCell {
  cell_type: "markdown" | "raw";
  id: string;
  metadata: Fields;
  source: string;
  attachments?: Fields;
}

export interface CodeCell {
  cell_type: "code";
  id: string;
  metadata: Fields;
  source: string;
  execution_count: number | null;
  outputs: Output[];
}

export type Cell = TextCell | CodeCell;

export interface Notebook {
  nbformat: 4;
  nbformat_minor: number;
  metadata: Fields;
  cells: Cell[];
}

/** Characters that a terminal would obey, or that turn the reading direction. */
const HIDDEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** No output is so deep, and every walk over a notebook is a recursion. */
const DEEPEST = 200;

function deeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth === 0 || Object.values(value).some((inner) => deeperThan(inner, depth - 1));
}

const joined = (text: unknown) => Array.isArray(text) ? text.join("") : text;
const isText = (value: unknown) =>
  typeof value === "string" || (Array.isArray(value) && value.every((line) => typeof line === "string"));
const isObject = (value: unknown): value is Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * MIME types whose values are text that nbformat splits into lines; base64 stays one string, JSON stays a
 * value.
 */
const isLines = (mime: string) =>
  mime.startsWith("text/") || mime === "image/svg+xml" || mime === "application/javascript";

/**
 * Parses a notebook. `name` stands in the errors.
 * @throws Error naming the cell and the field that is not as nbformat 4.5 has it.
 */
export function parseNotebook(json: string, name: string): Notebook {
  const fail = (where: string, expected: string, got: unknown): never => {
    const shown = got === undefined ? "nothing" : JSON.stringify(got).slice(0, 80).replace(HIDDEN, "�");
    throw new Error(
      `Reading the notebook ${name}: ${where}: expected ${expected}, got ${shown}. Open and save it in Jupyter, or restore it.`,
    );
  };
  let value: Fields;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new Error(
      `Reading the notebook ${name}: expected JSON, got ${json.length} characters that are not (${
        (error as Error).message.slice(0, 200).replace(HIDDEN, "�")
      }). Is the file truncated?`,
    );
  }
  if (deeperThan(value, DEEPEST)) fail("the file", `values at most ${DEEPEST} deep`, "deeper ones");
  if (!isObject(value)) fail("the file", "a JSON object", value);
  if (value.nbformat !== 4 || !(Number.isInteger(value.nbformat_minor) && value.nbformat_minor >= 5)) {
    fail("nbformat and nbformat_minor", "4.5 or a later 4.x", [value.nbformat, value.nbformat_minor]);
  }
  if (!isObject(value.metadata)) fail("metadata", "an object", value.metadata);
  if (!Array.isArray(value.cells)) fail("cells", "an array", value.cells);

  const ids = new Set<string>();
  const cells = value.cells.map((cell: Fields, i: number): Cell => {
    const where = `cell ${i + 1}`;
    if (!isObject(cell)) return fail(where, "an object", cell);
    if (!["markdown", "raw", "code"].includes(cell.cell_type)) {
      fail(`${where}, cell_type`, "markdown, raw or code", cell.cell_type);
    }
    if (typeof cell.id !== "string" || !/^[\w-]{1,64}$/.test(cell.id)) {
      fail(`${where}, id`, "1 to 64 letters, digits, - or _", cell.id);
    }
    if (ids.has(cell.id)) fail(`${where}, id`, "an id that no other cell has", cell.id);
    ids.add(cell.id);
    if (!isText(cell.source)) fail(`${where}, source`, "a string or an array of strings", cell.source);
    if (!isObject(cell.metadata)) fail(`${where}, metadata`, "an object", cell.metadata);
    const source = joined(cell.source) as string;
    if (cell.cell_type !== "code") return { ...cell, source } as TextCell;

    if (cell.execution_count !== null && !Number.isInteger(cell.execution_count)) {
      fail(`${where}, execution_count`, "an integer or null", cell.execution_count);
    }
    if (!Array.isArray(cell.outputs)) fail(`${where}, outputs`, "an array", cell.outputs);
    const outputs = cell.outputs.map((output: Fields, k: number) =>
      parseOutput(output, (expected, got) => fail(`${where}, output ${k + 1}`, expected, got))
    );
    return { ...cell, source, outputs } as CodeCell;
  });
  return { ...value, cells } as Notebook;
}

function parseOutput(output: Fields, fail: (expected: string, got: unknown) => never): Output {
  switch (isObject(output) ? output.output_type : undefined) {
    case "stream":
      if (!isText(output.text) || !["stdout", "stderr"].includes(output.name)) {
        fail("a stream with name and text", output);
      }
      return { ...output, text: joined(output.text) } as StreamOutput;
    case "display_data":
    case "execute_result": {
      if (!isObject(output.data) || !isObject(output.metadata)) fail("data and metadata", output);
      const entries = Object.entries(output.data).map((
        [mime, value],
      ) => [mime, isText(value) ? joined(value) : value]);
      return { ...output, data: Object.fromEntries(entries) } as DisplayOutput | ResultOutput;
    }
    case "error":
      if (typeof output.ename !== "string" || !Array.isArray(output.traceback)) {
        fail("an error with ename, evalue and traceback", output);
      }
      return output as ErrorOutput;
    default:
      return fail("stream, display_data, execute_result or error", output);
  }
}

const lines = (text: string) => text === "" ? [] : text.split(/(?<=\n)/);

function outputOnDisk(output: Output): Fields {
  if (output.output_type === "stream") return { ...output, text: lines(output.text) };
  if (output.output_type === "error") return output;
  const entries = Object.entries(output.data).map((
    [mime, value],
  ) => [mime, isLines(mime) && typeof value === "string" ? lines(value) : value]);
  return { ...output, data: Object.fromEntries(entries) };
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]));
}

/** The notebook as the text of its file: the same notebook always gives the same bytes. */
export function serializeNotebook(notebook: Notebook): string {
  const cells = notebook.cells.map((cell) =>
    cell.cell_type === "code"
      ? { ...cell, source: lines(cell.source), outputs: cell.outputs.map(outputOnDisk) }
      : { ...cell, source: lines(cell.source) }
  );
  return JSON.stringify(sorted({ ...notebook, cells }), null, 1) + "\n";
}

/** Reads and validates a notebook. */
export async function readNotebook(path: string): Promise<Notebook> {
  return parseNotebook(await Deno.readTextFile(path), path);
}

/**
 * Writes `text` beside `path` and renames it there: `path` holds the old content or the new, never a part of
 * it.
 */
export async function writeTextFileAtomic(path: string, text: string): Promise<void> {
  const partial = `${path}.partial`;
  try {
    await Deno.writeTextFile(partial, text);
    {
      using file = await Deno.open(partial, { write: true });
      await file.sync(); // or a loss of power could leave neither
    }
    await Deno.rename(partial, path);
  } catch (error) {
    await Deno.remove(partial).catch(() => {}); // it may not exist; the first error is the one to report
    throw new Error(
      `Writing ${path} (${text.length} characters): ${
        (error as Error).message
      }. The file is as it was before.`,
      { cause: error },
    );
  }
}

/** Writes a notebook atomically. */
export function writeNotebook(path: string, notebook: Notebook): Promise<void> {
  return writeTextFileAtomic(path, serializeNotebook(notebook));
}
