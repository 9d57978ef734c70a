/**
 * What the tests of the npm package share: commands that may not be there, and a folder with the package
 * installed.
 */
import { join } from "node:path";

const ROOT = join(import.meta.dirname!, "..", "..", "..");
const NAME = (command: string) =>
  Deno.build.os === "windows" && command !== "node" ? `${command}.cmd` : command;

export interface Ended {
  success: boolean;
  /** What it printed: stdout alone. */
  out: string;
  /** stdout and stderr. */
  text: string;
}

/** Runs a command to its end. */
export function execute(cwd: string, command: string, ...args: string[]): Promise<Ended> {
  return executeWith({}, cwd, command, ...args);
}

/** The same with these environment variables. */
export async function executeWith(
  variables: Record<string, string>,
  cwd: string,
  command: string,
  ...args: string[]
): Promise<Ended> {
  const env = { NO_COLOR: "1", HF_HOME: join(cwd, "hf"), CI: "true", ...variables };
  const { success, stdout, stderr } = await new Deno.Command(NAME(command), { args, cwd, env, stdin: "null" })
    .output();
  const out = new TextDecoder().decode(stdout);
  return { success, out, text: out + new TextDecoder().decode(stderr) };
}

/** Whether a command is there and may be run. */
export async function isThere(command: string): Promise<boolean> {
  try {
    return (await execute(ROOT, command, "--version")).success;
  } catch {
    return false;
  }
}

/** The tarball, built from this checkout into `folder` as the task does. Returns its path. */
export async function tarball(folder: string): Promise<string> {
  const flags = [
    "--no-lock",
    "--no-prompt",
    "--allow-read",
    `--allow-write=${folder}`,
    "--allow-env",
    "--allow-run=npm",
  ];
  const script = join(ROOT, "lib", "cli", "pack.ts");
  const { success, out, text } = await execute(
    ROOT,
    Deno.execPath(),
    "run",
    ...flags,
    script,
    "--out",
    folder,
  );
  if (!success) throw new Error(text);
  return out.trim().split("\n").at(-1)!; // of stdout: what Deno downloads is told on stderr
}

/** An empty project in `folder`, with the program that a user would write. */
export async function project(folder: string): Promise<string> {
  await Deno.mkdir(folder);
  await Deno.writeTextFile(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  await Deno.copyFile(
    join(import.meta.dirname!, "figures_1_to_3.js.txt"),
    join(folder, "figures_1_to_3.mjs"),
  );
  return folder;
}
