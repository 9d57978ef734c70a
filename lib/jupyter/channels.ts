/**
 * The channels between this process and a kernel: requests go out on shell and control, each answered by one
 * reply there and by broadcasts on iopub that end with the status `idle`. The stdin and heartbeat channels
 * are not used: cells run unattended, and the kernel is a child whose end shows by itself.
 */
import type { Connection } from "./connection.ts";
import { decodeMessage, encodeMessage, type Fields, type Message, newMessage } from "./messages.ts";
import { KernelDiedError } from "./process.ts";
import { ZmtpSocket } from "./zmtp.ts";

type ChannelName = "shell" | "control" | "iopub";

/** One request and what has come back for it so far. */
export interface Request {
  reply?: Message;
  /** Whether the kernel has said, on iopub, that it is done with this request. Outputs may still follow. */
  idle: boolean;
  /** `performance.now()` of the last message that belongs to this request. */
  lastMessageAt: number;
  onBroadcast?: (message: Message) => void;
  /** Resolves when both the reply and `idle` have come. */
  done: PromiseWithResolvers<void>;
}

export class Channels {
  /** Rejects when a connection breaks or carries something that is no message of this session. */
  readonly broken: Promise<never>;
  readonly #break: (error: Error) => void;
  readonly #connection: Connection;
  readonly #session = crypto.randomUUID();
  readonly #sockets = new Map<ChannelName, ZmtpSocket>();
  /** Kept until the end: an output may come after its cell was taken for finished. */
  readonly #requests = new Map<string, Request>();
  #closed = false;

  constructor(connection: Connection) {
    this.#connection = connection;
    const { promise, reject } = Promise.withResolvers<never>();
    promise.catch(() => {}); // whoever waits races on it; nobody waiting is no error
    this.broken = promise;
    this.#break = reject;
  }

  /** Connects all channels. Retries while the kernel does not listen yet, until `signal` aborts. */
  async open(signal: AbortSignal): Promise<void> {
    const { iopub_port, shell_port, control_port } = this.#connection;
    await Promise.all([
      this.#open("iopub", iopub_port, signal),
      this.#open("shell", shell_port, signal),
      this.#open("control", control_port, signal),
    ]);
  }

  async #open(name: ChannelName, port: number, signal: AbortSignal): Promise<void> {
    const socket = await ZmtpSocket.connect(port, name === "iopub" ? "SUB" : "DEALER", signal);
    if (this.#closed) return socket.close();
    this.#sockets.set(name, socket);
    this.#receive(name, socket);
  }

  async send(
    channel: "shell" | "control",
    type: string,
    content: Fields,
    onBroadcast?: (message: Message) => void,
  ): Promise<Request> {
    const message = newMessage(type, content, this.#session);
    const request: Request = { idle: false, lastMessageAt: 0, onBroadcast, done: Promise.withResolvers() };
    this.#requests.set(message.header.msg_id, request); // before sending: the answer can be very quick
    await this.#sockets.get(channel)!.send(encodeMessage(message, this.#connection.key));
    return request;
  }

  /** Whether a broadcast has begun to come and has not come whole: a large output takes its time. */
  get receiving(): boolean {
    return this.#sockets.get("iopub")?.receiving ?? false;
  }

  /** Idempotent. */
  close(): void {
    this.#closed = true;
    for (const socket of this.#sockets.values()) socket.close();
  }

  async #receive(channel: ChannelName, socket: ZmtpSocket): Promise<void> {
    try {
      for await (const frames of socket) {
        this.#dispatch(channel, decodeMessage(frames, this.#connection.key));
      }
    } catch (error) {
      this.#break(new KernelDiedError(`The connection to the kernel broke: ${error}`, { cause: error }));
    }
  }

  #dispatch(channel: ChannelName, message: Message): void {
    const request = this.#requests.get(message.parent_header?.msg_id ?? "");
    if (!request) return; // status messages of the start-up have no parent
    request.lastMessageAt = performance.now();
    if (channel !== "iopub") request.reply = message;
    else if (message.header.msg_type !== "status") request.onBroadcast?.(message);
    else if (message.content.execution_state === "idle") request.idle = true;
    if (request.reply && request.idle) request.done.resolve();
  }
}
