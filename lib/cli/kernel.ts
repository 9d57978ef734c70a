/**
 * `deno task kernel`: installs Deno's kernel for JupyterLab and VS Code, fetches every package that the
 * notebooks use, and runs one cell. Fetching here shows progress; the first cell of a notebook would fetch
 * the same for a minute or two without a sign of life.
 *
 * With DENO_DIR set, packages lie in that folder and the kernel looks there: copied to another machine with
 * the same system, both run without a network (notebooks/README.md).
 */
import { join, resolve } from "node:path";
import { Kernel } from "../jupyter/kernel.ts";
import { readNotebook } from "../jupyter/notebook.ts";
import { installKernel, kernelsFolder } from "../jupyter/spec.ts";

const ROOT = join(import.meta.dirname!, "..", "..");
/** What notebooks import, and the commands that they name. */
const MODULES = ["mod.ts", "cli/figures.ts", "cli/scan.ts", "cli/attribution.ts", "cli/verify.ts"];

const FIRST = join(ROOT, "notebooks", "00_start_here.ipynb");

async function fetchPackages(): Promise<void> {
  const { success } = await new Deno.Command(Deno.execPath(), {
    args: ["cache", "--frozen", ...MODULES.map((path) => join(ROOT, "lib", path))],
    cwd: ROOT,
  }).spawn().status;
  if (success) return;
  throw new Error(
    "Not all packages could be fetched: the lines above say why. Without a network, copy DENO_DIR from a machine with the same " +
      "system (notebooks/README.md).",
  );
}

/** Runs the first cell of the first notebook in the kernel. @throws with what it said */
async function tryKernel(): Promise<void> {
  const runtimeDir = await Deno.makeTempDir();
  try {
    await using kernel = await Kernel.start({ cwd: join(ROOT, "notebooks"), runtimeDir });
    const cell = (await readNotebook(FIRST)).cells.find((cell) => cell.cell_type === "code")!;
    const { status, outputs } = await kernel.execute(cell.source, { timeoutMs: 300_000 });
    if (status === "ok") return;
    const error = outputs.find((output) => output.output_type === "error");
    throw new Error(
      `The kernel is installed, but a first cell fails: ${error?.evalue}. On a Mac with an Intel processor ONNX Runtime has no ` +
        `binary: take the browser site there.`,
    );
  } finally {
    await Deno.remove(runtimeDir, { recursive: true });
  }
}

async function main(): Promise<number> {
  if (Deno.args.length > 0) {
    console.error(
      "deno task kernel\n  Installs Deno's kernel for Jupyter. It takes no arguments; DENO_DIR and JUPYTER_DATA_DIR count.",
    );
    return Deno.args[0] === "--help" ? 0 : 2;
  }
  try {
    const denoDir = Deno.env.get("DENO_DIR");
    const kernels = kernelsFolder(Deno.build.os, (name) => Deno.env.get(name));
    console.log("Fetching what the notebooks use (at most 350 MB, once) …");
    await fetchPackages();
    const { folder, deno } = await installKernel(kernels, Deno.execPath(), denoDir && resolve(denoDir));
    console.log(`The kernel is in ${folder} and starts ${deno}.`);
    console.log("Trying a first cell …");
    await tryKernel();
    console.log(`It works. Open ${FIRST} in JupyterLab or VS Code.`);
    return 0;
  } catch (error) {
    console.error(`kernel: ${(error as Error).message}`);
    return 1;
  }
}

if (import.meta.main) Deno.exit(await main());
