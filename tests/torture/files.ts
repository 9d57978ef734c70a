/**
 * What lies in a folder after a run: the files that count, as texts that can be compared, and what should not
 * be there.
 */
import { createHash } from "node:crypto";

/** Names of what is not whole, or holds something for a while. */
const UNFINISHED = /\.tmp$|\.partial|\.permissions-|\.incomplete$|^kernel-.*\.json$/;
/** Locks are files that stay, as in Python's huggingface_hub. */
const STAYS = /^\.locks$/;

export interface Found {
  /** Path → hash of its content, without the times that are noted in it. */
  files: Record<string, string>;
  unfinished: string[];
}

export function look(folder: string): Found {
  const found: Found = { files: {}, unfinished: [] };
  const visit = (path: string) => {
    for (const entry of Deno.readDirSync(`${folder}${path}`)) {
      const at = `${path}/${entry.name}`;
      if (UNFINISHED.test(entry.name)) found.unfinished.push(at);
      else if (STAYS.test(entry.name)) continue;
      else if (entry.isDirectory) visit(at);
      else found.files[at] = contentOf(`${folder}${at}`);
    }
  };
  try {
    visit("");
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return found;
}

function contentOf(path: string): string {
  const bytes = Deno.readFileSync(path);
  const timed = /\.(ipynb|html)$/.test(path);
  const content = timed
    ? new TextDecoder().decode(bytes).replace(/"seconds": [\d.]+/g, "").replace(/[\d.]+ s<\/p>/g, "")
    : bytes;
  return createHash("sha256").update(content).digest("hex");
}

/** What differs between two runs' files, in words; undefined when nothing does. */
export function difference(expected: Found["files"], got: Found["files"]): string | undefined {
  const names = [...new Set([...Object.keys(expected), ...Object.keys(got)])];
  const wrong = names.filter((name) => expected[name] !== got[name]);
  if (wrong.length === 0) return undefined;
  const say = (name: string) =>
    `${name} ${!(name in got) ? "is missing" : name in expected ? "differs" : "is too much"}`;
  return wrong.map(say).join(", ");
}
