/**
 * The post's three open questions of one model: what the freed space is used for (`reuse`), what a writer is
 * for (`role`), and whether clean-up occurs at all, above all in early heads (`census`). Only what the claims
 * of claims.ts need is kept.
 */
import type { Prompts } from "../../checkpoints/mod.ts";
import type { RunOptions } from "../../tensor/run.ts";
import type { Model } from "../../transformer/model.ts";
import { census, type CensusResult } from "../census/census.ts";
import { checkArguments, checkNames, checkNumber, checkOptions, RUN_OPTIONS } from "../options.ts";
import { type Beside, besideNotErased } from "../reuse/words.ts";
import { reuse, type ReuseResult } from "../reuse/reuse.ts";
import { role, type RoleResult } from "../role/role.ts";
import { isWide } from "../scan/candidates.ts";
import type { ScanSettings } from "../scan/settings.ts";
import type { Findings, ReuseFinding, RoleFinding } from "./rows.ts";

/** Of which writers, and how closely it is looked. */
export interface FindingsOptions extends RunOptions {
  /** Whose reuse and role. Default: the writer of the model's cleanup.json, else the two most erased. */
  writers?: readonly string[];
  /** Prompts for reuse and role. Default: the same. */
  later?: Prompts;
  /** Thresholds of the census that differ from `DEFAULT_SETTINGS`. */
  settings?: Partial<ScanSettings>;
  /** So many early heads. Default 8. */
  early?: number;
}

const OPTIONS: Record<keyof FindingsOptions, true> = {
  writers: true,
  later: true,
  settings: true,
  early: true,
  ...RUN_OPTIONS,
};

/** Writers that are looked at in a model of which none is known. */
const MOST_ERASED = 2;

/**
 * Measures what the claims need.
 * @throws for an unknown option or node, and for prompts that a census cannot use
 *
 * @example
 * ```ts
 * import { loadModel, promptsFor } from "../../transformer/load.ts";
 * const model = await loadModel("tiny-gelu-4l");
 * const prompts = await promptsFor(model, { count: 32, length: 32 });
 * const { writers } = await findings(model, prompts, { settings: { examine: 2, rotations: 2 }, early: 1 });
 * console.log(writers[0].writer, writers[0].specific.value);
 * ```
 */
export async function findings(
  model: Model,
  prompts: Prompts,
  options: FindingsOptions = {},
): Promise<Findings> {
  checkArguments("findings", { model, prompts });
  checkOptions("findings", options, OPTIONS);
  const { writers: asked, later = prompts, settings, early = 8, ...run } = options;
  if (asked !== undefined) checkNames("findings", "writers", asked);
  checkNumber("findings", "early", early, { least: 1 });
  const counted = await census(model, prompts, { ...run, early, repair: 1, ...(settings && { settings }) });
  const known = model.knownCleanup?.writer;
  const writers = asked ?? (known !== undefined ? [known] : mostErased(counted));
  const reuses: ReuseResult[] = [], roles: RoleResult[] = [];
  for (const writer of writers) {
    reuses.push(await reuse(model, later, { ...run, writer, lambdas: [1] }));
    roles.push(await role(model, later, { ...run, writer, edgePrompts: 0 }));
  }
  return findingsOf(counted, reuses, roles);
}

function mostErased({ writers }: CensusResult): string[] {
  return writers.filter(({ notFound }) => notFound === undefined)
    .sort((a, b) => b.specific.value - a.specific.value)
    .slice(0, MOST_ERASED).map(({ writer }) => writer);
}

/** What of the results the claims need. */
export function findingsOf(
  counted: CensusResult,
  reuses: readonly ReuseResult[],
  roles: readonly RoleResult[],
): Findings {
  const { model: { name, layers, heads }, screened, contraction, writers, settings, early } = counted;
  const unread = new Set(
    contraction.filter(({ wide }) => wide).map(({ kind, layer }) => `${kind} ${layer}`),
  );
  const readable = screened.filter((node) =>
    Number.isFinite(node.left) && !isWide(node) && !unread.has(`${node.kind} ${node.layer}`)
  );
  return {
    model: { name, layers, heads },
    nodes: readable.map(({ name, kind, left, control }) => ({ node: name, kind, left, control })),
    count: screened.length,
    writers: writers.map(({ writer, left, control, specific, notFound, cleaners }) => ({
      writer,
      left,
      control,
      specific,
      found: notFound === undefined,
      cleaners: cleaners.map(({ node }) => node),
    })),
    threshold: settings.specific,
    early,
    reuse: reuses.map(reuseFinding),
    role: roles.map(roleFinding),
    assumptions: {
      ...counted.assumptions,
      ...(reuses[0] && { "reuse and role": reuses[0].assumptions.prompts }),
    },
  };
}

function reuseFinding(result: ReuseResult): ReuseFinding {
  const { writer, cleaners, spans: [{ k }], occupancy, needed, neededMore, putBack, helps } = result;
  const end = (name: string) => occupancy.filter(({ span }) => span === name).at(-1)!;
  const own = end("writer"), random = end("random");
  const most = Math.max(...putBack.map(({ lambda }) => lambda));
  const loss = (name: string) => putBack.find(({ run, lambda }) => run === name && lambda === most)!.loss;
  const read = (name: string) => needed.find(({ span }) => span === name)!.divergence;
  const beside = besideNotErased(result);
  const both = ({ own, other: control }: Beside) => ({ own, control });
  return {
    writer,
    k,
    cleaners,
    content: { own: own.all, control: random.all, more: own.more! },
    others: { own: own.rest, control: random.rest, more: own.moreRest! },
    ...(neededMore && { needed: { own: read("writer"), control: read("random"), more: neededMore } }),
    ...(result.other !== undefined && beside && {
      beside: { node: result.other, others: both(beside.content), needed: both(beside.read) },
    }),
    ...(helps && { putBack: { own: loss("writer"), control: loss("control"), more: helps } }),
  };
}

function roleFinding({ writer, vocabulary, chance, variance, without }: RoleResult): RoleFinding {
  const [first] = vocabulary;
  const factors = variance.filter(({ factor }) => factor !== "all");
  const beyond = (row: typeof factors[number]) => row.last.value - row.shuffledLast;
  const { factor, last, shuffledLast } = factors.reduce((a, b) => beyond(b) > beyond(a) ? b : a);
  const loss = (name: string) => without.find(({ by, run }) => by === "all" && run === name)?.loss;
  const own = loss("removed"), control = loss("rotated");
  return {
    writer,
    ...(first && { says: { token: first.token, dla: first.dla, rotated: chance.map((one) => one.largest) } }),
    about: { factor: factor as RoleFinding["about"]["factor"], last, shuffled: shuffledLast },
    ...(own && control && { lost: { own, control } }),
  };
}
