/**
 * What Jupyter is told of Deno's kernel, and where: `kernels/deno/kernel.json` in its data folder. Written
 * here and not by `deno jupyter --install` (Deno 2.9.6), which does three things that a class of learners
 * stumbles over:
 * - it notes the path of the Deno that runs. Under npx that lies in npm's cache, and goes when the cache is
 *   cleared;
 * - it leaves the way of interrupting open, so Jupyter sends a signal, which ends the kernel with all its
 *   values. As a message it stops a busy loop and keeps them;
 * - it ignores JUPYTER_DATA_DIR.
 *
 * Source: https://jupyter-client.readthedocs.io/en/stable/kernels.html#kernel-specs and
 * https://docs.jupyter.org/en/stable/use/jupyter-directories.html#data-files
 */
import { basename, join } from "node:path";

type Environment = (name: string) => string | undefined;

/** kernel.json. */
export interface KernelSpec {
  argv: string[];
  display_name: string;
  language: string;
  interrupt_mode: "message";
  env: Record<string, string>;
}

/** A kernel that runs this Deno. `denoDir`: where it keeps packages, when that is not its usual place. */
export function kernelSpec(deno: string, denoDir?: string): KernelSpec {
  return {
    argv: [deno, "jupyter", "--kernel", "--conn", "{connection_file}"],
    display_name: "Deno",
    language: "typescript",
    interrupt_mode: "message",
    env: denoDir ? { DENO_DIR: denoDir } : {},
  };
}

/** The folder of a user's own kernels. @throws where the environment names no home */
export function kernelsFolder(os: typeof Deno.build.os, env: Environment): string {
  const given = env("JUPYTER_DATA_DIR");
  if (given) return join(given, "kernels");
  const home = env("HOME") ?? env("USERPROFILE");
  const roaming = env("APPDATA");
  if (os === "windows" && roaming) return join(roaming, "jupyter", "kernels");
  if (!home) {
    throw new Error(
      "Installing the kernel failed: neither HOME nor USERPROFILE is set, so Jupyter's folder is not known. " +
        "Set JUPYTER_DATA_DIR to what `jupyter --data-dir` prints.",
    );
  }
  if (os === "windows") return join(home, "AppData", "Roaming", "jupyter", "kernels");
  if (os === "darwin") return join(home, "Library", "Jupyter", "kernels");
  return join(env("XDG_DATA_HOME") || join(home, ".local", "share"), "jupyter", "kernels");
}

/** Whether a program lies where a cleared cache takes it away. */
export function isInCache(path: string): boolean {
  return /[\\/]_npx[\\/]/.test(path);
}

/** Puts `deno` into `folder`, without a second copy on the disk where that can be. Returns its new path. */
async function keep(deno: string, folder: string): Promise<string> {
  const kept = join(folder, basename(deno));
  const [old, now] = await Promise.all([Deno.stat(kept).catch(() => undefined), Deno.stat(deno)]);
  if (old?.size === now.size) return kept; // this version, and it may be running
  try {
    if (old) await Deno.remove(kept);
    await Deno.link(deno, kept).catch(() => Deno.copyFile(deno, kept));
  } catch (error) {
    throw new Error(
      `Installing the kernel failed: ${kept} cannot be written (${
        (error as Error).message
      }). Shut down all Deno kernels ` +
        `(in JupyterLab: Kernel, Shut Down All Kernels), then run this again.`,
      { cause: error },
    );
  }
  return kept;
}

/**
 * Writes the kernel "deno" into `kernels`; one of that name is replaced. Returns its folder and the Deno that
 * it starts.
 */
export async function installKernel(
  kernels: string,
  deno: string,
  denoDir?: string,
): Promise<{ folder: string; deno: string }> {
  const folder = join(kernels, "deno");
  await Deno.mkdir(folder, { recursive: true });
  const started = isInCache(deno) ? await keep(deno, folder) : deno;
  await Deno.writeTextFile(
    join(folder, "kernel.json"),
    JSON.stringify(kernelSpec(started, denoDir), null, 1) + "\n",
  );
  return { folder, deno: started };
}
