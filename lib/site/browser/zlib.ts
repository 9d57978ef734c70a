/** In place of node:zlib: what a PNG in a legend needs. */
import { zlibSync } from "fflate";

export const deflateSync = (bytes: Uint8Array): Uint8Array => zlibSync(bytes, { level: 9 });

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1;
  return n;
});

/** Of PNG and zip (ISO 3309). */
export function crc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 255] ^ (crc >>> 8);
  return ~crc >>> 0;
}
