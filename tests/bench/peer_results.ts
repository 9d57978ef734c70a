/** The table of bench_peer.ts, and its place in results.md. */
import { writeWhole } from "../../lib/checkpoints/write_whole.ts";
import type { ModelConfig } from "../../lib/checkpoints/mod.ts";

export interface Measured {
  seconds: number[];
  /** Largest resident memory after loading, MiB. */
  peak: number;
  /** Resident memory when the model was loaded, MiB. */
  loaded: number;
}

export interface Row {
  what: string;
  prompts: number;
  /** Ours, the peer, and where there is one the peer with settings for memory. */
  sides: Measured[];
}

export interface Report {
  rows: Row[];
  about: Record<string, unknown>;
  options: Record<string, unknown>;
  length: number;
  load: number[];
  config: ModelConfig;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

const SIDES = ["this project", "TransformerLens", "TransformerLens, memory kept"];

export function markdown({ rows, about, options, length, load, config }: Report): string {
  const { versions, machine } = about as {
    versions: Record<string, string>;
    machine: Record<string, string>;
  };
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ");
  const lines = [
    `Measured ${
      new Date().toISOString().slice(0, 10)
    }. ${machine.processor}, ${machine.cores} cores, ${machine.system}.`,
    `Deno ${Deno.version.deno}; ${named}. ${options.threads} threads on each side; TransformerLens in batches of`,
    `${options["peer-batch"]}. Load of the machine before and after: ${
      load.map((l) => l.toFixed(1)).join(", ")
    } (the benchmark`,
    `itself makes about ${options.threads}). ${config.n_layers} layers, d_model ${config.d_model}, ${config.n_heads} heads, vocabulary`,
    `${config.d_vocab}; prompts of ${length} tokens. ${about.count} medians of Figures 1–3 agree; largest difference`,
    `${Number(about.worst).toExponential(1)}.`,
    "",
    "| task | side | seconds: median (least–most) | × ours | peak MiB | × ours | beyond the loaded model |",
    "|---|---|---|---|---|---|---|",
  ];
  for (const { what, prompts, sides } of rows) {
    const [mine] = sides;
    sides.forEach((side, i) => {
      const { seconds, peak, loaded } = side;
      const span = seconds.length > 1
        ? ` (${Math.min(...seconds).toFixed(2)}–${Math.max(...seconds).toFixed(2)})`
        : " (once)";
      const times = median(seconds.map((s, round) => s / mine.seconds[round])).toFixed(2);
      const cells = [
        i === 0 ? `${what}, ${prompts} prompts` : "",
        SIDES[i],
        median(seconds).toFixed(2) + span,
        i === 0 ? "" : times,
        peak.toFixed(0),
        i === 0 ? "" : (peak / mine.peak).toFixed(1),
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
  const old = await Deno.readTextFile(path).catch(() => `# Beside TransformerLens\n\n${BEGIN}\n${END}\n`);
  const [before, after] = [old.indexOf(BEGIN), old.indexOf(END)];
  if (before < 0 || after < before) throw new Error(`${path}: expected the marks ${BEGIN} and ${END}`);
  const text = old.slice(0, before + BEGIN.length) + "\n\n" + table + "\n\n" + old.slice(after);
  await writeWhole(path, new TextEncoder().encode(text));
}
