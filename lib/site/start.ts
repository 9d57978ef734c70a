/**
 * Starts `deno task site` with the permissions that it needs: fetches the packages of the library and of the
 * site, each pinned by its lock file, then builds. Only esbuild's own program is run besides Deno.
 */
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(fileURLToPath(new URL("../..", import.meta.url)));
const SITE = ["--config", join(root, "lib/site/deno.json"), "--frozen"];
interface Options {
  /** The output is returned, not shown. */
  quiet?: boolean;
  /** In place of this program's environment. */
  env?: Record<string, string>;
}

async function deno(args: string[], { quiet = false, env }: Options = {}): Promise<string> {
  const stdout = quiet ? "piped" : "inherit";
  const only = env && { clearEnv: true, env };
  const child = new Deno.Command(Deno.execPath(), { args, cwd: root, stdout, ...only }).spawn();
  const stop = () => child.kill("SIGTERM");
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, stop);
  const { code } = quiet ? { code: 0 } : await child.status;
  if (code !== 0) Deno.exit(code);
  const text = quiet ? new TextDecoder().decode((await child.output()).stdout) : "";
  for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.removeSignalListener(signal, stop);
  return text;
}

/** Where esbuild's program for this machine lies, in Deno's cache. */
async function esbuild(npmCache: string): Promise<string> {
  const lock = JSON.parse(await Deno.readTextFile(join(root, "lib/site/deno.lock")));
  const version =
    lock.specifiers[Object.keys(lock.specifiers).find((name) => name.startsWith("npm:esbuild@"))!];
  const arch = { x86_64: "x64", aarch64: "arm64" }[Deno.build.arch];
  const [system, program] = Deno.build.os === "windows"
    ? ["win32", "esbuild.exe"]
    : [Deno.build.os, "bin/esbuild"];
  return join(npmCache, "registry.npmjs.org/@esbuild", `${system}-${arch}`, version, program);
}

await deno(["cache", "--quiet", "--frozen", "lib/mod.ts"]);
await deno(["cache", "--quiet", ...SITE, "lib/site/site.ts"]);
const { denoDir, npmCache } = JSON.parse(await deno(["info", "--json"], { quiet: true }));
const build = [
  "run",
  ...SITE,
  "--no-prompt",
  `--allow-read=${root},${npmCache}`,
  `--allow-write=${join(root, "out")}`,
  `--allow-run=${await esbuild(npmCache)}`,
  "--allow-env", // Deno's child_process hands all of it on: there is nothing in it
  "--allow-net=127.0.0.1",
  "lib/site/site.ts",
  ...Deno.args,
];
await deno(build, { env: { DENO_DIR: denoDir } });
