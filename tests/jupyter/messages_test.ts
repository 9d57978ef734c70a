import { assertEquals, assertThrows } from "@std/assert";
import { decodeMessage, encodeMessage, newMessage, sign } from "../../lib/jupyter/messages.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

Deno.test("sign() is HMAC-SHA256 over the parts: RFC 4231, test case 2", () => {
  assertEquals(
    sign([bytes("what do ya "), bytes("want for nothing?")], "Jefe"),
    "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
  );
  assertEquals(sign([bytes("x")], ""), "");
});

Deno.test("encodeMessage() lays out delimiter, signature, header, parent, metadata, content", () => {
  const message = newMessage("execute_request", { code: "1 + 1 // ü" }, "session");
  const frames = encodeMessage(message, "key");
  assertEquals(frames.length, 6);
  assertEquals(text(frames[0]), "<IDS|MSG>");
  assertEquals(text(frames[1]), sign(frames.slice(2), "key"));
  assertEquals(JSON.parse(text(frames[2])), message.header as unknown);
  assertEquals(frames.slice(3).map(text), ["{}", "{}", '{"code":"1 + 1 // ü"}']);
});

Deno.test("decodeMessage() undoes encodeMessage(), with and without identities before the delimiter", () => {
  const message = newMessage("status", { execution_state: "idle" }, "s", { msg_id: "parent" });
  const frames = encodeMessage(message, "key");
  assertEquals(decodeMessage(frames, "key"), message);
  assertEquals(
    decodeMessage([bytes("kernel.topic"), bytes("id"), ...frames, bytes("buffer")], "key"),
    message,
  );
});

Deno.test("decodeMessage() refuses a wrong signature, a changed byte and what is no message", () => {
  const frames = encodeMessage(newMessage("status", { execution_state: "idle" }, "s"), "key");
  assertThrows(() => decodeMessage(frames, "other key"), Error, "is not that of this session's key");
  const changed = frames.with(5, bytes('{"execution_state":"busy"}'));
  assertThrows(() => decodeMessage(changed, "key"), Error, "is not that of this session's key");
  assertThrows(() => decodeMessage(frames.slice(1), "key"), Error, "without the delimiter");
  assertThrows(() => decodeMessage(frames.slice(0, 4), "key"), Error, "got 4 frames");
});

Deno.test("newMessage() gives every message an id of its own", () => {
  const ids = Array.from({ length: 100 }, () => newMessage("t", {}, "s").header.msg_id);
  assertEquals(new Set(ids).size, 100);
});
