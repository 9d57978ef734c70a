/**
 * Text files of any size, as a stream: pieces of text, and lines. A file of 512 MiB is more than a JavaScript
 * string can hold.
 */
import { OpenFile } from "../../platform/file.ts";
import { cannotRead, NO_FILE } from "../file_faults.ts";

const PIECE_BYTES = 1 << 18;
/** Longer than any document that is trained on; beyond it a file has no lines. */
const MOST_LINE = 1 << 27;

/** Who waits for a file of any size. */
export interface ReadWatch {
  /** Told how many of its bytes are read. */
  onRead?: (bytes: number, of: number) => void;
  /** Ends the reading with its reason. */
  signal?: AbortSignal;
}

/** The text in pieces of any length. @throws when it cannot be read or is not UTF-8, naming the byte range */
export async function* textPieces(
  path: string,
  { onRead, signal }: ReadWatch = {},
): AsyncGenerator<string> {
  let file: OpenFile, size: number;
  try {
    file = await OpenFile.toRead(path);
    const info = await file.stat();
    size = info.size;
    if (!info.isFile) {
      file.close();
      throw new Error(NO_FILE);
    }
  } catch (error) {
    throw await cannotRead(path, error);
  }
  using _ = file;
  const decoder = new TextDecoder("utf-8", { fatal: true });
  const buffer = new Uint8Array(PIECE_BYTES);
  for (let at = 0;;) {
    let count: number;
    signal?.throwIfAborted();
    try {
      count = await file.read(buffer, at);
    } catch (error) {
      throw await cannotRead(path, error);
    }
    const bytes = buffer.subarray(0, count);
    try {
      const piece = decoder.decode(bytes, { stream: count !== 0 });
      if (piece !== "") yield piece;
    } catch (error) {
      throw new Error(`${path} is not text in UTF-8 (bytes ${at} to ${at + bytes.length}).`, {
        cause: error,
      });
    }
    if (count === 0) return;
    at += count;
    onRead?.(at, size);
  }
}

/** The lines, without their ends. */
export async function* textLines(path: string, watch?: ReadWatch): AsyncGenerator<string> {
  let parts: string[] = []; // of the line that is not complete yet
  let length = 0;
  for await (const piece of textPieces(path, watch)) {
    let from = 0;
    for (let end = piece.indexOf("\n"); end >= 0; end = piece.indexOf("\n", from)) {
      parts.push(piece.slice(from, end));
      yield parts.join("");
      [parts, length, from] = [[], 0, end + 1];
    }
    parts.push(piece.slice(from));
    length += piece.length - from;
    if (length > MOST_LINE) {
      throw new Error(
        `${path} has a line of more than ${MOST_LINE} characters. Is it .jsonl, one object a line?`,
      );
    }
  }
  if (length > 0) yield parts.join("");
}
