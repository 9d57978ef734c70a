/**
 * The site as `deno task site` builds it, and what Chromium makes of it. Built once for all tests of a
 * process.
 */
import { join } from "node:path";

export const ROOT = join(import.meta.dirname!, "..", "..");
export const FOLDER = join(ROOT, "out", "site");
export const CONFIG = ["--config", join(ROOT, "lib", "site", "deno.json"), "--frozen"];

export async function deno(args: string[]): Promise<{ ok: boolean; text: string; error: string }> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { ok: success, text: decoder.decode(stdout), error: decoder.decode(stderr) };
}

/** A program in tests/site/browser/, with every permission, and what it printed as JSON. */
export async function driven<T>(program: string, ...args: string[]): Promise<T> {
  const path = join(ROOT, "tests", "site", "browser", program);
  const { ok, text, error } = await deno(["run", ...CONFIG, "--no-prompt", "--allow-all", path, ...args]);
  if (!ok) throw new Error(`${program}: ${error}`);
  return JSON.parse(text);
}
