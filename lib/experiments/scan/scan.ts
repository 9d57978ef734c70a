/**
 * Scans a model for clean-up: which nodes write what is later erased, who erases it, is it causal, and does it make direct logit
 * attribution mislead?
 *
 * Prompts are halved: writers are chosen on the first half (screen.ts) and examined on the second (confirm.ts, causal.ts), so that
 * the choice does not flatter the evidence. Every writer passed over and every cleaner rejected is in the result with its reason.
 */
import { type Prompts, shorten } from "../../checkpoints/mod.ts";
import type { RunOptions } from "../../tensor/run.ts";
import type { Model } from "../../transformer/model.ts";
import { assumptions, Bands } from "../experiment.ts";
import { type Candidate, candidates } from "./candidates.ts";
import { type Causal, causes } from "./causal.ts";
import { judge, type Verdict } from "./cleaners.ts";
import { confirm, type Evidence } from "./confirm.ts";
import { type Consequence, consequence } from "./consequence.ts";
import { type PairTable, pairTable } from "./pairs.ts";
import { checkScanPrompts, halves, LEAST_PROMPTS } from "./prompts.ts";
import { Screen } from "./screen.ts";
import { checkSettings, type ScanSettings } from "./settings.ts";
import { shuffled, summarize, type UntrainedResult } from "./untrained.ts";

/** A writer that was examined, found or not. */
export interface ExaminedWriter {
  candidate: Candidate;
  evidence: Evidence;
  verdict: Verdict;
  /** Of a writer that was found. */
  causal?: Causal;
  /** Of a writer that was found and has cleaner heads. */
  consequence?: Consequence;
}

export interface ScanResult {
  model: { name: string; layers: number; heads: number; d_model: number; parameters: number };
  prompts: { count: number; length: number; source: string };
  settings: ScanSettings;
  assumptions: Record<string, string>;
  /** Examined writers; those with no `verdict.notFound` are found. */
  writers: ExaminedWriter[];
  /** Nodes that were passed over after the first pass, with the reason. */
  passedOver: Candidate[];
  /** Statistics of all pairs on the first half. */
  pairs: PairTable;
  /** What the same scan finds in the model with its weights shuffled, when that was asked for. */
  untrained?: UntrainedResult;
}

export interface ScanOptions extends RunOptions {
  settings?: Partial<ScanSettings>;
  /** The first pass, when it is to be saved while it runs or taken up again. */
  screen?: Screen;
  /** After each batch of the first pass: a place to save the screen's state. */
  onBatch?: () => void | Promise<void>;
  /** Told at the start of each pass. */
  onPass?: (name: string, prompts: number) => void;
}

/** The writers of a result that count as found. */
export function foundWriters({ writers }: Pick<ScanResult, "writers">): ExaminedWriter[] {
  return writers.filter(({ verdict }) => verdict.notFound === undefined);
}

/** @throws when prompts are too few, too short or all the same, or a setting is out of its range */
export async function scan(model: Model, prompts: Prompts, options: ScanOptions = {}): Promise<ScanResult> {
  const settings = checkSettings(options.settings);
  checkScanPrompts(prompts);
  const { screen = new Screen(model), onPass, onBatch, settings: _, ...run } = options;
  const { seed, attributionPrompts } = settings;
  const bands = new Bands();
  const [first, second] = halves(prompts);

  onPass?.("choosing writers", first.count);
  await screen.fold(first, { ...run, onBatch });
  const all = candidates(screen, settings);
  const chosen = all.filter((c) => !c.rejected);

  if (chosen.length > 0) onPass?.("testing cleaners", second.count);
  const { quantiles } = bands;
  const least = settings.effect / 2;
  const testing = { ...run, seed, quantiles, least, level: settings.q };
  const evidence = await confirm(model, screen, chosen, second, testing);
  const writers: ExaminedWriter[] = [];
  for (const [i, candidate] of chosen.entries()) {
    const verdict = judge(evidence[i], settings);
    const examined: ExaminedWriter = { candidate, evidence: evidence[i], verdict };
    writers.push(examined);
    if (verdict.notFound) continue;
    const { name } = candidate, cleaners = verdict.cleaners.map((c) => c.node);
    onPass?.(`patching the cleaners of ${name}`, second.count);
    examined.causal = await causes(model, name, cleaners, second, { ...run, seed, quantiles });
    onPass?.(`attribution of ${name}`, Math.min(second.count, attributionPrompts));
    const found = await consequence(model, name, cleaners, second, { ...run, seed, attributionPrompts });
    if (found) examined.consequence = found;
  }
  const result: ScanResult = {
    model: describe(model),
    prompts: { count: prompts.count, length: prompts.length, source: prompts.source },
    settings,
    assumptions: {
      ...assumptions(model, prompts, bands),
      ...vocabulary(model),
      split: `writers are chosen on ${first.count} prompts and tested on the other ${second.count}`,
      causal:
        "V input (heads) or the input of ln2 (MLPs) patched, scales frozen to the clean run's unless said otherwise",
    },
    writers,
    passedOver: all.filter((c) => c.rejected),
    pairs: pairTable(screen),
  };
  if (settings.untrainedPrompts > 0) {
    const count = Math.min(prompts.count, Math.max(LEAST_PROMPTS, settings.untrainedPrompts));
    const found = await scan(shuffled(model, seed), shorten(prompts, { count }), {
      ...run,
      settings: { ...settings, untrainedPrompts: 0 },
      onPass: (name, prompts) => onPass?.(`weights shuffled: ${name}`, prompts),
    });
    result.untrained = summarize(count, found.writers, found.passedOver);
  }
  return result;
}

/** Many checkpoints have more ids than their tokenizer; the opposite is refused when a model is loaded. */
function vocabulary({ tokenizer, config: { d_vocab } }: Model): Record<string, string> {
  if (!tokenizer || tokenizer.size === d_vocab) return {};
  return {
    vocabulary:
      `tokenizer.json has ${tokenizer.size} ids, the model ${d_vocab}: the others are taken for padding`,
  };
}

function describe({ name, config, weights }: Model): ScanResult["model"] {
  const parameters = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0);
  return { name, layers: config.n_layers, heads: config.n_heads, d_model: config.d_model, parameters };
}
