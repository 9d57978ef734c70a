/**
 * The connection file of a Jupyter kernel: the ports it shall listen on and the key that signs its messages.
 * Source: https://jupyter-client.readthedocs.io/en/stable/kernels.html#connection-files.
 */

export interface Connection {
  transport: "tcp";
  ip: "127.0.0.1";
  signature_scheme: "hmac-sha256";
  key: string;
  kernel_name: string;
  shell_port: number;
  iopub_port: number;
  stdin_port: number;
  control_port: number;
  hb_port: number;
}

/**
 * A connection with a new key and five ports that were free a moment ago. Another process can take one of
 * them before the kernel listens; the kernel then exits at once, and starting again with a new connection is
 * the cure.
 */
export function newConnection(): Connection {
  const listeners = Array.from({ length: 5 }, () => Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const ports = listeners.map((listener) => (listener.addr as Deno.NetAddr).port);
  for (const listener of listeners) listener.close();
  return {
    transport: "tcp",
    ip: "127.0.0.1",
    signature_scheme: "hmac-sha256",
    key: crypto.randomUUID(),
    kernel_name: "deno",
    shell_port: ports[0],
    iopub_port: ports[1],
    stdin_port: ports[2],
    control_port: ports[3],
    hb_port: ports[4],
  };
}

/**
 * Writes the connection file into `directory`, readable by its owner alone (it holds the key). Returns its
 * path.
 */
export async function writeConnectionFile(connection: Connection, directory: string): Promise<string> {
  const path = `${directory}/kernel-${crypto.randomUUID()}.json`;
  try {
    await Deno.writeTextFile(path, JSON.stringify(connection), { mode: 0o600, createNew: true });
  } catch (error) {
    await Deno.remove(path).catch(() => {}); // a full disk leaves an empty file
    throw new Error(`Starting the kernel: writing its connection file failed: ${(error as Error).message}`, {
      cause: error,
    });
  }
  return path;
}
