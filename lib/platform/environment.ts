/** What surrounds the program: its environment and where a package's files lie. */
import process from "node:process";
import { fileURLToPath } from "node:url";

/** The value of an environment variable. @throws where Deno was not permitted to read it */
export const environment = (name: string): string | undefined => process.env[name];

/**
 * Gives an environment variable a value, for native code too, unless it has one. Where Deno would have to ask
 * whether it may, it is left as it is.
 */
export function setUnlessSet(name: string, value: string): void {
  const permissions = (globalThis as { Deno?: typeof Deno }).Deno?.permissions;
  if (permissions && permissions.querySync({ name: "env", variable: name }).state !== "granted") return;
  process.env[name] ??= value;
}

export const isWindows: boolean = process.platform === "win32";

/**
 * Path of a file in an npm package that is in the module graph. Code on disk finds it by its name; code that
 * came over HTTP has no map of names, and gives the version too.
 */
export function packageFile({ name, version }: { name: string; version: string }, file: string): string {
  const onDisk = import.meta.url.startsWith("file:");
  return fileURLToPath(import.meta.resolve(onDisk ? `${name}/${file}` : `npm:${name}@${version}/${file}`));
}
