/**
 * Ends a kernel whose parent was killed without notice: it is asked over its own control channel, with the
 * key of its connection file, so that no other process can be meant (a process id may belong to somebody else
 * by now).
 */
import type { Connection } from "./connection.ts";
import { decodeMessage, encodeMessage, newMessage } from "./messages.ts";
import { ZmtpSocket } from "./zmtp.ts";

/** How long a kernel that lives takes to be reached, and to answer. */
const GRACE_MS = 3000;

/**
 * Asks the kernel of a connection file to end. Returns whether one answered; when none does, it has ended
 * already.
 */
export async function endOrphan(connectionFile: string): Promise<boolean> {
  let connection: Connection;
  try {
    connection = JSON.parse(await Deno.readTextFile(connectionFile));
  } catch {
    return false; // empty or half written: no kernel ever read it
  }
  const { control_port, key } = connection;
  if (!Number.isInteger(control_port) || typeof key !== "string" || !await listens(control_port)) {
    return false;
  }
  const timeout = AbortSignal.timeout(GRACE_MS);
  let socket: ZmtpSocket | undefined;
  const close = () => socket?.close();
  timeout.addEventListener("abort", close, { once: true });
  try {
    socket = await ZmtpSocket.connect(control_port, "DEALER", timeout);
    const request = newMessage("shutdown_request", { restart: false }, crypto.randomUUID());
    await socket.send(encodeMessage(request, key));
    for await (const frames of socket) {
      if (decodeMessage(frames, key).parent_header.msg_id === request.header.msg_id) return true;
    }
    return false;
  } catch {
    return false; // another program listens there now
  } finally {
    timeout.removeEventListener("abort", close);
    close();
  }
}

async function listens(port: number): Promise<boolean> {
  try {
    (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    return true;
  } catch {
    return false;
  }
}
