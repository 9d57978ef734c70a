/**
 * A disk that can be full at a chosen moment. Where a file system in memory may be mounted (as root), it is a
 * real one, and a filler takes what is free. Elsewhere a limit on the size of files (`ulimit -f`) makes
 * writes fail: no full disk, but the same place in the code.
 */

const BYTES = 64 * 2 ** 20;

export interface Disk {
  /** Whether a real disk is full, or only a limit is set. */
  readonly real: boolean;
  fill(): void;
  empty(): void;
  remove(): void;
}

const run = (command: string, args: string[]) => {
  try {
    return new Deno.Command(command, { args, stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false; // there is no such program
  }
};

/** Makes the folder `path` a disk of its own, where that is allowed. */
export function mountDisk(path: string): Disk {
  Deno.mkdirSync(path, { recursive: true });
  const real = run("mount", ["-t", "tmpfs", "-o", `size=${BYTES}`, "cleanup-lens-torture", path]);
  const filler = `${path}/filler`;
  return {
    real,
    fill() {
      const piece = new Uint8Array(1 << 16).fill(1);
      using file = Deno.openSync(filler, { write: true, create: true, append: true });
      for (let length = piece.length; length > 0;) {
        try {
          file.writeSync(piece.subarray(0, length));
        } catch {
          length = Math.floor(length / 16);
        }
      }
    },
    empty() {
      try {
        Deno.removeSync(filler);
      } catch { /* it was not filled */ }
    },
    remove() {
      if (real && !run("umount", [path])) run("umount", ["-l", path]);
    },
  };
}

/**
 * A command under a limit of so many blocks of 512 bytes a file, of which writes are told instead of being
 * ended.
 */
export function limited(blocks: number, command: string, args: readonly string[]): [string, string[]] {
  return ["sh", ["-c", `trap '' XFSZ; ulimit -f ${blocks}; exec "$@"`, "sh", command, ...args]];
}
