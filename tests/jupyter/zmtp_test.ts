import { assertEquals, assertRejects } from "@std/assert";
import { encodeFrame, encodeGreeting, encodeReady, ZmtpSocket } from "../../lib/jupyter/zmtp.ts";

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const bytes = (text: string) => new TextEncoder().encode(text);
const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");

/**
 * Plays a ZMTP peer on a free port: sends `chunks` one by one, then closes. Resolves to all that it received.
 */
function peer(chunks: Uint8Array[], pauseMs = 5): { port: number; received: Promise<Uint8Array> } {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const received = (async () => {
    const connection = await listener.accept();
    listener.close();
    const seen: number[] = [];
    const reading = (async () => {
      const buffer = new Uint8Array(1000);
      for (;;) {
        const n = await connection.read(buffer).catch(() => null);
        if (n === null) break;
        seen.push(...buffer.subarray(0, n));
      }
    })();
    for (const chunk of chunks) {
      await connection.write(chunk as Uint8Array<ArrayBuffer>);
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
    await connection.closeWrite();
    await reading;
    connection.close();
    return new Uint8Array(seen);
  })();
  return { port: (listener.addr as Deno.NetAddr).port, received };
}

const ready = encodeFrame(encodeReady({ "Socket-Type": "ROUTER" }), false, true);
const never = new AbortController().signal;

Deno.test("encodeFrame() writes flags, length and body as ZMTP 3.0 has them", () => {
  assertEquals(hex(encodeFrame(bytes("hi"))), "00 02 68 69");
  assertEquals(hex(encodeFrame(bytes("hi"), true)), "01 02 68 69");
  assertEquals(hex(encodeFrame(bytes("hi"), false, true)), "04 02 68 69");
  assertEquals(hex(encodeFrame(new Uint8Array(255)).subarray(0, 2)), "00 ff");
  assertEquals(hex(encodeFrame(new Uint8Array(256)).subarray(0, 9)), "02 00 00 00 00 00 00 01 00");
});

Deno.test("encodeGreeting() is 64 bytes: signature, version 3.0, mechanism NULL", () => {
  const greeting = encodeGreeting();
  assertEquals(greeting.length, 64);
  assertEquals(
    hex(greeting.subarray(0, 17)),
    "ff 00 00 00 00 00 00 00 00 7f 03 00 4e 55 4c 4c 00",
  );
  assertEquals(greeting.subarray(17).every((byte) => byte === 0), true);
});

Deno.test("encodeReady() writes properties with 1-byte and 4-byte lengths", () => {
  assertEquals(
    hex(encodeReady({ A: "SUB" })),
    "05 52 45 41 44 59 01 41 00 00 00 03 53 55 42",
  );
});

Deno.test("ZmtpSocket reads messages however the bytes are cut", async () => {
  const big = new Uint8Array(70_000).fill(7);
  const stream = [
    encodeGreeting(),
    ready,
    encodeFrame(bytes("a"), true),
    encodeFrame(big, true),
    encodeFrame(bytes("end")),
    encodeFrame(bytes("ping"), false, true), // a command between messages is no message
    encodeFrame(bytes("second")),
  ].flatMap((part) => [...part]);
  const cuts = [3, 64, 65, 70, 130, 140, 40_000, stream.length];
  const chunks = cuts.map((end, i) => new Uint8Array(stream.slice(cuts[i - 1] ?? 0, end)));
  const { port, received } = peer(chunks);
  const socket = await ZmtpSocket.connect(port, "SUB", never);
  const messages: Uint8Array[][] = [];
  for await (const frames of socket) messages.push(frames);
  socket.close();
  assertEquals(messages.map((frames) => frames.length), [3, 1]);
  assertEquals(messages[0][1], big);
  assertEquals([text(messages[0][0]), text(messages[0][2]), text(messages[1][0])], ["a", "end", "second"]);
  // what the peer saw: greeting, READY with the socket type, and a subscription to everything
  const sent = await received;
  assertEquals(text(sent.subarray(64)).includes("Socket-Type\0\0\0\x03SUB"), true);
  assertEquals(hex(sent.subarray(-3)), "00 01 01");
});

Deno.test("ZmtpSocket does not interleave messages that are sent at the same time", async () => {
  const { port, received } = peer([encodeGreeting(), ready], 50);
  const socket = await ZmtpSocket.connect(port, "DEALER", never);
  await Promise.all(["one", "two", "three"].map((word) => socket.send([bytes(word), bytes(word)])));
  socket.close();
  const expected = ["one", "two", "three"].map((word) =>
    hex(encodeFrame(bytes(word), true)) + " " + hex(encodeFrame(bytes(word)))
  ).join(" ");
  assertEquals(hex(await received).endsWith(expected), true);
});

Deno.test("ZmtpSocket throws when the peer is no ZMTP peer, or goes away inside a message", async () => {
  const http = peer([bytes("HTTP/1.1 400 Bad Request\r\n".padEnd(64))]);
  await assertRejects(
    () => ZmtpSocket.connect(http.port, "DEALER", never),
    Error,
    "expected a ZMTP greeting of version 3",
  );
  await http.received;

  const cut = peer([encodeGreeting(), ready, encodeFrame(bytes("first"), true)]);
  const socket = await ZmtpSocket.connect(cut.port, "DEALER", never);
  await assertRejects(
    async () => {
      for await (const _ of socket);
    },
    Error,
    "closed the connection",
  );
  socket.close();
  await cut.received;

  const huge = new Uint8Array([2, 0, 0, 1, 0, 0, 0, 0, 0]);
  const announced = peer([encodeGreeting(), ready, huge]);
  const other = await ZmtpSocket.connect(announced.port, "DEALER", never);
  await assertRejects(
    async () => {
      for await (const _ of other);
    },
    Error,
    "more than the limit",
  );
  other.close();
  await announced.received;
});

Deno.test("ZmtpSocket.connect() retries a refused connection until its signal aborts", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = (listener.addr as Deno.NetAddr).port;
  listener.close();
  await assertRejects(
    () => ZmtpSocket.connect(port, "DEALER", AbortSignal.timeout(100)),
    DOMException as unknown as ErrorConstructor,
  );
});
