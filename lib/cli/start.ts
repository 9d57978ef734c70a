/**
 * Starts a task with the permissions that it needs, and no more: `start.ts scan MODEL --out DIR` runs scan.ts
 * with write access to DIR. Signals are passed on, the exit code is the task's, and relative paths start
 * where the user stands. A second Ctrl-C ends a task at once that does not come to an end by itself: nothing
 * interrupts native code, or a regular expression. All files are whole or not there, then as well.
 */
import { join } from "node:path";
import { makePartialFolder, type PartialFolder, removeLeftovers } from "./partial_folder.ts";
import { flagsOf, type Permissions, TASKS } from "./permissions.ts";
import { exitCodeOf, type Signal, SIGNALS, STARTED_BY } from "./signals.ts";

/** What the file of a certificate authority is called by other programs; Deno reads DENO_CERT. */
const CERTIFICATES = "SSL_CERT_FILE";

/** Signals within this time are one: a terminal and who started this pass on the same Ctrl-C. */
const ONE_MS = 500;
const SAID_AFTER_MS = 3000;
const ENDING = "it ends after the step that runs now. Ctrl-C again ends it at once.";

/** What is passed on of each signal that comes: itself, and SIGKILL from the second on. */
export function passing(now: () => number): (signal: Signal) => Signal {
  let firstAt = Infinity;
  return (signal) => {
    const again = now() > firstAt + ONE_MS;
    firstAt = Math.min(firstAt, now());
    return again ? "SIGKILL" : signal;
  };
}

/** Runs a task to its end. Returns its exit code. @throws for a name that is no task */
export async function start(task: string, args: readonly string[]): Promise<number> {
  if (!Object.hasOwn(TASKS, task)) {
    throw new Error(`start: got "${task}"; expected ${Object.keys(TASKS).join(", ")}.`);
  }
  const root = join(import.meta.dirname!, "..", "..");
  const env = (name: string) => Deno.env.get(name);
  const cwd = env("INIT_CWD") || Deno.cwd();
  const execPath = Deno.execPath();
  const permissions = TASKS[task]({ root, cwd, args, env, execPath });
  const flags = flagsOf(permissions);
  const folder = flags ? undefined : await permissionsFolder(root, permissions);
  const certificates = env("DENO_CERT") ? undefined : env(CERTIFICATES);
  try {
    const child = new Deno.Command(execPath, {
      args: [
        "run",
        "--frozen",
        "--no-prompt",
        `--config=${join(folder?.path ?? root, "deno.json")}`,
        ...(flags ?? ["-P"]),
        join(root, "lib", "cli", `${task}.ts`),
        ...args,
      ],
      cwd,
      env: { [STARTED_BY]: String(Deno.pid), ...(certificates ? { DENO_CERT: certificates } : {}) },
      stdin: "inherit",
    }).spawn();
    const passed = passing(() => performance.now());
    let saying: ReturnType<typeof setTimeout> | undefined;
    const pass = SIGNALS.map((signal) => {
      const listener = () => {
        saying ??= setTimeout(() => console.error(`${task}: ${ENDING}`), SAID_AFTER_MS);
        try {
          child.kill(passed(signal));
        } catch { /* it has ended */ }
      };
      Deno.addSignalListener(signal, listener);
      return () => Deno.removeSignalListener(signal, listener);
    });
    const { code, signal } = await child.status;
    pass.forEach((remove) => remove());
    clearTimeout(saying);
    return signal ? exitCodeOf(signal as Signal) : code;
  } catch (error) {
    throw withLibraries(error as Error, task, args) ?? error;
  } finally {
    await folder?.[Symbol.asyncDispose]();
  }
}

/**
 * A variable that names libraries to load (LD_LIBRARY_PATH, common on clusters) is handed on by Deno only to
 * what may start any program. What to do instead; undefined for another error.
 */
export function withLibraries({ message }: Error, task: string, args: readonly string[]): Error | undefined {
  const [, variable] = /spawn subprocess with (\w+) environment variable/.exec(message) ?? [];
  if (!variable) return undefined;
  const rest = [task, ...args].join(" ");
  return new Error(
    `${task}: ${variable} is set, and Deno starts no task of limited permissions with it. Leave it out: ` +
      `env -u ${variable} deno task ${rest}. Or, where a graphics card's driver needs it, run the task with all ` +
      `permissions: deno run --allow-all lib/cli/${task}.ts ${args.join(" ")}`,
  );
}

/** A folder with the project's deno.json and the permissions in it: there a path may hold a comma. */
async function permissionsFolder(root: string, permissions: Permissions): Promise<PartialFolder> {
  const json = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  const out = join(root, "out"), prefix = ".permissions-";
  await Deno.mkdir(out, { recursive: true });
  await removeLeftovers(out, prefix);
  const folder = await makePartialFolder(out, prefix);
  // part of what deno.lock locks
  await Deno.copyFile(join(root, "package.json"), join(folder.path, "package.json"));
  const lock = { path: join(root, "deno.lock"), frozen: true };
  const { nodeModulesDir, compilerOptions, allowScripts, imports } = json;
  const config = {
    nodeModulesDir,
    compilerOptions,
    allowScripts,
    imports,
    lock,
    permissions: { default: permissions },
  };
  // Of a file with another name Deno would say that the project's own package is linked from it, and find
  // deno.lock out of date.
  await Deno.writeTextFile(join(folder.path, "deno.json"), JSON.stringify(config));
  return folder;
}

if (import.meta.main) {
  const [task, ...args] = Deno.args;
  try {
    Deno.exit(await start(task ?? "", args));
  } catch (error) {
    console.error((error as Error).message);
    Deno.exit(1);
  }
}
