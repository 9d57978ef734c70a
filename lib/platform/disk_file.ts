/** A file whose contents are used where they lie, for as long as it stays what it was. */
import * as fs from "node:fs";

/** A file on disk as it was when it was opened. */
export class DiskFile {
  /** With links followed, for the runtime; here it is read by the path that was given. */
  readonly path: string;
  /** Size, time of the last change, and place: another file under the name has another stamp. */
  readonly stamp: string;
  readonly #given: string;

  /** @throws the system's error where there is no such file */
  constructor(path: string) {
    this.#given = path;
    this.path = fs.realpathSync(path);
    this.stamp = stampOf(path);
  }

  /** Some of its bytes. */
  read(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(length), fd = fs.openSync(this.#given, "r");
    try {
      return bytes.subarray(0, fs.readSync(fd, bytes, 0, length, offset));
    } finally {
      fs.closeSync(fd);
    }
  }

  /** @throws when the file is gone, or another than before */
  mustBeUnchanged(): void {
    let now: string;
    try {
      now = stampOf(this.#given);
    } catch (error) {
      throw new Error(
        `${this.path} is gone: the weights are read from it while the model runs. Put it back, and load the model again.`,
        { cause: error },
      );
    }
    if (now === this.stamp) return;
    throw new Error(
      `${this.path} was changed or replaced since the model was loaded; the weights are read from it while the model ` +
        `runs. Load the model again.`,
    );
  }
}

function stampOf(path: string): string {
  const { size, mtimeMs, ino } = fs.statSync(path);
  return `${size} ${mtimeMs} ${ino}`;
}
