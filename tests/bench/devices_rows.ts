/** What `deno task bench:devices` measures, and PyTorch's part of it. */
import { fileURLToPath } from "node:url";

/** One measurement. */
export interface Row {
  side: string;
  name: string;
  tokens: number;
  flops?: number;
  seconds: number;
}

/** What PyTorch measures too, by the name it has here. */
export const PEER_NAMES = { product: "bare product", forward: "forward pass" } as const;

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/** @throws with Python's own words where it fails */
export async function peerRows(
  python: string,
  shape: Record<string, unknown> & { count: number; length: number },
  flopsOf: (name: string) => number | undefined,
): Promise<Row[]> {
  const child = new Deno.Command(python, {
    args: [fileURLToPath(new URL("devices_torch.py", import.meta.url))],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const input = child.stdin.getWriter();
  await input.write(new TextEncoder().encode(JSON.stringify(shape)));
  await input.close();
  const { success, stdout, stderr } = await child.output();
  if (!success) throw new Error(`${python} devices_torch.py failed: ${new TextDecoder().decode(stderr)}`);
  const measured: { card: string; precision: string; task: keyof typeof PEER_NAMES; seconds: number[] }[] =
    JSON
      .parse(new TextDecoder().decode(stdout));
  return measured.map(({ card, precision, task, seconds }) => {
    const name = PEER_NAMES[task], flops = flopsOf(name);
    return {
      side: `PyTorch, ${precision}, ${card}`,
      name,
      tokens: task === "forward" ? shape.count * shape.length : 0,
      ...(flops !== undefined && { flops }),
      seconds: medianOf(seconds),
    };
  });
}
