/**
 * Every pair of the first pass as tables: rows are writers, columns the nodes that could read them. For a report, and for whoever
 * wants to look for something else than clean-up.
 */
import { POSITION_BINS, type Screen } from "./screen.ts";

export interface PairTable {
  writers: string[];
  nodes: string[];
  /** [writer][node]; null where the node cannot read the writer, or the writer writes nothing. Ratio: Σ a·b / Σ ‖b‖². */
  ratio: (number | null)[][];
  median: (number | null)[][];
  /** Quantiles 0.125, 0.25, 0.75 and 0.875 of PR. */
  quantiles: ([number, number, number, number] | null)[][];
  /** P(PR < 0). */
  below: (number | null)[][];
  /** Mean cosine. */
  cosine: (number | null)[][];
  /** The ratio in each of `positionBins` equal parts of the prompt. */
  byPosition: ((number | null)[] | null)[][];
  positionBins: number;
}

/** Six digits are more than float32 sums hold. */
const short = (x: number): number | null => Number.isFinite(x) ? Number(x.toPrecision(6)) : null;

export function pairTable(screen: Screen): PairTable {
  const { components, nodes: histograms, state } = screen;
  const writers = components.flatMap(({ kind }, i) => kind === "bias" ? [] : [i]);
  const nodes = components.flatMap(({ kind }, i) => kind === "head" || kind === "mlp" ? [i] : []);
  const table = <T>(value: (writer: number, node: number) => T): (T | null)[][] =>
    writers.map((w) => nodes.map((c) => screen.canRead(c, w) && state.tokens[w] > 0 ? value(w, c) : null));
  const bins = Array.from({ length: POSITION_BINS }, (_, bin) => bin);
  const quantile = (w: number, c: number, p: number) => histograms.quantile(screen.pair(w, c), p);
  return {
    writers: writers.map((w) => components[w].name),
    nodes: nodes.map((c) => components[c].name),
    ratio: table((w, c) => short(screen.ratio(w, c))),
    median: table((w, c) => short(quantile(w, c, 0.5))),
    quantiles: table((w, c) =>
      [0.125, 0.25, 0.75, 0.875].map((p) => short(quantile(w, c, p))!) as [number, number, number, number]
    ),
    below: table((w, c) => short(histograms.shareBelowZero(screen.pair(w, c)))),
    cosine: table((w, c) => short(state.cosine[screen.pair(w, c)] / state.tokens[w])),
    byPosition: table((w, c) => bins.map((bin) => short(screen.ratio(w, c, bin)))),
    positionBins: POSITION_BINS,
  };
}
