/** The libraries that bench_peer.ts measures, and which of them are there. */

export interface Peer {
  /** What peer.py calls it. */
  key: "lens3" | "lens4" | "nnsight";
  name: string;
  /** Environment variable that names its Python. */
  variable: string;
  python: string;
}

const known = (key: Peer["key"], name: string, variable: string, fallback = ""): Peer => {
  return { key, name, variable, python: Deno.env.get(variable) ?? fallback };
};

export const PEERS: readonly Peer[] = [
  known("lens3", "TransformerLens 3", "PEER_PYTHON", "python3"),
  known("lens4", "TransformerLens 4", "PEER_PYTHON_4"),
  known("nnsight", "nnsight", "PEER_PYTHON_NNSIGHT"),
];

/**
 * Fails where the library, in the version that this peer is, is not installed. Asked of its metadata: to
 * import it takes long.
 */
const CHECKS: Record<Peer["key"], string> = {
  lens3: "assert version('transformer-lens').startswith('3.')",
  lens4: "assert version('transformer-lens').startswith('4.')",
  nnsight: "version('nnsight')",
};

async function isThere({ key, python }: Peer): Promise<boolean> {
  if (!python) return false;
  const args = ["-c", `from importlib.metadata import version; ${CHECKS[key]}`];
  try {
    return (await new Deno.Command(python, { args, stderr: "null" }).output()).success;
  } catch {
    return false; // there is no such program, or it may not be run
  }
}

export async function peersThatAreThere(): Promise<Peer[]> {
  const found: Peer[] = [];
  for (const peer of PEERS) {
    if (await isThere(peer)) found.push(peer);
    else {
      const why = peer.python ? `${peer.python} does not have it` : `${peer.variable} names no Python`;
      console.log(`${peer.name} is left out: ${why}`);
    }
  }
  return found;
}
