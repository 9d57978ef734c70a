/**
 * `deno task figures`: executes the notebooks of the post's figures (or all of the project's, or those that
 * are named) through the Deno Jupyter kernel and leaves in out/ the executed notebooks, the figures and rows
 * that they wrote, and index.html.
 *
 *     deno task figures                    those of the post and of its authors' repository
 *     deno task figures --all              those that go beyond it, too
 *     deno task figures fig1 fig3          those whose names begin so
 *     deno task figures --in-place         all, and renews notebooks/, data/expected/rows, data/pictures
 *     deno task figures --out out/trial    another folder
 *     deno task figures --kernels 1        one notebook at a time
 *
 * Each notebook writes into a folder of its own, out/.partial-…, named to it by the environment variable
 * CLEANUP_LENS_OUT. When its last cell has succeeded, its files are renamed into place one by one; otherwise
 * they are dropped, at the latest by the next run. So every file in out/ is whole, whatever a full disk, a
 * dead kernel or a signal did, and notebooks that were finished before stay finished; moving everything at
 * the end would throw those away.
 */
import { join, resolve } from "node:path";
import { executeNotebook } from "../jupyter/execute.ts";
import { readNotebook, writeNotebook, writeTextFileAtomic } from "../jupyter/notebook.ts";
import {
  describeNotebook,
  type NotebookSection,
  renderIndex,
  type RunRecord,
  runRecord,
} from "./index_page.ts";
import { atOnce } from "./at_once.ts";
import { commandArguments } from "./command_arguments.ts";
import { prepareFolder } from "./out_folder.ts";
import { makePartialFolder, removeLeftovers } from "./partial_folder.ts";
import { counted, formatSeconds, Progress, type ProgressTarget } from "./progress.ts";
import { onInterrupt } from "./signals.ts";
import { numberOption } from "./typed.ts";

/** Notebooks of the project; what else lies in the folder is somebody's own. */
const KNOWN = /^(00_|fig|check_|(reuse|role|cleaners|findings)$)/;
/** Of those, what draws the figures of the post and of its authors' repository: a first look. */
const OF_THE_POST = /^(00_|fig)/;
/** No cell of the project needs a tenth of this; it keeps a hanging cell from hanging CI. */
const CELL_TIMEOUT_MS = 600_000;

export interface FiguresOptions {
  notebooksDir: string;
  /** Created when it is missing. */
  outDir: string;
  /** Beginnings of notebook names, or all of the project. Default: those of the post's figures. */
  names?: readonly string[] | "all";
  /** Also write the executed notebooks over the ones in `notebooksDir`. */
  inPlace?: boolean;
  /**
   * With `inPlace`: where each figure's rows are kept, and where the pictures that are already there are
   * renewed.
   */
  committed?: { rows: string; pictures: string };
  /** For each cell. Default 600 000. */
  cellTimeoutMs?: number;
  signal?: AbortSignal;
  progress?: ProgressTarget;
  /** Notebooks that run at the same time, each in a kernel of its own. Default: `KERNELS`. */
  kernels?: number;
}

/**
 * One kernel more than cores: while some start, compile cells or wait for outputs, the others compute. More
 * than four would share cores, and take the memory of one more each.
 */
const KERNELS = Math.min(4, navigator.hardwareConcurrency + 1);
/** More would only wait for one another. */
const MOST_KERNELS = 16;

/**
 * Names (without .ipynb) of the notebooks to run, in order. No names: those of the post's figures.
 * @throws Error when there is none, or when a name fits none.
 */
export async function selectNotebooks(
  notebooksDir: string,
  names: readonly string[] | "all",
): Promise<string[]> {
  const all: string[] = [];
  for await (const entry of Deno.readDir(notebooksDir)) {
    if (entry.isFile && entry.name.endsWith(".ipynb")) all.push(entry.name.slice(0, -".ipynb".length));
  }
  all.sort(new Intl.Collator("en", { numeric: true }).compare);
  if (names === "all" || names.length === 0) {
    const chosen = all.filter((name) => (names === "all" ? KNOWN : OF_THE_POST).test(name));
    if (chosen.length === 0) {
      const expected = names === "all" ? "00_*, fig*, check_* …" : "00_* or fig*";
      throw new Error(`No notebook named ${expected} in ${notebooksDir}; found ${all.join(", ") || "none"}.`);
    }
    return chosen;
  }
  // "fig1" means fig1 and fig1_…, not fig10; a path means its file
  const fits = (notebook: string, given: string) => {
    const name = given.replace(/^.*[\\/]/, "").replace(/\.ipynb$/, "");
    return name !== "" && notebook.startsWith(name) &&
      !(/\d$/.test(name) && /\d/.test(notebook[name.length]));
  };
  for (const name of names) {
    if (!all.some((notebook) => fits(notebook, name))) {
      throw new Error(
        `No notebook whose name begins with "${name}" in ${notebooksDir}. There are: ${all.join(", ")}.`,
      );
    }
  }
  return all.filter((notebook) => names.some((name) => fits(notebook, name)));
}

/**
 * Runs the chosen notebooks. Resolves to their names.
 * @throws CellError for a failing cell; Error for a notebook or a folder that cannot be read or written.
 */
export async function runFigures(options: FiguresOptions): Promise<string[]> {
  const { notebooksDir, outDir, inPlace, signal } = options;
  const names = await selectNotebooks(notebooksDir, options.names ?? []);
  if (resolve(outDir) === resolve(notebooksDir)) {
    throw new Error(
      `--out: got ${outDir}, where the notebooks lie, which would be written over; expected another folder`,
    );
  }
  const progress = new Progress(names.length, options.progress);
  await prepareFolder(outDir);
  await removeLeftovers(outDir);
  let turn = Promise.resolve();
  /** One notebook's results are put in place at a time: the page is made of all that lie there. */
  const inTurn = (work: () => Promise<void>) => {
    const done = turn.then(work);
    turn = done.catch(() => {});
    return done;
  };
  const runOne = async (name: string) => {
    signal?.throwIfAborted();
    const bar = progress.start(name);
    await using folder = await makePartialFolder(outDir);
    const partial = folder.path;
    try {
      const path = `${notebooksDir}/${name}.ipynb`;
      const startedAt = performance.now();
      const executed = await executeNotebook(await readNotebook(path), {
        name,
        cwd: notebooksDir,
        runtimeDir: partial, // the connection file is gone when the kernel is
        env: { CLEANUP_LENS_OUT: await Deno.realPath(partial), NO_COLOR: "1" },
        timeoutMs: options.cellTimeoutMs ?? CELL_TIMEOUT_MS,
        signal,
        onCell: ({ codeCell, codeCells }) => bar.cell(codeCell, codeCells),
      });
      const run: RunRecord = {
        files: await fileNames(partial),
        seconds: Math.round((performance.now() - startedAt) / 100) / 10,
      };
      const recorded = { ...executed, metadata: { ...executed.metadata, cleanup_lens: run } };
      await writeNotebook(`${partial}/${name}.ipynb`, recorded);
      await inTurn(async () => {
        await publish(partial, outDir, name, run);
        if (inPlace) {
          await writeNotebook(path, executed);
          if (options.committed) await renew(outDir, run.files, options.committed);
        }
        await writeIndex(outDir);
      });
      bar.finish();
    } catch (error) {
      bar.fail();
      throw error;
    }
  };
  await atOnce(names, options.kernels ?? KERNELS, runOne);
  return names;
}

async function fileNames(directory: string): Promise<string[]> {
  const names: string[] = [];
  for await (const entry of Deno.readDir(directory)) if (entry.isFile) names.push(entry.name);
  return names.sort();
}

/** Moves a notebook's files into `outDir` and removes those that only its previous run had written. */
async function publish(partial: string, outDir: string, name: string, run: RunRecord): Promise<void> {
  const notebook = `${name}.ipynb`;
  // none, or not ours: nothing to remove
  const previous = await readNotebook(`${outDir}/${notebook}`).catch(() => undefined);
  for (const file of await fileNames(partial)) await Deno.rename(`${partial}/${file}`, `${outDir}/${file}`);
  for (const file of previous ? runRecord(previous).files : []) {
    if (!run.files.includes(file)) await Deno.remove(`${outDir}/${file}`).catch(() => {});
  }
}

/** Rows are kept of every figure, pictures of those that the README shows. */
async function renew(
  outDir: string,
  files: readonly string[],
  { rows, pictures }: { rows: string; pictures: string },
): Promise<void> {
  const shown = await fileNames(pictures);
  for (const file of files) {
    if (file.endsWith(".json")) await Deno.copyFile(`${outDir}/${file}`, `${rows}/${file}`);
    if (shown.includes(file)) await Deno.copyFile(`${outDir}/${file}`, `${pictures}/${file}`);
  }
}

async function writeIndex(outDir: string): Promise<void> {
  const names = (await fileNames(outDir)).filter((name) => name.endsWith(".ipynb"));
  names.sort(new Intl.Collator("en", { numeric: true }).compare);
  const sections: NotebookSection[] = [];
  for (const name of names) {
    const notebook = await readNotebook(`${outDir}/${name}`);
    sections.push(await describeNotebook(name, notebook, (file) => Deno.readTextFile(`${outDir}/${file}`)));
  }
  await writeTextFileAtomic(`${outDir}/index.html`, renderIndex(sections));
}

const USAGE = `deno task figures [NAME … | --all] [--in-place] [--out DIR] [--kernels N]
  NAME        beginning of a notebook's name, such as fig1; default: those of the post's figures
  --all       all notebooks of the project
  --in-place  also renew what is committed: notebooks, rows in data/expected/rows, the README's pictures;
              without a NAME, of all notebooks
  --out DIR   where the results go; default: out
  --kernels N notebooks that run at the same time; default: ${KERNELS}`;

const WRONG_USAGE = 2;

const readArguments = (args: string[]) =>
  commandArguments(args, {
    all: "boolean",
    "in-place": "boolean",
    out: "string",
    kernels: "string",
    help: "boolean",
  });

/** @throws for what is no whole number of kernels */
function kernelsOption(values: { kernels?: string }): number {
  const kernels = numberOption(values, "kernels") ?? KERNELS;
  if (Number.isInteger(kernels) && kernels >= 1 && kernels <= MOST_KERNELS) return kernels;
  throw new Error(`--kernels: got "${values.kernels}"; expected a whole number from 1 to ${MOST_KERNELS}`);
}

async function main(): Promise<number> {
  let parsed, kernels;
  try {
    parsed = readArguments(Deno.args);
    kernels = kernelsOption(parsed.values);
    if (parsed.values.all && parsed.positionals.length > 0) {
      throw new Error(`got --all and ${parsed.positionals.join(" ")}; expected one of the two`);
    }
  } catch (error) {
    console.error(`${USAGE}\n\nfigures: ${(error as Error).message}`);
    return WRONG_USAGE;
  }
  const { values, positionals } = parsed;
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const interrupt = onInterrupt("interrupted; finished notebooks are kept");
  const root = join(import.meta.dirname!, "..", "..");
  const outDir = resolve(values.out ?? join(root, "out"));
  const startedAt = performance.now();
  const notebooksDir = join(root, "notebooks");
  const all = values.all || (values["in-place"] && positionals.length === 0);
  try {
    const names = await runFigures({
      notebooksDir,
      outDir,
      names: all ? "all" : positionals,
      inPlace: values["in-place"],
      committed: { rows: join(root, "data/expected/rows"), pictures: join(root, "data/pictures") },
      signal: interrupt.signal,
      kernels,
    });
    const took = formatSeconds((performance.now() - startedAt) / 1000);
    console.log(`${counted(names.length, "notebook")} in ${took}. Open ${join(outDir, "index.html")}`);
    if (!all && positionals.length === 0) {
      const more = (await selectNotebooks(notebooksDir, "all")).length - names.length;
      console.log(`${counted(more, "more goes", "more go")} beyond the post: deno task figures --all`);
    }
    return 0;
  } catch (error) {
    if (interrupt.signal.aborted) {
      console.error("figures: interrupted. Notebooks that were finished are in the output folder.");
      return interrupt.exitCode;
    }
    console.error(`figures: ${(error as Error).message}`);
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main());
