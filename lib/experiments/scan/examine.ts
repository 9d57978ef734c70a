/**
 * The second pass of a scan, on prompts that the first did not see: is more of each candidate's output erased
 * than of its rotated output, surely so, who erases it, and where along the depth?
 */
import { type ModelConfig, selectPrompts } from "../../checkpoints/mod.ts";
import { atPositions } from "../../metrics/retention.ts";
import { rotated, rotationsFrom } from "../../metrics/rotation.ts";
import { benjaminiHochberg } from "../../stats/significance.ts";
import type { RunOptions } from "../../tensor/run.ts";
import { feed, type Model } from "../../transformer/model.ts";
import { cleanersOf } from "../retention/cleaners.ts";
import { BLOCKS, RemovalStats, removalStats } from "../retention/removal_stats.ts";
import {
  controlKeyOf,
  measureRemovals,
  removalsOf,
  shapeOfRemoval,
  withControls,
} from "../retention/removals.ts";
import type { Sizes } from "../retention/sizes.ts";
import {
  type Entry,
  type Keeping,
  measureSums,
  type OnPass,
  type Part,
  type Share,
  Sums,
} from "../retention/sums.ts";
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

/** Name of what an examination measures besides removals. */
const SHARED = "sums: shared";
const blocksOf = (count: number) => Math.min(BLOCKS, count);
const sharedNames = (names: readonly string[]) => names.flatMap((name) => [`${name} both`, `${name} own`]);

/**
 * Everything that an examination of these writers measures, with nothing in it.
 * @param count prompts of all shares
 */
export function emptyExamination(
  config: ModelConfig,
  names: readonly string[],
  count: number,
  { rotations }: ScanSettings,
): Part {
  const part = new Map<string, Entry>([[SHARED, new Sums(sharedNames(names), 1)]]);
  for (const writer of names) {
    const keys = Array.from({ length: rotations }, (_, i) => controlKeyOf(writer, i));
    for (const key of [writer, ...keys]) {
      part.set(key, new RemovalStats(shapeOfRemoval(config, writer, blocksOf(count)), "locations"));
    }
  }
  return part;
}

export async function measureExamination(
  model: Model,
  names: readonly string[],
  share: Share,
  settings: ScanSettings,
  options: RunOptions & Keeping & { onPass?: OnPass },
): Promise<Part> {
  const { done, onMeasured, onPass, ...run } = options;
  const { prompts, first, all } = share, { seed, rotations } = settings;
  const shared = done?.get(SHARED) as Sums | undefined ?? new Sums(sharedNames(names), 1);
  if (names.length === 0) return new Map([[SHARED, shared]]);
  onPass?.(`examining ${names.length} of them`, prompts.count);
  const clean = model.forward();
  const turns = rotationsFrom(model.config, seed, rotations);
  const removals = removalsOf(names.map((writer) => {
    const w = clean.node(writer), controls = turns.map((Q) => atPositions(rotated(w, Q)));
    return withControls({ key: writer, writer, delta: atPositions(w) }, controls);
  }));
  const whole = (stats: Part) => new Map<string, Entry>([[SHARED, shared], ...stats]);
  const stats = await measureRemovals(model, prompts, clean, removals, {
    ...run,
    firstPrompt: first,
    blocks: blocksOf(all.count),
    kept: "locations",
    done: removalStats(done),
    onMeasured: (stats) => onMeasured?.(whole(stats)),
  });
  const quiet = { ...run, onProgress: undefined };
  await addShared(shared, model, names, share, quiet, () => onMeasured?.(whole(stats)));
  return whole(stats);
}

/** The second pass, read. */
export function readExamination(
  config: ModelConfig,
  names: readonly string[],
  part: Part,
  sizes: Sizes,
  settings: ScanSettings,
): ExaminedWriter[] {
  const { seed, rotations } = settings;
  const stats = removalStats(part), shared = part.get(SHARED) as Sums;
  const summaries = names.map((name) => {
    const controls = Array.from({ length: rotations }, (_, i) => stats.get(controlKeyOf(name, i))!);
    return new Summary(config, name, stats.get(name)!, controls, { seed, quantiles: [0.25, 0.75] });
  });
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
      cleaners: cleanersOf(config, summary),
      specificRatio: summary.specificRatio(),
      leftByLength: summary.leftByLength(),
      shared: shared.of(`${name} both`)[0] / shared.of(`${name} own`)[0],
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
async function addShared(
  sums: Sums,
  model: Model,
  names: readonly string[],
  share: Share,
  options: RunOptions,
  onMeasured: () => void | Promise<void>,
): Promise<void> {
  const clean = model.forward(), other = model.forward({ tokens: model.tokens("other") });
  const outputs = Object.fromEntries(names.flatMap((name) => {
    const w = atPositions(clean.node(name));
    return [
      [`${name} both`, w.dot(other.node(name), "d_model").sum("pos")],
      [`${name} own`, w.sumSquares("d_model").sum("pos")],
    ];
  }));
  const { prompts, first, all } = share;
  const rows = Array.from({ length: prompts.count }, (_, i) => first + i);
  const neighbours = selectPrompts(shiftedPrompts(all), rows);
  const feeds = { ...feed(prompts, model.config), other: feed(neighbours).tokens };
  await measureSums(sums, outputs, feeds, share, options, onMeasured);
}
