/** Made-up rows for figures: seeded, of realistic size and range, measured on nothing. */
import type { LocationRow, NodeRow, PairRow, PromptRow, RunName } from "../../lib/experiments/rows.ts";
import { Random } from "../../lib/stats/random.ts";

/** resid_pre0, resid_mid0, resid_post0, resid_mid1 … of a model with `layers` layers. */
export function locationNames(layers: number): string[] {
  const names = ["resid_pre0"];
  for (let l = 0; l < layers; l++) names.push(`resid_mid${l}`, `resid_post${l}`);
  return names;
}

export function locationRows(writers: string[], layers = 4, run: RunName = "clean", seed = 1): LocationRow[] {
  const random = new Random(seed);
  return writers.flatMap((writer) => {
    const end = random.normal();
    return locationNames(layers).map((location, i, all) => {
      const median = i === 0
        ? 0.05 * random.normal()
        : 1 + (end - 1) * i / all.length + 0.1 * random.normal();
      return {
        writer,
        location,
        run,
        median,
        low: median - 0.1 - random.next() / 3,
        high: median + 0.1 + random.next() / 3,
        n: 307200,
      };
    });
  });
}

export function nodeRows(layers = 4, heads = 8, run: RunName = "clean", seed = 2): NodeRow[] {
  const random = new Random(seed);
  const row = (
    node: string,
    kind: NodeRow["kind"],
    layer: number,
    median: number,
    cleaner = false,
  ): NodeRow => {
    const low = median - 0.05 - random.next() / 8, high = median + 0.05 + random.next() / 8;
    return { writer: "L0H2", node, kind, layer, cleaner, run, median, low, high, n: 307200 };
  };
  const rows = [row("embed", "embed", -1, -0.02), row("pos_embed", "embed", -1, 0.01)];
  for (let l = 0; l < layers; l++) {
    for (let h = 0; h < heads; h++) {
      const cleaner = l === 2 && h > 1;
      const median = cleaner && run === "clean" ? -0.15 + 0.03 * random.normal() : 0.03 * random.normal();
      if (l !== 0 || h !== 2) rows.push(row(`L${l}H${h}`, "head", l, median, cleaner));
    }
    rows.push(row(`MLP${l}`, "mlp", l, 0.03 * random.normal()));
  }
  rows.push(row("L2H2+…+L2H7", "sum", 2, -0.9, true));
  return rows;
}

export function promptRows(panel: "a" | "b", samples = 300, seed = 3): PromptRow[] {
  const random = new Random(seed);
  const texts: [string, string, string][] = [
    ["The ship left the harbour, heading either to the east or to the", " west", " east"],
    ["She studied chemistry at Oxford", " University", " City"],
    ["class Ship:\n\tdef", " __", " get"],
    ["if (a->size >= b->size) {\n    return a", ";", " +"],
  ];
  return texts.map(([prompt, correct, incorrect], i) => {
    const center = 0.3 + 0.2 * i;
    const values = Array.from({ length: samples }, () => center + 0.05 * random.normal());
    const sorted = [...values].sort((a, b) => a - b);
    const at = (q: number) => samples > 0 ? sorted[Math.floor(q * samples)] : center;
    return {
      prompt,
      correct,
      incorrect,
      node: panel === "a" ? "L0H2" : `L3H${i}`,
      panel,
      logitDifference: 1 + i / 3,
      clean: panel === "a" ? center + 0.01 : center + 0.8,
      samples: values,
      median: at(0.5),
      low: at(0.25),
      high: at(0.75),
    };
  });
}

export function pairRows(n: number, seed = 4): PairRow[] {
  const random = new Random(seed);
  return Array.from({ length: n }, (_, i) => {
    const writer = 0.3 * random.normal();
    const composition = -0.7 * writer + 0.05 + 0.1 * random.normal();
    return {
      prompt: Math.floor(i / 1023),
      position: i % 1023,
      writer,
      composition,
      total: composition + 0.5 * random.normal(),
    };
  });
}
