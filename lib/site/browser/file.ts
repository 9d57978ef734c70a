/** In place of platform/file.ts: a file of the site, open for reading. */
import { bytesAt, statOf } from "./fs.ts";

export class OpenFile {
  private constructor(readonly path: string) {}

  // deno-lint-ignore require-await
  static async toRead(path: string): Promise<OpenFile> {
    statOf(path);
    return new OpenFile(path);
  }

  static toWrite(): never {
    throw new Error("A page writes no files.");
  }

  // deno-lint-ignore require-await
  async stat(): Promise<{ size: number; isFile: boolean }> {
    const stats = statOf(this.path);
    return { size: stats.size, isFile: stats.isFile() };
  }

  async read(target: Uint8Array, position: number): Promise<number> {
    const part = (await bytesAt(this.path)).subarray(position, position + target.length);
    target.set(part);
    return part.length;
  }

  close(): void {}

  [Symbol.dispose](): void {}
}

/** Nothing was written. */
export const syncFolder = (): Promise<void> => Promise.resolve();
