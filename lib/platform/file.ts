/**
 * An open file, by Node's own functions, which Deno and Bun have too. Reads and writes name their position,
 * so several at once do not disturb each other. Unlike a `FileHandle`, it is closed at once and needs no
 * waiting; a file that is closed while a read is under way is closed after it.
 */
import * as fs from "node:fs";

const { O_RDONLY, O_RDWR, O_CREAT } = fs.constants;
/** Opening a pipe that nobody writes to would wait for ever; Windows has no such flag. */
const AT_ONCE = fs.constants.O_NONBLOCK ?? 0;

export class OpenFile {
  #pending = 0;
  #closing = false;

  private constructor(readonly path: string, readonly fd: number) {}

  /** Opens a file to read. @throws the system's error, see errors.ts */
  static async toRead(path: string): Promise<OpenFile> {
    return await OpenFile.#open(path, O_RDONLY | AT_ONCE);
  }

  /** Opens a file to write, and makes it where there is none. What is in it stays. */
  static async toWrite(path: string): Promise<OpenFile> {
    return await OpenFile.#open(path, O_RDWR | O_CREAT);
  }

  static async #open(path: string, flags: number): Promise<OpenFile> {
    const fd = await new Promise<number>((resolve, reject) =>
      fs.open(path, flags, (error, opened) => error ? reject(error) : resolve(opened))
    );
    return new OpenFile(path, fd);
  }

  async stat(): Promise<{ size: number; isFile: boolean }> {
    const stats = await this.#use<fs.Stats>((done) => fs.fstat(this.fd, done));
    return { size: stats.size, isFile: stats.isFile() };
  }

  /** Reads up to `target.length` bytes from `position` on. Returns how many: 0 at the end. */
  async read(target: Uint8Array, position: number): Promise<number> {
    return await this.#use<number>((done) => fs.read(this.fd, target, 0, target.length, position, done));
  }

  /** Writes all bytes, from `position` on. */
  async write(bytes: Uint8Array, position: number): Promise<void> {
    for (let from = 0; from < bytes.length;) {
      const left = bytes.subarray(from);
      from += await this.#use<number>((done) =>
        fs.write(this.fd, left, 0, left.length, position + from, done)
      );
    }
  }

  /** Returns when what was written is on the disk, where it outlives a loss of power. */
  async sync(): Promise<void> {
    await this.#use<void>((done) => fs.fsync(this.fd, done));
  }

  async truncate(size: number): Promise<void> {
    await this.#use<void>((done) => fs.ftruncate(this.fd, size, done));
  }

  close(): void {
    if (this.#closing) return;
    this.#closing = true;
    if (this.#pending === 0) fs.closeSync(this.fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #use<T>(start: (done: (error: Error | null, value?: T) => void) => void): Promise<T> {
    if (this.#closing) return Promise.reject(new Error(`${this.path} has been closed`));
    this.#pending++;
    return new Promise<T>((resolve, reject) => {
      start((error, value) => {
        if (--this.#pending === 0 && this.#closing) fs.closeSync(this.fd);
        if (error) reject(error);
        else resolve(value as T);
      });
    });
  }
}

/** Makes a rename in this folder outlive a loss of power, where the system can: Windows opens no folders. */
export async function syncFolder(path: string): Promise<void> {
  try {
    using folder = await OpenFile.toRead(path);
    await folder.sync();
  } catch { /* the file is whole; only its name may be lost */ }
}
