/** In place of platform/lock.ts: a page shares no files. */

// deno-lint-ignore require-await
export async function tryLock(): Promise<undefined> {
  return undefined;
}
