/**
 * The site's own files (model, prompts, fonts' widths, the runtime), fetched once and kept by the browser.
 * Their names hold a hash of their content, so that a kept file is never an old one.
 */

export interface Asset {
  /** Beside the scripts. */
  file: string;
  bytes: number;
}

/** Every file that the build left, under the path that the library knows it by. */
declare const SITE_FILES: Readonly<Record<string, Asset>>;

export const files: Readonly<Record<string, Asset>> = SITE_FILES;

const CACHE = "cleanup-lens";

type Listener = (name: string, done: number, total: number) => void;
let tell: Listener = () => {};

/** Who is told how far a file is. */
export function onFetch(listener: Listener): void {
  tell = listener;
}

export const addressOf = ({ file }: Asset): string => new URL(file, self.location.href).href;

const fetched = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();

/** The bytes of a file. @throws where it cannot be fetched; the next call tries again */
export function assetBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const known = fetched.get(path);
  if (known) return known;
  const bytes = load(path);
  fetched.set(path, bytes);
  bytes.catch(() => fetched.delete(path));
  return bytes;
}

async function load(path: string): Promise<Uint8Array<ArrayBuffer>> {
  const asset = files[path], address = addressOf(asset);
  const kept = await openCache();
  const found = await kept?.match(address);
  if (found) {
    const bytes = new Uint8Array(await found.arrayBuffer());
    if (bytes.length === asset.bytes) return bytes;
  }
  const bytes = await download(path, address, asset.bytes);
  await kept?.put(address, new Response(bytes)).catch(() => {}); // a full disk: fetched anew next time
  return bytes;
}

async function download(path: string, address: string, total: number): Promise<Uint8Array<ArrayBuffer>> {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const bytes = new Uint8Array(total);
  let done = 0;
  const fail = (why: string): never => {
    throw new Error(
      `Fetching ${name} (${megabytes(total)}) failed at ${
        megabytes(done)
      }: ${why}. What was fetched before is kept, and so ` +
        "are your edits: run this again when the connection is back.",
    );
  };
  tell(name, 0, total);
  let response: Response;
  try {
    response = await fetch(address);
  } catch {
    return fail("the connection was lost");
  }
  if (!response.ok || !response.body) return fail(`the server answered ${response.status}`);
  const reader = response.body.getReader();
  for (;;) {
    const part = await reader.read().catch(() => fail("the connection was lost"));
    if (part.done) break;
    if (done + part.value.length > total) fail("the server sent more than the file has");
    bytes.set(part.value, done);
    done += part.value.length;
    tell(name, done, total);
  }
  if (done < total) fail("the server sent less than the file has");
  return bytes;
}

const megabytes = (bytes: number) => `${(bytes / 1e6).toFixed(1)} MB`;

/** Nothing is kept in a private window, or where the page came over plain HTTP from another machine. */
async function openCache(): Promise<Cache | undefined> {
  try {
    return await caches.open(CACHE);
  } catch {
    return undefined;
  }
}

/** Removes what an earlier build had left. */
export async function dropOldAssets(): Promise<void> {
  const kept = await openCache();
  const wanted = new Set(Object.values(files).map(addressOf));
  for (const { url } of await kept?.keys() ?? []) if (!wanted.has(url)) await kept!.delete(url);
}
