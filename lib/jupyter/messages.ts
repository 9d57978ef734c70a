/**
 * Jupyter messages (protocol 5.3) as frames and back.
 *
 *     [identities …] "<IDS|MSG>" signature header parent_header metadata content [buffers …]
 *
 * The four dictionaries are JSON; the signature is HMAC-SHA256, as lower-case hex, over their bytes in that
 * order. Source: https://jupyter-client.readthedocs.io/en/stable/messaging.html (wire protocol). Buffers are
 * dropped: the outputs of a notebook cell never use them.
 */
import { createHmac, randomUUID } from "node:crypto";

/** A JSON object whose fields depend on the message type. */
// deno-lint-ignore no-explicit-any
export type Fields = Record<string, any>;

export interface Header {
  /** A reply and every broadcast of the work that it belongs to carry this id in their `parent_header`. */
  msg_id: string;
  msg_type: string;
  session: string;
  username: string;
  /** ISO 8601. */
  date: string;
  version: string;
}

export interface Message {
  header: Header;
  parent_header: Partial<Header>;
  metadata: Fields;
  content: Fields;
}

const DELIMITER = "<IDS|MSG>";
const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** A message with a new id, for `session`. */
export function newMessage(
  msgType: string,
  content: Fields,
  session: string,
  parent: Partial<Header> = {},
): Message {
  return {
    header: {
      msg_id: randomUUID(),
      msg_type: msgType,
      session,
      username: "cleanup-lens",
      date: new Date().toISOString(),
      version: "5.3",
    },
    parent_header: parent,
    metadata: {},
    content,
  };
}

/**
 * HMAC-SHA256 of the concatenated parts, as lower-case hex. An empty key means unsigned: the empty string.
 */
export function sign(parts: Uint8Array[], key: string): string {
  if (key === "") return "";
  const hmac = createHmac("sha256", key);
  for (const part of parts) hmac.update(part);
  return hmac.digest("hex");
}

export function encodeMessage(message: Message, key: string): Uint8Array[] {
  const parts = [message.header, message.parent_header, message.metadata, message.content]
    .map((part) => encoder.encode(JSON.stringify(part)));
  return [encoder.encode(DELIMITER), encoder.encode(sign(parts, key)), ...parts];
}

/** @throws Error when the frames are no Jupyter message or the signature is not that of `key`. */
export function decodeMessage(frames: Uint8Array[], key: string): Message {
  const at = frames.findIndex((frame) =>
    frame.length === DELIMITER.length && decoder.decode(frame) === DELIMITER
  );
  if (at < 0 || frames.length < at + 6) {
    throw new Error(
      `Reading a Jupyter message: expected the frame ${DELIMITER}, a signature and 4 JSON frames, ` +
        `got ${frames.length} frames ${at < 0 ? "without the delimiter" : `with the delimiter at ${at}`}`,
    );
  }
  const parts = frames.slice(at + 2, at + 6);
  const got = decoder.decode(frames[at + 1]), expected = sign(parts, key);
  if (got !== expected) {
    throw new Error(
      `Reading a Jupyter message: the signature "${got.slice(0, 8)}…" is not that of this session's key. ` +
        `Does another program send to this port, or did a cell show more than some 8 MB at once? The kernel mixes up ` +
        `messages of that size.`,
    );
  }
  const [header, parent_header, metadata, content] = parts.map((part) => JSON.parse(decoder.decode(part)));
  return { header, parent_header, metadata, content };
}
