/**
 * The second pass of a scan, on prompts that the first did not see: is more of each candidate's output erased
 * than of its rotated output, surely so, who erases it, and where along the depth?
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import { atPositions } from "../../metrics/retention.ts";
import { rotated, rotation } from "../../metrics/rotation.ts";
import { benjaminiHochberg } from "../../stats/significance.ts";
import type { RunOptions } from "../../tensor/run.ts";
import { feed, type Model } from "../../transformer/model.ts";
import type { NdArray } from "../../tensor/nd_array.ts";
import { run } from "../../tensor/run.ts";
import { cleanersOf } from "../retention/cleaners.ts";
import { measureRemovals, type Removal, removalsOf, withControls } from "../retention/removals.ts";
import type { Sizes } from "../retention/sizes.ts";
import { Summary } from "../retention/summary.ts";
import type { CleanerRow, Estimate, RetentionRow, WriterRow } from "../rows.ts";
import { shiftedPrompts } from "../shifted_prompts.ts";
import type { Attribution } from "./attribution.ts";
import type { RouteShares } from "./routes.ts";
import type { ScanSettings } from "./settings.ts";

/** A writer that was examined, found or not. */
export interface ExaminedWriter extends WriterRow {
  /** Median retention of the output rotated. */
  control: Estimate;
  /** control − left. */
  specific: Estimate;
  /**
   * One-sided p-value of "no specific erasure", adjusted over all examined writers: 0.05 is less than a
   * two-sided 95 % interval asks for.
   */
  q: number;
  /** Why it does not count as found; absent when it does. */
  notFound?: string;
  /** Retention by location, of its output and of the control. */
  locations: RetentionRow[];
  /** Who erases it. */
  cleaners: CleanerRow[];
  /** Σ of all later nodes' specific responses: what the cleaners' parts are parts of. */
  specificRatio: number;
  /**
   * Σ w·w′ / Σ ‖w‖², w′ what it writes at the same position of another prompt: 1, it writes the same
   * everywhere.
   */
  shared: number;
  /**
   * How much longer the stream is at its end than where the output is written: what stays as it was is
   * diluted by that.
   */
  growth: number;
  /**
   * Of a head: what is left of the other heads of its layer, on the first half: smallest, median and largest.
   */
  peers?: readonly [low: number, median: number, high: number];
  /**
   * 1 + Σ of all responses: what is left of all that was written, tokens weighted by the length of what is
   * written there.
   */
  leftByLength: Estimate;
  /** Of a writer that was found. */
  routes?: RouteShares;
  /** What becomes of its DLA; absent where that was not measured. */
  attribution?: Attribution;
}

export async function examine(
  model: Model,
  names: readonly string[],
  prompts: Prompts,
  sizes: Sizes,
  settings: ScanSettings,
  options: RunOptions,
): Promise<ExaminedWriter[]> {
  if (names.length === 0) return [];
  const { seed, rotations } = settings;
  const clean = model.forward();
  const turns = Array.from({ length: rotations }, (_, i) => rotation(model.config, seed + i));
  const writers = names.map((writer) => {
    const w = clean.node(writer);
    const controls = turns.map((Q) => atPositions(rotated(w, Q)));
    return withControls({ key: writer, writer, delta: atPositions(w) }, controls);
  });
  const removals = removalsOf(writers);
  const measured = await measureRemovals(model, prompts, clean, removals, { ...options, kept: "locations" });
  const stats = ({ key }: Removal) => measured.get(key)!;
  const shared = await sharedParts(model, names, prompts, { ...options, onProgress: undefined });
  const how = { seed, quantiles: [0.25, 0.75] as const };
  const summaries = writers.map(({ own, controls }) =>
    new Summary(model.config, own.writer, stats(own), controls.map(stats), how)
  );
  const adjusted = benjaminiHochberg(summaries.map((summary) => summary.pSpecific()));
  return summaries.map((summary, i): ExaminedWriter => {
    const { name } = summary, row = summary.writer(sizes.nodes.get(name)!.share);
    const [control, specific] = [row.control!, row.specific!];
    const places = summary.own.shape.locations;
    const [start, end] = [places[0], places.at(-1)!].map(({ location }) => sizes.stream.get(location)!.rest);
    const notFound = whyNotFound(specific, adjusted[i], settings);
    return {
      ...row,
      control,
      specific,
      q: adjusted[i],
      ...(notFound !== undefined && { notFound }),
      locations: summary.locations(),
      cleaners: cleanersOf(model.config, summary),
      specificRatio: summary.specificRatio(),
      leftByLength: summary.leftByLength(),
      shared: shared[i],
      growth: end / start,
    };
  });
}

function whyNotFound(
  { value, interval: [low, high] }: Estimate,
  q: number,
  settings: ScanSettings,
): string | undefined {
  // 0.148 is less than 0.15, "0.15" would not be
  const digits = value.toFixed(2) === settings.specific.toFixed(2) ? 3 : 2;
  const measured = `${value.toFixed(digits)} (${low.toFixed(2)} to ${high.toFixed(2)})`;
  if (value < settings.specific) return `its specific erasure is ${measured}, less than ${settings.specific}`;
  if (!(low > 0 && q <= settings.q)) {
    return `its specific erasure, ${measured}, is not sure: adjusted p ${q.toPrecision(2)}`;
  }
}

/**
 * Of each node: how much of what it writes it writes at the same position of another prompt as well. Position
 * 0 does not count.
 */
async function sharedParts(
  model: Model,
  names: readonly string[],
  prompts: Prompts,
  options: RunOptions,
): Promise<number[]> {
  const clean = model.forward(), other = model.forward({ tokens: model.tokens("other") });
  const outputs = names.map((name) => {
    const w = atPositions(clean.node(name));
    return { both: w.dot(other.node(name), "d_model").sum("pos"), own: w.sumSquares("d_model").sum("pos") };
  });
  const feeds = { ...feed(prompts, model.config), other: feed(shiftedPrompts(prompts)).tokens };
  const { nodes } = await run({ nodes: outputs }, feeds, options);
  const sum = ({ data }: NdArray) => (data as Float32Array).reduce((a, b) => a + b, 0);
  return nodes.map(({ both, own }) => sum(both) / sum(own));
}
