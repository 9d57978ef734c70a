/**
 * The zip container of PyTorch checkpoints (`torch.save` since 1.6): a table of records, all stored without
 * compression, so that each can be read in place from disk. Only what PyTorch writes is accepted; nothing is
 * unpacked, and no name in the archive is ever used as a path.
 *
 * Format: local headers with the records' bytes; the central directory; zip64 end record and locator (always
 * written by PyTorch); end record. Source: the zip specification (APPNOTE 6.3.9, sections 4.3 to 4.5).
 */
import { crc32 } from "node:zlib";
import { quoted } from "../quoted.ts";
import type { ByteSource } from "../random_access_file.ts";

/** A record of the archive and where its bytes lie. */
export interface ZipRecord {
  name: string;
  /** Byte offset of the record's first byte in the file. */
  offset: number;
  bytes: number;
  /** CRC-32 of the bytes; 0 when the writer was told not to compute it. */
  crc: number;
}

/** A state dict has a record for each tensor, and none has so many: each takes a look at its own header. */
const maxRecords = 20_000;
const maxDirectoryBytes = 4 * 1024 * 1024;
/** The end record is 22 bytes and a comment of at most 65535. */
const maxEndBytes = 22 + 65535;

/** Reads the table of records, by name. @throws when the file is no such archive or contradicts itself. */
export async function readZipRecords(source: ByteSource): Promise<Map<string, ZipRecord>> {
  const refuse = (what: string): never => {
    throw new Error(`${source.path} is not a PyTorch checkpoint that can be read: ${what}`);
  };
  await refuseOtherFormats(source, refuse);
  const { directoryOffset, directoryBytes, count } = await readEnd(source, refuse);
  if (directoryBytes > maxDirectoryBytes || count > maxRecords) {
    refuse(
      `its table of records has ${count} entries in ${directoryBytes} bytes; ${maxRecords} are read at most.`,
    );
  }
  if (directoryOffset + directoryBytes > source.size) refuse("its table of records lies outside the file.");
  const directory = await view(source, directoryOffset, directoryBytes);
  const records = new Map<string, ZipRecord>();
  let at = 0;
  for (let index = 0; index < count; index++) {
    if (at + 46 > directoryBytes || directory.getUint32(at, true) !== 0x02014b50) {
      refuse(`its table of records breaks off after ${index} of ${count} records.`);
    }
    const [nameBytes, extraBytes, commentBytes] = [28, 30, 32].map((field) =>
      directory.getUint16(at + field, true)
    );
    const end = at + 46 + nameBytes + extraBytes + commentBytes;
    if (end > directoryBytes) refuse(`its table of records breaks off after ${index} of ${count} records.`);
    const name = text(directory, at + 46, nameBytes, refuse);
    if (directory.getUint16(at + 8, true) & 1) refuse(`record ${quoted(name)} is encrypted.`);
    if (directory.getUint16(at + 10, true) !== 0) {
      refuse(`record ${quoted(name)} is compressed; PyTorch stores records.`);
    }
    const sizes = readSizes(
      directory,
      at,
      at + 46 + nameBytes,
      extraBytes,
      () => refuse(`record ${quoted(name)} has no size.`),
    );
    if (sizes.stored !== sizes.bytes) {
      refuse(`record ${quoted(name)} has two sizes, ${sizes.stored} and ${sizes.bytes}.`);
    }
    if (records.has(name)) refuse(`record ${quoted(name)} is there twice.`);
    const offset = await dataOffset(source, name, sizes.header, directoryOffset, refuse);
    if (offset + sizes.bytes > directoryOffset) {
      refuse(`record ${quoted(name)} lies outside the file's data.`);
    }
    records.set(name, { name, offset, bytes: sizes.bytes, crc: directory.getUint32(at + 16, true) });
    at = end;
  }
  let position = 0;
  for (const { name, offset, bytes } of [...records.values()].sort((a, b) => a.offset - b.offset)) {
    if (offset < position) refuse(`record ${quoted(name)} overlaps the one before it.`);
    position = offset + bytes;
  }
  return records;
}

/** Reads a whole record and checks its CRC-32. */
export async function readRecord(source: ByteSource, record: ZipRecord, target: Uint8Array): Promise<void> {
  await source.readInto(record.offset, target);
  if (record.crc !== 0 && crc32(target) !== record.crc) damaged(source, record);
}

/** Checks a record's CRC-32 piece by piece, without holding it. */
export async function checkRecord(source: ByteSource, record: ZipRecord): Promise<void> {
  if (record.crc === 0) return;
  const piece = new Uint8Array(Math.min(record.bytes, 1 << 20));
  let crc = 0;
  for (let done = 0; done < record.bytes; done += piece.length) {
    const part = piece.subarray(0, record.bytes - done);
    await source.readInto(record.offset + done, part);
    crc = crc32(part, crc);
  }
  if (crc !== record.crc) damaged(source, record);
}

function damaged(source: ByteSource, record: ZipRecord): never {
  throw new Error(
    `${source.path} is damaged: record ${
      quoted(record.name)
    } does not have the checksum that was stored for it.`,
  );
}

type Refuse = (what: string) => never;

async function refuseOtherFormats(source: ByteSource, refuse: Refuse) {
  if (source.size < 22) refuse(`it has only ${source.size} bytes.`);
  const start = await view(source, 0, 4);
  if (start.getUint8(0) === 0x80) {
    refuse(
      "it is in PyTorch's format from before 1.6 (a bare pickle). Load it in PyTorch and save it again.",
    );
  }
  if (start.getUint32(0, true) !== 0x04034b50) {
    refuse("it does not begin as a zip archive. Was the download complete?");
  }
}

async function readEnd(source: ByteSource, refuse: Refuse) {
  const tailBytes = Math.min(maxEndBytes, source.size);
  const tail = await view(source, source.size - tailBytes, tailBytes);
  let at = tailBytes - 22;
  const isEnd = () =>
    tail.getUint32(at, true) === 0x06054b50 && at + 22 + tail.getUint16(at + 20, true) === tailBytes;
  while (at >= 0 && !isEnd()) at--;
  if (at < 0) return refuse("its end is missing. Was the download complete?");
  const end = {
    count: tail.getUint16(at + 10, true),
    directoryBytes: tail.getUint32(at + 12, true),
    directoryOffset: tail.getUint32(at + 16, true),
  };
  if (at < 20 || tail.getUint32(at - 20, true) !== 0x07064b50) return end;
  const offset = whole(tail, at - 20 + 8);
  if (!(offset + 56 <= source.size)) return refuse("its zip64 end record lies outside the file.");
  const end64 = await view(source, offset, 56);
  if (end64.getUint32(0, true) !== 0x06064b50) return refuse("its zip64 end record is missing.");
  const wide = {
    count: whole(end64, 32),
    directoryBytes: whole(end64, 40),
    directoryOffset: whole(end64, 48),
  };
  for (
    const [key, full] of [["count", 0xffff], ["directoryBytes", 0xffffffff], [
      "directoryOffset",
      0xffffffff,
    ]] as const
  ) {
    if (end[key] !== full && end[key] !== wide[key]) {
      return refuse("its two end records contradict each other.");
    }
  }
  return wide;
}

/**
 * Sizes and header offset of a directory entry: 32-bit fields, or the zip64 extra field where they are all
 * ones.
 */
function readSizes(directory: DataView, at: number, extra: number, extraBytes: number, missing: () => never) {
  // size, stored size, header offset
  const fields = [24, 20, 42].map((field) => directory.getUint32(at + field, true));
  let from = extra;
  while (from + 4 <= extra + extraBytes && directory.getUint16(from, true) !== 1) {
    from += 4 + directory.getUint16(from + 2, true);
  }
  const present = from + 4 <= extra + extraBytes;
  const until = present ? Math.min(from + 4 + directory.getUint16(from + 2, true), extra + extraBytes) : 0;
  let next = from + 4;
  const [bytes, stored, header] = fields.map((value) => {
    if (value !== 0xffffffff) return value;
    if (next + 8 > until) return missing();
    next += 8;
    return whole(directory, next - 8);
  });
  return { bytes, stored, header };
}

/** Where a record's bytes begin: after its local header, whose name must be the same. */
async function dataOffset(source: ByteSource, name: string, header: number, limit: number, refuse: Refuse) {
  if (!(header + 30 <= limit)) {
    return refuse(`the header of record ${quoted(name)} lies outside the file's data.`);
  }
  const length = new TextEncoder().encode(name).length;
  const local = await view(source, header, Math.min(30 + length, limit - header));
  if (local.getUint32(0, true) !== 0x04034b50) return refuse(`record ${quoted(name)} has no header.`);
  const nameBytes = local.getUint16(26, true);
  if (nameBytes !== local.byteLength - 30 || text(local, 30, nameBytes, refuse) !== name) {
    return refuse(`record ${quoted(name)} has another name in its own header.`);
  }
  return header + 30 + nameBytes + local.getUint16(28, true);
}

/** A 64-bit field; beyond 2^53 it becomes Infinity, which no check lets through. */
function whole(bytes: DataView, at: number): number {
  const value = Number(bytes.getBigUint64(at, true));
  return Number.isSafeInteger(value) ? value : Infinity;
}

function text(bytes: DataView, at: number, length: number, refuse: Refuse): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(
      new Uint8Array(bytes.buffer, bytes.byteOffset + at, length),
    );
  } catch {
    return refuse("the name of a record is not UTF-8.");
  }
}

async function view(source: ByteSource, offset: number, length: number): Promise<DataView<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  await source.readInto(offset, bytes);
  return new DataView(bytes.buffer);
}
