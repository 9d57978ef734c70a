/** A measurement in a process of its own: alone with its memory, its threads and its compiled graphs. */
import { fileURLToPath } from "node:url";

/**
 * Runs a module with these permissions and arguments, and reads the JSON that it prints. What it says besides
 * goes to stderr.
 * @param url of the module @throws when it fails, naming `what`
 */
export async function inProcess<Result>(
  url: string,
  permissions: readonly string[],
  args: readonly string[],
  what: string,
): Promise<Result> {
  const { success, stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--frozen", ...permissions, fileURLToPath(url), ...args],
    stdout: "piped",
    stderr: "inherit",
  }).output();
  if (!success) throw new Error(`${what} failed`);
  return JSON.parse(new TextDecoder().decode(stdout));
}
