/**
 * ZMTP 3.0, the wire protocol of ZeroMQ, as a client over loopback TCP: as much of it as a Jupyter front end
 * needs.
 *
 * A connection opens with a 64-byte greeting from each side and one READY command from each; after that, both
 * sides send messages of one or more frames:
 *
 *     frame  = flags, length (big-endian), body
 *     flags  = bit 0 "more frames follow", bit 1 "length is 8 bytes, not 1", bit 2 "command"
 *
 * Source: https://rfc.zeromq.org/spec/23/ (ZMTP 3.0). The npm package `zeromq` loads in Deno but loses about
 * one reply in 500, which is why this exists. It does not: listen, reconnect, authenticate (mechanism NULL
 * only; the Jupyter protocol signs its messages instead) or speak socket types other than DEALER and SUB.
 */

/** DEALER for request channels (shell, control, stdin), SUB for the broadcast channel (iopub). */
export type SocketType = "DEALER" | "SUB";

/**
 * A frame longer than this is taken for a broken stream, not for a message: the largest cell output seen is
 * under 10 MB.
 */
const MAX_FRAME_BYTES = 1 << 30;

const GREETING_BYTES = 64;
const FLAG_MORE = 1;
const FLAG_LONG = 2;
const FLAG_COMMAND = 4;

const encoder = new TextEncoder();

function concat(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}

/** One frame as bytes. Bodies of up to 255 bytes have a one-byte length, longer ones eight bytes. */
export function encodeFrame(body: Uint8Array, more = false, command = false): Uint8Array<ArrayBuffer> {
  const long = body.length > 255;
  const header = new Uint8Array(long ? 9 : 2);
  header[0] = (more ? FLAG_MORE : 0) | (long ? FLAG_LONG : 0) | (command ? FLAG_COMMAND : 0);
  if (long) new DataView(header.buffer).setBigUint64(1, BigInt(body.length));
  else header[1] = body.length;
  return concat(header, body);
}

/** The greeting: signature, version 3.0, mechanism NULL padded to 20 bytes, as-server 0, filler. */
export function encodeGreeting(): Uint8Array<ArrayBuffer> {
  const greeting = new Uint8Array(GREETING_BYTES);
  greeting[0] = 0xff;
  greeting[9] = 0x7f;
  greeting[10] = 3;
  greeting.set(encoder.encode("NULL"), 12);
  return greeting;
}

/** The body of a READY command: its name, then properties as (1-byte length, name, 4-byte length, value). */
export function encodeReady(properties: Record<string, string>): Uint8Array<ArrayBuffer> {
  const parts = [new Uint8Array([5]), encoder.encode("READY")];
  for (const [name, value] of Object.entries(properties)) {
    const nameBytes = encoder.encode(name), valueBytes = encoder.encode(value);
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, valueBytes.length);
    parts.push(new Uint8Array([nameBytes.length]), nameBytes, length, valueBytes);
  }
  return concat(...parts);
}

const lengthOf = (bytes: Uint8Array) => Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0));

/** The peer closed the connection between two messages: an end, not a fault. */
class PeerClosed extends Error {}

export class ZmtpSocket {
  readonly #connection: Deno.TcpConn;
  #unread: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #receiving = false;
  #writes: Promise<unknown> = Promise.resolve();
  #closed = false;

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /**
   * Connects to 127.0.0.1:`port` and shakes hands. A refused connection is tried again until `signal` aborts,
   * because a kernel that is starting does not listen yet.
   */
  static async connect(port: number, type: SocketType, signal: AbortSignal): Promise<ZmtpSocket> {
    let connection: Deno.TcpConn;
    for (;;) {
      signal.throwIfAborted();
      try {
        connection = await Deno.connect({ hostname: "127.0.0.1", port });
        break;
      } catch (error) {
        if (!(error instanceof Deno.errors.ConnectionRefused)) throw error;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    const socket = new ZmtpSocket(connection);
    const abort = () => socket.close();
    signal.addEventListener("abort", abort, { once: true });
    try {
      connection.setNoDelay(true);
      await socket.#handshake(type);
    } catch (error) {
      socket.close();
      throw signal.aborted ? signal.reason : error;
    } finally {
      signal.removeEventListener("abort", abort);
    }
    return socket;
  }

  async #handshake(type: SocketType): Promise<void> {
    await this.#write(encodeGreeting());
    const greeting = await this.#read(GREETING_BYTES);
    if (greeting[0] !== 0xff || greeting[9] !== 0x7f || greeting[10] < 3) {
      throw new Error(
        `Connecting to the kernel: expected a ZMTP greeting of version 3 or later, got the bytes ` +
          `${[...greeting.subarray(0, 12)].join(" ")}. Does another program listen on this port?`,
      );
    }
    const properties: Record<string, string> = { "Socket-Type": type };
    if (type === "DEALER") properties.Identity = crypto.randomUUID();
    await this.#write(encodeFrame(encodeReady(properties), false, true));
    const ready = await this.#frame();
    if (!ready.command) {
      throw new Error("Connecting to the kernel: expected a READY command, got a message frame");
    }
    if (type === "SUB") await this.#write(encodeFrame(new Uint8Array([1]))); // subscribes to every topic
  }

  /** Whether a message has begun to come and has not come whole. */
  get receiving(): boolean {
    return this.#receiving;
  }

  /**
   * Sends one message of several frames. Concurrent calls are written one after the other, never interleaved.
   */
  send(frames: Uint8Array[]): Promise<void> {
    return this.#write(concat(...frames.map((frame, i) => encodeFrame(frame, i < frames.length - 1))));
  }

  /**
   * Messages in order of arrival, until either side closes. A connection that breaks inside a message throws.
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array[]> {
    let frames: Uint8Array[] = [];
    for (;;) {
      let frame;
      try {
        frame = await this.#frame();
      } catch (error) {
        if (this.#closed || (error instanceof PeerClosed && frames.length === 0)) return;
        throw error;
      }
      if (frame.command) continue; // heartbeats and the like belong to ZMTP 3.1; nothing here needs them
      frames.push(frame.body);
      if (frame.more) continue;
      this.#receiving = this.#unread.length > 0;
      yield frames;
      frames = [];
    }
  }

  /** Idempotent. An iteration in progress ends. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.close();
  }

  async #write(bytes: Uint8Array): Promise<void> {
    const write = this.#writes.then(async () => {
      for (let sent = 0; sent < bytes.length;) sent += await this.#connection.write(bytes.subarray(sent));
    });
    this.#writes = write.catch(() => {}); // a failed write fails its own caller, not the next one
    await write;
  }

  async #read(count: number, atBoundary = false): Promise<Uint8Array<ArrayBuffer>> {
    let have = this.#unread.length;
    if (have < count) {
      const buffer = new Uint8Array(Math.max(count, have + 65536)); // one for a frame of any size
      buffer.set(this.#unread);
      this.#receiving ||= have > 0;
      while (have < count) {
        const n = await this.#connection.read(buffer.subarray(have));
        if (n === null) {
          if (atBoundary && have === 0) throw new PeerClosed("the kernel closed the connection");
          throw new Error(
            `The kernel closed the connection inside a message (${have} of ${count} bytes came)`,
          );
        }
        have += n;
        this.#receiving = true;
      }
      this.#unread = buffer.subarray(0, have);
    }
    const read = this.#unread.subarray(0, count);
    this.#unread = this.#unread.subarray(count);
    return read;
  }

  async #frame(): Promise<{ more: boolean; command: boolean; body: Uint8Array }> {
    const [flags] = await this.#read(1, true);
    const length = flags & FLAG_LONG ? Number(lengthOf(await this.#read(8))) : (await this.#read(1))[0];
    if (length > MAX_FRAME_BYTES) {
      throw new Error(`A frame of ${length} bytes was announced, more than the limit of ${MAX_FRAME_BYTES}`);
    }
    const body = await this.#read(length);
    return { more: (flags & FLAG_MORE) !== 0, command: (flags & FLAG_COMMAND) !== 0, body };
  }
}
