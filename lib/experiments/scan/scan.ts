/**
 * Scans a model for clean-up: which nodes write what is later erased, who erases it, is it causal, and does it make direct logit
 * attribution mislead?
 *
 * Prompts are halved: writers are chosen on the first half (screen.ts) and examined on the second (confirm.ts, causal.ts), so that
 * the choice does not flatter the evidence. Every writer passed over and every cleaner rejected is in the report with its reason.
 */
import { type Prompts } from "../../checkpoints/mod.ts";
import type { RunOptions } from "../../tensor/run.ts";
import type { Model } from "../../transformer/model.ts";
import { assumptions, Bands, measure } from "../experiment.ts";
import { nodesOntoWriter } from "../node_projections.ts";
import { residualOntoWriter } from "../residual_projections.ts";
import type { LocationRow, NodeRow } from "../rows.ts";
import { type Candidate, candidates, type CandidateSettings } from "./candidates.ts";
import { type Causal, causes } from "./causal.ts";
import { type Cleaners, type CleanerSettings, judge } from "./cleaners.ts";
import { confirm, type Evidence } from "./confirm.ts";
import { Screen } from "./screen.ts";

export interface ScanSettings extends CandidateSettings, CleanerSettings {
  /** Prompts on which DLA is measured: the post's number is 30. */
  attributionPrompts: number;
  seed: number;
}

export const DEFAULT_SETTINGS: ScanSettings = {
  present: [0.5, 1.5],
  drop: 0.3,
  writers: 4,
  below: 0.8,
  q: 0.05,
  effect: 0.02,
  groupEffect: 0.2,
  dropShare: 0.5,
  attributionPrompts: 30,
  seed: 1,
};

/** A writer that was examined, found or not. */
export interface ExaminedWriter {
  candidate: Candidate;
  evidence: Evidence;
  verdict: Cleaners;
  /** For a writer that was found: the rows of Figures 1 and 2, and the causal measurements. */
  locations?: LocationRow[];
  nodes?: NodeRow[];
  causal?: Causal;
}

export interface ScanResult {
  settings: ScanSettings;
  assumptions: Record<string, string>;
  writers: ExaminedWriter[];
  /** Nodes that were passed over after the first pass, with the reason. */
  passedOver: Candidate[];
}

export interface ScanOptions extends RunOptions {
  settings?: Partial<ScanSettings>;
  /** The first pass, when it is to be saved while it runs or taken up again. */
  screen?: Screen;
  onBatch?: () => void | Promise<void>;
  /** Told at the start of each pass. */
  onPass?: (name: string, prompts: number) => void;
}

/** Splits prompts into halves, every other one, so that both have the same mix. */
export function halves(prompts: Prompts): [Prompts, Prompts] {
  if (prompts.count < 4) {
    throw new Error(
      `scan: got ${prompts.count} prompts from ${prompts.source}; expected at least 4, half to choose and half to test`,
    );
  }
  const take = (offset: number): Prompts => {
    const count = Math.floor((prompts.count + 1 - offset) / 2);
    const tokens = new Int32Array(count * prompts.length);
    for (let i = 0; i < count; i++) {
      const from = (2 * i + offset) * prompts.length;
      tokens.set(prompts.tokens.subarray(from, from + prompts.length), i * prompts.length);
    }
    const kinds = prompts.kinds?.filter((_, i) => i % 2 === offset);
    return { ...prompts, tokens, count, ...(kinds && { kinds }) };
  };
  return [take(0), take(1)];
}

/** @throws when no two prompts differ: every null would equal what it is compared with. */
function checkDifferent(prompts: Prompts): void {
  const { tokens, count, length, source } = prompts;
  for (let row = 1; row < count; row++) {
    for (let t = 0; t < length; t++) if (tokens[row * length + t] !== tokens[t]) return;
  }
  throw new Error(`scan: all ${count} prompts of ${source} are the same; expected different texts`);
}

export async function scan(model: Model, prompts: Prompts, options: ScanOptions = {}): Promise<ScanResult> {
  const settings = { ...DEFAULT_SETTINGS, ...options.settings };
  const { screen = new Screen(model), onPass, onBatch, settings: _, ...run } = options;
  if (prompts.length < 8) {
    throw new Error(
      `scan: got prompts of ${prompts.length} tokens from ${prompts.source}; expected at least 8`,
    );
  }
  checkDifferent(prompts);
  const [first, second] = halves(prompts);
  onPass?.("choosing writers", first.count);
  await screen.fold(first, { ...run, onBatch });
  const all = candidates(screen, settings);
  const chosen = all.filter((c) => !c.rejected);

  onPass?.("testing cleaners", second.count);
  const bands = new Bands();
  const evidence = await confirm(model, screen, chosen, second, {
    ...run,
    seed: settings.seed,
    quantiles: bands.quantiles,
  });
  const writers: ExaminedWriter[] = [];
  for (const [i, candidate] of chosen.entries()) {
    const verdict = judge(evidence[i], settings);
    const examined: ExaminedWriter = { candidate, evidence: evidence[i], verdict };
    writers.push(examined);
    if (verdict.notFound) continue;
    onPass?.(`patching the cleaners of ${candidate.name}`, second.count);
    const names = verdict.cleaners.map((c) => c.node);
    const clean = model.forward();
    const writer = clean.node(candidate.name);
    const { rows } = await measure(model, second, {
      locations: residualOntoWriter({ clean }, candidate.name, writer),
      nodes: nodesOntoWriter(clean, candidate.name, writer, { cleaners: names }),
    }, run);
    Object.assign(examined, rows);
    examined.causal = await causes(model, candidate.name, names, second, {
      ...run,
      attributionPrompts: settings.attributionPrompts,
    });
  }
  return {
    settings,
    assumptions: {
      ...assumptions(model, prompts, bands),
      split: "writers are chosen on every other prompt and tested on the rest",
      causal:
        "V input (heads) or normalised input (MLPs) patched, scales frozen to the clean run's unless said otherwise",
    },
    writers,
    passedOver: all.filter((c) => c.rejected),
  };
}
