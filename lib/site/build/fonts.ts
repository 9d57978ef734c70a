/**
 * The widths of a font's characters without its outlines: a TrueType file of the four tables that
 * lib/figures/font.ts reads.
 */

const TABLES = ["cmap", "head", "hhea", "hmtx"];

/** Source: OpenType specification 1.9, "Organization of an OpenType font". */
export function widthsOnly(font: Uint8Array): Uint8Array {
  const view = new DataView(font.buffer, font.byteOffset, font.byteLength);
  const found = new Map<string, Uint8Array>();
  for (let i = 0; i < view.getUint16(4); i++) {
    const record = 12 + 16 * i;
    const tag = String.fromCharCode(...font.subarray(record, record + 4));
    const offset = view.getUint32(record + 8);
    if (TABLES.includes(tag)) found.set(tag, font.subarray(offset, offset + view.getUint32(record + 12)));
  }
  const missing = TABLES.find((tag) => !found.has(tag));
  if (missing) throw new Error(`Making a font's widths failed: it has no table "${missing}".`);
  const start = 12 + 16 * TABLES.length;
  const size = TABLES.reduce((sum, tag) => sum + Math.ceil(found.get(tag)!.length / 4) * 4, start);
  const result = new Uint8Array(size), out = new DataView(result.buffer);
  result.set(font.subarray(0, 4));
  out.setUint16(4, TABLES.length);
  let offset = start;
  TABLES.forEach((tag, i) => {
    const bytes = found.get(tag)!, record = 12 + 16 * i;
    result.set(new TextEncoder().encode(tag), record);
    out.setUint32(record + 8, offset);
    out.setUint32(record + 12, bytes.length);
    result.set(bytes, offset);
    offset += Math.ceil(bytes.length / 4) * 4;
  });
  return result;
}
