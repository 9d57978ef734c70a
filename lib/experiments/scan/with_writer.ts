/**
 * A writer for a model of which none is known, so that a notebook runs on any folder: what a short scan
 * finds; where it finds none, the head of which most is erased beyond its control stands in, and the note
 * says that it is no finding.
 */
import type { Cleanup } from "../../checkpoints/mod.ts";
import { shorten } from "../../checkpoints/mod.ts";
import type { RunOptions } from "../../tensor/run.ts";
import { promptsFor } from "../../transformer/load.ts";
import type { Model } from "../../transformer/model.ts";
import { findNode, modelNodes } from "../../transformer/nodes.ts";
import { showProgress } from "../../jupyter/progress.ts";
import { checkArguments, checkOptions, RUN_OPTIONS } from "../options.ts";
import type { ExaminedWriter } from "./examine.ts";
import { LEAST_PROMPTS } from "./prompts.ts";
import { foundWriters, scan, type ScanResult } from "./scan.ts";
import { listed } from "../numbers_in_words.ts";

/** Prompts of the short scan, and tokens of each: enough to choose, not to conclude. */
const PROMPTS = 2 * LEAST_PROMPTS, TOKENS = 64;
/** Cleaners of a stand-in: the later heads that write most of it back. */
const MOST_CLEANERS = 3;

/** How the short scan is run, and who hears of it. */
export interface WithWriterOptions extends RunOptions {
  /** Hears what was chosen, and why. Default: `console.log`. */
  onNote?: (note: string) => void;
}

/**
 * The model as it is where its folder has a cleanup.json. Otherwise a short scan names a writer and cleaners,
 * and the note says how sure that is, with a cleanup.json to keep. Figures 3 to 9 follow a head, so only
 * heads are chosen.
 * @throws for a model of one layer, in which no head reads what another wrote
 *
 * @example
 * ```ts
 * import { loadModel } from "../../transformer/load.ts";
 * const model = await withWriter(await loadModel("tiny-gelu-4l")); // or a folder of one's own
 * console.log(model.cleanup.writer, model.cleanup.cleaners);
 * ```
 */
export async function withWriter(model: Model, options: WithWriterOptions = {}): Promise<Model> {
  checkArguments("withWriter", { model });
  checkOptions("withWriter", options, { ...RUN_OPTIONS, onNote: true });
  if (model.knownCleanup) return model;
  const { n_layers } = model.config;
  if (n_layers < 2) {
    throw new Error(
      `withWriter: ${model.name} has ${n_layers} layer; expected two or more: no head of it reads what another head wrote`,
    );
  }
  const { onNote = console.log, onProgress = showProgress("looking for a writer"), ...run } = options;
  const all = await promptsFor(model);
  const size = { count: Math.min(PROMPTS, all.count), length: Math.min(TOKENS, all.length) };
  const result = await scan(model, shorten(all, size), { ...run, onProgress });
  const { cleanup, surely } = proposal(model, result);
  onNote(note(model, cleanup, surely));
  return model.withCleanup(cleanup);
}

function proposal(model: Model, result: ScanResult): { cleanup: Cleanup; surely: boolean } {
  const { config } = model;
  const isEarlyHead = (name: string) => {
    const node = findNode(config, name);
    return node.kind === "head" && node.layer < config.n_layers - 1;
  };
  const found = foundWriters(result).find(({ writer }) => isEarlyHead(writer));
  const ranked = [
    ...result.writers.map(({ writer }) => writer),
    ...result.passedOver.map(({ name }) => name),
  ];
  const writer = found?.writer ?? ranked.find(isEarlyHead)!;
  const cleaners = cleanersOf(model, result, writer, found);
  const layers = cleaners.map((name) => findNode(config, name)).filter(({ kind }) => kind === "head")
    .map(({ layer }) => layer);
  const { screened, examined } = result.prompts;
  return {
    surely: found !== undefined,
    cleanup: {
      writer,
      cleaners,
      patchedLayers: [...new Set(layers)].sort((a, b) => a - b),
      source:
        `withWriter: a scan of ${screened} and ${examined} prompts of ${result.prompts.length} tokens; ` +
        (found
          ? "found"
          : "no head before the last layer was found, so that of which most is erased stands in"),
    },
  };
}

/** Those of the scan, and at least one head, since Figures 3 and 5 patch and follow heads. */
function cleanersOf(
  model: Model,
  { responses }: ScanResult,
  writer: string,
  found?: ExaminedWriter,
): string[] {
  const own = found?.cleaners.map(({ node }) => node) ?? [];
  const { layer } = findNode(model.config, writer);
  const later = modelNodes(model.config).filter((node) => node.kind === "head" && node.layer > layer);
  if (own.some((name) => later.some((node) => node.name === name))) return own;
  const row = responses.ratios[responses.writers.indexOf(writer)];
  const response = (name: string) => row?.[responses.nodes.indexOf(name)] ?? 0;
  const heads = later.map(({ name }) => name).sort((a, b) => response(a) - response(b));
  return [...own, ...heads.slice(0, MOST_CLEANERS)];
}

function note(
  { name }: Model,
  { writer, cleaners, patchedLayers, source }: Cleanup,
  surely: boolean,
): string {
  const first = surely
    ? `${name} has no cleanup.json. A short scan found that what ${writer} writes is erased, by ${
      listed(cleaners)
    }.`
    : `${name} has no cleanup.json, and a short scan found no head before the last layer whose output is surely erased. ${writer} stands in as the writer, ` +
      `${
        listed(cleaners)
      } as cleaners, so that every cell runs: the cells below are no evidence of clean-up.`;
  return [
    first,
    `scan(model, prompts), the command of that name and check_your_model.ipynb look closer. To keep a choice, put cleanup.json into the folder, such as`,
    JSON.stringify({ writer, cleaners, patchedLayers, source }),
  ].join("\n");
}
