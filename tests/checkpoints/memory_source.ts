/** A file in memory, for tests of the formats' readers, that counts the bytes that were read. */
import type { ByteSource } from "../../lib/checkpoints/random_access_file.ts";

export function memorySource(bytes: Uint8Array, read: { bytes: number } = { bytes: 0 }): ByteSource {
  return {
    path: "memory",
    size: bytes.length,
    readInto(offset, target) {
      if (offset + target.length > bytes.length) return Promise.reject(new Error("memory is truncated"));
      target.set(bytes.subarray(offset, offset + target.length));
      read.bytes += target.length;
      return Promise.resolve();
    },
    close() {},
  };
}
