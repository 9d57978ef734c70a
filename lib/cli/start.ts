/**
 * Starts a task with the permissions that it needs, and no more: `start.ts scan MODEL --out DIR` runs scan.ts with write access to
 * DIR. Signals are passed on, the exit code is the task's, and relative paths start where the user stands.
 */
import { dirname, join } from "node:path";
import { flagsOf, type Permissions, TASKS } from "./permissions.ts";

/** What the file of a certificate authority is called by other programs; Deno reads DENO_CERT. */
const CERTIFICATES = "SSL_CERT_FILE";
const SIGNALS: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT"] : ["SIGINT", "SIGTERM", "SIGHUP"];

/** The number of each signal, for the exit code 128 + n. */
const NUMBERS: Record<string, number> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGTERM: 15 };

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
  const config = flags ? undefined : await permissionsFile(root, permissions);
  const certificates = env("DENO_CERT") ? undefined : env(CERTIFICATES);
  try {
    const child = new Deno.Command(execPath, {
      args: [
        "run",
        "--frozen",
        "--no-prompt",
        `--config=${config ?? join(root, "deno.json")}`,
        ...(flags ?? ["-P"]),
        join(root, "lib", "cli", `${task}.ts`),
        ...args,
      ],
      cwd,
      env: { ...(certificates ? { DENO_CERT: certificates } : {}) },
      stdin: "inherit",
    }).spawn();
    const pass = SIGNALS.map((signal) => {
      const listener = () => {
        try {
          child.kill(signal);
        } catch { /* it has ended */ }
      };
      Deno.addSignalListener(signal, listener);
      return () => Deno.removeSignalListener(signal, listener);
    });
    const { code, signal } = await child.status;
    pass.forEach((remove) => remove());
    return signal ? 128 + (NUMBERS[signal] ?? 0) : code;
  } finally {
    if (config) await Deno.remove(dirname(config), { recursive: true }).catch(() => {});
  }
}

/** The project's deno.json with the permissions in it: there a path may hold a comma. Returns its path. */
async function permissionsFile(root: string, permissions: Permissions): Promise<string> {
  const json = JSON.parse(await Deno.readTextFile(join(root, "deno.json")));
  // of a file with another name Deno would say that the project's own package is linked from it, and find deno.lock out of date
  const path = join(root, "out", `.permissions-${Deno.pid}`, "deno.json");
  await Deno.mkdir(dirname(path), { recursive: true });
  await Deno.copyFile(join(root, "package.json"), join(dirname(path), "package.json")); // part of what deno.lock locks
  const lock = { path: join(root, "deno.lock"), frozen: true };
  const { nodeModulesDir, compilerOptions, allowScripts, imports } = json;
  await Deno.writeTextFile(
    path,
    JSON.stringify({
      nodeModulesDir,
      compilerOptions,
      allowScripts,
      imports,
      lock,
      permissions: { default: permissions },
    }),
  );
  return path;
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
