/**
 * A file on disk from which ranges are read, so that no checkpoint is ever held in memory as a whole.
 */
import { DiskFile } from "../platform/disk_file.ts";
import { OpenFile } from "../platform/file.ts";
import { cannotRead, NO_FILE } from "./file_faults.ts";

/** What the formats' readers need of a file. */
export interface ByteSource {
  readonly path: string;
  /** Size in bytes. */
  readonly size: number;
  /** Fills `target` with the bytes from `offset` on; throws when the file ends before. */
  readInto(offset: number, target: Uint8Array): Promise<void>;
  /** The file, where the bytes lie in one: they can be used there when the source has been closed. */
  onDisk?(): DiskFile;
  close(): void;
}

export class RandomAccessFile implements ByteSource {
  readonly path: string;
  readonly size: number;
  #file: OpenFile;
  #open = true;
  #onDisk?: DiskFile;

  private constructor(path: string, size: number, file: OpenFile) {
    this.path = path;
    this.size = size;
    this.#file = file;
  }

  static async open(path: string): Promise<RandomAccessFile> {
    let file: OpenFile | undefined;
    try {
      file = await OpenFile.toRead(path);
      const info = await file.stat();
      if (!info.isFile) throw new Error(NO_FILE);
      const opened = new RandomAccessFile(path, info.size, file);
      if (info.size <= LFS_POINTER_BYTES) {
        const bytes = new Uint8Array(info.size);
        await opened.readInto(0, bytes);
        refuseLfsPointer(new TextDecoder().decode(bytes));
      }
      return opened;
    } catch (error) {
      file?.close();
      throw await cannotRead(path, error, "open");
    }
  }

  async readInto(offset: number, target: Uint8Array): Promise<void> {
    if (!this.#open) throw new Error(`Cannot read ${this.path}: it has been closed.`);
    if (offset + target.length > this.size) {
      throw new Error(
        `${this.path} is truncated: bytes ${offset} to ${
          offset + target.length
        } were wanted, it ends at ${this.size}.`,
      );
    }
    let done = 0;
    while (done < target.length) {
      const count = await this.#file.read(target.subarray(done), offset + done);
      if (count === 0) {
        throw new Error(`${this.path} became shorter while it was read: it ended at byte ${offset + done}.`);
      }
      done += count;
    }
  }

  onDisk(): DiskFile {
    return this.#onDisk ??= new DiskFile(this.path);
  }

  close(): void {
    if (this.#open) this.#file.close();
    this.#open = false;
  }
}

/** A pointer is a text of some 130 bytes. */
const LFS_POINTER_BYTES = 1024;

/** @throws when `text` is what git leaves in place of a large file that was not fetched */
export function refuseLfsPointer(text: string): void {
  if (!text.startsWith("version https://git-lfs.github.com/spec/")) return;
  const size = /^size (\d{1,15})$/m.exec(text)?.[1];
  throw new Error(
    `this is a Git LFS pointer, not the file itself${
      size ? ` of ${size} bytes` : ""
    }: fetch it with "git lfs pull".`,
  );
}
