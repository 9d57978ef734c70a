/**
 * The three passes of a scan: all nodes are screened, some of them examined, and of those that are found the
 * routes and the attribution measured. What a pass measures follows from what the passes before it said. Each
 * measures sums over its prompts, so it can be shared out: the sums of all shares together are the pass's.
 */
import { outputSize } from "../../checkpoints/config.ts";
import type { ModelConfig, Prompts } from "../../checkpoints/mod.ts";
import { benjaminiHochberg } from "../../stats/significance.ts";
import type { RunOptions } from "../../tensor/run.ts";
import type { Model } from "../../transformer/model.ts";
import { removalStats } from "../retention/removal_stats.ts";
import type { Entry, Keeping, OnPass, Part, Share, Sums } from "../retention/sums.ts";
import { addAttribution, emptyAttribution, readAttribution } from "./attribution.ts";
import { type Candidate, candidates, erased } from "./candidates.ts";
import { emptyExamination, type ExaminedWriter, measureExamination, readExamination } from "./examine.ts";
import { batchesOf } from "./prompts.ts";
import { emptyRoutes, measureRoutes, readRoutes } from "./routes.ts";
import { emptyScreen, measureScreen, readScreen, type ScreenReading } from "./screen.ts";
import type { ScanSettings } from "./settings.ts";

/** In their order. */
export const PASSES = ["screen", "examination", "routes"] as const;
export type PassName = typeof PASSES[number];

/** What is to be known of a scan to read its passes: no weights. */
export interface ScanPlan {
  config: ModelConfig;
  settings: ScanSettings;
  /** Prompts of the first pass, and of the others. */
  screened: Pick<Prompts, "count" | "length">;
  examined: Pick<Prompts, "count" | "length">;
}

const attributionKey = (writer: string) => `sums: attribution of ${writer}`;

/** How far a scan is: what its passes said so far, and which comes next. */
export class Passes {
  readonly plan: ScanPlan;
  #next: { pass: PassName; nodes: string[] } | undefined = { pass: "screen", nodes: [] };
  #screen: ScreenReading | undefined;
  #candidates: Candidate[] = [];
  #writers: ExaminedWriter[] = [];

  constructor(plan: ScanPlan) {
    this.plan = plan;
  }

  /**
   * The pass that is to be measured, and of which nodes (of the screen: all); undefined when all are done.
   */
  get next(): { readonly pass: PassName; readonly nodes: readonly string[] } | undefined {
    return this.#next;
  }

  /** What the first pass said. @throws before it */
  get screen(): ScreenReading {
    if (!this.#screen) throw new Error("Passes: the screen has not been taken yet");
    return this.#screen;
  }

  /** Examined writers, the most erased first; those with no `notFound` are found. */
  get writers(): ExaminedWriter[] {
    return this.#writers;
  }

  /** Nodes that were not examined, with the reason. */
  get passedOver(): Candidate[] {
    return this.#candidates.filter((c) => c.passedOver);
  }

  /** Everything that the next pass measures, with nothing in it. */
  empty(): Part {
    const { config, settings, screened, examined: { count } } = this.plan;
    const { pass, nodes } = this.#pending();
    if (pass === "screen") return emptyScreen(config, screened.count);
    if (pass === "examination") return emptyExamination(config, nodes, count, settings);
    const sums = this.#attributed().map((writer) =>
      [attributionKey(writer), emptyAttribution(count, settings)] as const
    );
    return new Map<string, Entry>([...emptyRoutes(config, nodes, settings), ...sums]);
  }

  /** Measures the next pass on a share of its prompts. */
  async measure(
    model: Model,
    share: Share,
    options: RunOptions & Keeping & { onPass?: OnPass } = {},
  ): Promise<Part> {
    const { settings } = this.plan, { pass, nodes } = this.#pending();
    const { batch, logits } = batchesOf(model, share.all.length);
    const fixed = { batchSize: batch, ...options };
    if (pass === "screen") return await measureScreen(model, share, { ...fixed, seed: settings.seed });
    if (pass === "examination") return await measureExamination(model, nodes, share, settings, fixed);
    const { done, onMeasured, onPass, ...run } = fixed;
    const part = new Map<string, Entry>(done);
    onPass?.(`routes of ${nodes.length} writers`, share.prompts.count);
    const stats = await measureRoutes(model, nodes, share, settings, {
      ...run,
      done: removalStats(part),
      onMeasured: (stats) => onMeasured?.(new Map<string, Entry>([...part, ...stats])),
    });
    stats.forEach((one, key) => part.set(key, one));
    for (const writer of this.#attributed()) {
      const key = attributionKey(writer);
      const sums = part.get(key) as Sums | undefined ?? emptyAttribution(share.all.count, settings);
      part.set(key, sums);
      onPass?.(`attribution of ${writer}`, share.prompts.count);
      const small = { ...run, batchSize: options.batchSize ?? logits };
      await addAttribution(sums, model, writer, share, settings, small, () => onMeasured?.(part));
    }
    return part;
  }

  /** Takes what the next pass measured, of all its prompts, and goes on to the one after it. */
  take(part: Part): void {
    const { config, settings, screened, examined } = this.plan, { pass, nodes } = this.#pending();
    if (pass === "screen") {
      this.#screen = readScreen(config, part, screened.length);
      this.#candidates = candidates(this.#screen.nodes, this.#screen.layers, settings);
      const chosen = this.#candidates.filter((c) => !c.passedOver).map((c) => c.name);
      this.#next = { pass: "examination", nodes: chosen };
    } else if (pass === "examination") {
      const writers = readExamination(config, nodes, part, this.screen.sizes, settings);
      const peers = new Map(this.screen.nodes.map((node) => [node.name, node.peers]));
      for (const writer of writers) {
        const others = peers.get(writer.writer);
        if (others) writer.peers = others;
      }
      this.#writers = writers.sort((a, b) => rank(b) - rank(a));
      const found = this.#found().map(({ writer }) => writer);
      this.#next = found.length > 0 ? { pass: "routes", nodes: found } : undefined;
    } else {
      for (const writer of this.#found()) {
        writer.routes = readRoutes(writer.writer, part, writer.specific.value, settings);
        const sums = part.get(attributionKey(writer.writer)) as Sums | undefined;
        if (sums) writer.attribution = readAttribution(sums, examined.length, settings);
      }
      const credited = this.#found().filter((writer) => writer.attribution);
      const adjusted = benjaminiHochberg(credited.map((writer) => writer.attribution!.q));
      credited.forEach((writer, i) => writer.attribution!.q = adjusted[i]);
      this.#next = undefined;
    }
  }

  #pending(): { pass: PassName; nodes: string[] } {
    if (!this.#next) throw new Error("Passes: all have been taken");
    return this.#next;
  }

  #found(): ExaminedWriter[] {
    return foundWriters({ writers: this.#writers });
  }

  /** Of a base model there are no logits to attribute. */
  #attributed(): string[] {
    return outputSize(this.plan.config) === 0 ? [] : this.#found().map(({ writer }) => writer);
  }
}

/**
 * The writers of a result that count as found.
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../../transformer/load.ts";
 * import { scan } from "./scan.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 32, length: 32 });
 * const result = await scan(model, prompts, { settings: { examine: 1, rotations: 2 } });
 * console.log(foundWriters(result).map(({ writer }) => writer));
 * ```
 */
export function foundWriters(
  { writers }: { writers: readonly ExaminedWriter[] },
): ExaminedWriter[] {
  return writers.filter(({ notFound }) => notFound === undefined);
}

const rank = ({ specific, share, notFound }: ExaminedWriter) =>
  erased({ specific: specific.value, share }) + (notFound === undefined ? 1e6 : 0);
