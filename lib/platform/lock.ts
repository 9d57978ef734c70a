/**
 * A lock on a file that one process holds at a time.
 *
 * In Deno it is the system's (flock), which Python's filelock takes too, and which ends with the process.
 * Node and Bun do not offer that: there it is a second file, PATH.pid, with the number of the process that
 * holds it; a file whose process has ended counts for nothing. The two kinds do not see each other.
 */
import { readFile, rm, writeFile } from "node:fs/promises";
import process from "node:process";
import { isThere } from "./errors.ts";

export interface Lock {
  [Symbol.asyncDispose](): Promise<void>;
}

/** The lock, or undefined when another process has it. */
export async function tryLock(path: string): Promise<Lock | undefined> {
  return await (typeof Deno === "undefined" ? lockByName(`${path}.pid`) : lockBySystem(path));
}

async function lockBySystem(path: string): Promise<Lock | undefined> {
  const file = await Deno.open(path, { write: true, create: true });
  try {
    if (await file.tryLock(true)) {
      return { [Symbol.asyncDispose]: () => Promise.resolve(file.close()) };
    }
  } catch (error) {
    file.close();
    throw error;
  }
  file.close();
  return undefined;
}

/** As in Node and Bun. */
export async function lockByName(path: string): Promise<Lock | undefined> {
  try {
    await writeFile(path, String(process.pid), { flag: "wx" });
    return { [Symbol.asyncDispose]: () => rm(path, { force: true }) };
  } catch (error) {
    if (!isThere(error)) throw error;
  }
  const holder = Number(await readFile(path, "utf8").catch(() => "0"));
  // the next try takes it
  if (Number.isInteger(holder) && holder > 0 && !lives(holder)) await rm(path, { force: true });
  return undefined;
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === "EPERM"; // another user's
  }
}
