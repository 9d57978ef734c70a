/** The table of bench_peer.ts, and its place in results.md. */
import { writeWhole } from "../../lib/checkpoints/write_whole.ts";
import type { ModelConfig } from "../../lib/checkpoints/mod.ts";
import type { Agreement } from "./peer_medians.ts";

export interface Measured {
  side: string;
  seconds: number[];
  /** Processor seconds. */
  cpu: number[];
  /** Of each round over ours in the same round. */
  times?: { seconds: number[]; cpu: number[] };
  /** Largest resident memory during the task, MiB. */
  peak: number;
  /** Resident memory before it, with the model loaded, MiB. */
  loaded: number;
}

export interface Row {
  what: string;
  prompts: number;
  /** Ours, then each peer, where there is one also with settings for memory. */
  sides: Measured[];
}

export interface Report {
  rows: Row[];
  peers: { name: string; about: Record<string, unknown>; agreements: Record<string, Agreement> }[];
  options: Record<string, unknown>;
  length: number;
  load: number[];
  config: ModelConfig;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

export function markdown({ rows, peers, options, length, load, config }: Report): string {
  const { machine } = peers[0].about as { machine: Record<string, string> };
  const versions: Record<string, string> = {};
  for (const { about } of peers) {
    for (const [name, version] of Object.entries(about.versions as Record<string, string>)) {
      const known = versions[name];
      versions[name] = known && known !== version ? `${known} and ${version}` : version;
    }
  }
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ");
  const lines = [
    `Measured ${new Date().toISOString().slice(0, 10)}. ${machine.processor}, ${machine.cores} cores,`,
    `${machine.system}. Deno ${Deno.version.deno}; ${named}.`,
    `Threads of each side: ${options.threads}. Peers in batches of ${
      options["peer-batch"]
    }. Rounds: ${options.rounds}.`,
    `Load of the machine before and after: ${
      load.map((l) => l.toFixed(1)).join(", ")
    } (the benchmark itself makes`,
    `about ${options.threads}; where it is much more, look at the processor seconds). ${config.n_layers} layers, d_model`,
    `${config.d_model}, ${config.n_heads} heads, vocabulary ${config.d_vocab}; prompts of ${length} tokens. Medians that`,
    "agree with ours, and the largest difference:",
    "",
    ...peers.map(({ name, agreements }) => {
      const said = Object.entries(agreements).map(([what, { count, worst }]) =>
        `${count} of ${what} (${worst.toExponential(1)})`
      );
      return `- ${name}: ${said.join(", ") || "none yet"}`;
    }),
    "",
    "| task | side | seconds: median (least–most) | × ours | processor seconds | × ours | peak MiB | × ours | beyond the loaded model |",
    "|---|---|---|---|---|---|---|---|---|",
  ];
  for (const { what, prompts, sides } of rows) {
    const [mine] = sides;
    sides.forEach(({ side, seconds, cpu, times, peak, loaded }, i) => {
      const span = seconds.length > 1
        ? ` (${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)})`
        : " (once)";
      const cells = [
        i === 0 ? `${what}, ${prompts} prompts` : "",
        side,
        median(seconds).toFixed(2) + span,
        times ? median(times.seconds).toFixed(2) : "",
        median(cpu).toFixed(2),
        times ? median(times.cpu).toFixed(2) : "",
        peak.toFixed(0),
        times ? (peak / mine.peak).toFixed(1) : "",
        (peak - loaded).toFixed(0),
      ];
      lines.push(`| ${cells.join(" | ")} |`);
    });
  }
  return lines.join("\n");
}

const [BEGIN, END] = ["<!-- measured -->", "<!-- /measured -->"];

/** Puts the table between its two marks in the file; what stands around them is kept. */
export async function writeResults(path: string, table: string): Promise<void> {
  const old = await Deno.readTextFile(path).catch(() =>
    `# Beside TransformerLens and nnsight\n\n${BEGIN}\n${END}\n`
  );
  const [before, after] = [old.indexOf(BEGIN), old.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`${path}: expected the marks ${BEGIN} and ${END}`);
  const text = old.slice(0, before + BEGIN.length) + "\n\n" + table + "\n\n" + old.slice(after);
  await writeWhole(path, new TextEncoder().encode(text));
}
