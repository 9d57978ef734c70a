/** How `deno task bench:devices` measures and what it prints, and PyTorch's part of it. */
import { fileURLToPath } from "node:url";
import type { Device } from "../../lib/tensor/device.ts";
import type { RunOptions } from "../../lib/tensor/run.ts";

/** What is measured. */
export interface Case {
  name: string;
  /** Prompts in a batch; none of a bare product. */
  batch?: number;
  tokens: number;
  flops?: number;
  run: (options: RunOptions) => Promise<unknown>;
}

/** One measurement. */
export interface Row extends Omit<Case, "run"> {
  side: string;
  /** Of each round. */
  seconds: number[];
  /** Why there is no measurement. */
  failed?: string;
}

/** What PyTorch measures too, by the name it has here. */
export const PEER_NAMES = { product: "bare product", forward: "forward pass" } as const;

export function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

/**
 * All cases in turn, in rounds; the first round compiles and sends the weights, and is not counted. A case
 * that took `most` seconds sits out the rest, and so does one that failed.
 */
export async function measured(
  devices: readonly Device[],
  cases: readonly Case[],
  rounds: number,
  most: number,
): Promise<Row[]> {
  const rows = devices.flatMap((device) =>
    cases.map(({ run, ...what }) => {
      const row: Row = { side: `this project, ${device}`, ...what, seconds: [] };
      return { device, run, row, spent: 0 };
    })
  );
  for (let round = -1; round < rounds; round++) {
    for (const one of rows) {
      if (one.row.failed || one.row.seconds.length > 0 && one.spent >= most) continue;
      const began = performance.now();
      try {
        await one.run({ device: one.device });
      } catch (error) {
        one.row.failed = error instanceof Error ? error.message : String(error);
        console.error(`${one.row.side}, ${one.row.name}, batches of ${one.row.batch}: ${one.row.failed}`);
        continue;
      }
      const seconds = (performance.now() - began) / 1000;
      one.spent += seconds;
      if (round >= 0) one.row.seconds.push(seconds);
    }
  }
  return rows.map(({ row }) => row);
}

/** A Markdown table of medians. "of bare": as a part of the same side's bare product. `tflops`: the peak. */
export function tableOf(rows: readonly Row[], tflops?: number): string {
  const rateOf = ({ flops, seconds }: Row) =>
    flops === undefined || seconds.length === 0 ? undefined : flops / medianOf(seconds) / 1e12;
  const lines = rows.map((row) => {
    const { side, name, batch, tokens, seconds, failed } = row, rate = rateOf(row);
    const bare = rows.find((other) => other.side === side && other.name === PEER_NAMES.product)!;
    const part = (of?: number) => rate && of ? `${Math.round(100 * rate / of)} %` : "";
    const speed = failed ? "failed" : tokens ? Math.round(tokens / medianOf(seconds)) : "";
    return `| ${side} | ${name} | ${batch ?? ""} | ${speed} | ${rate?.toPrecision(3) ?? ""} | ${
      part(rateOf(bare))
    } | ${part(tflops)} |`;
  });
  return [
    "| side | what | batch | tokens/s | TFLOP/s | of bare | of peak |",
    "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ...lines,
  ].join("\n");
}

interface PeerRow {
  card: string;
  precision: string;
  task: keyof typeof PEER_NAMES;
  batch?: number;
  tokens: number;
  seconds: number[];
  failed?: string;
}

/** PyTorch's, with the FLOPs of the same cases here. @throws with Python's own words where it fails */
export async function peerRows(
  python: string,
  shape: Record<string, unknown>,
  cases: readonly Case[],
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
  const rows: PeerRow[] = JSON.parse(new TextDecoder().decode(stdout));
  return rows.map(({ card, precision, task, ...row }) => {
    const name = PEER_NAMES[task];
    const { flops } = cases.find((one) => one.name === name && one.batch === row.batch) ?? {};
    return { side: `PyTorch, ${precision}, ${card}`, name, ...row, ...(flops !== undefined && { flops }) };
  });
}
