/**
 * Writer of safetensors files: for caches, and for the tests' models. See safetensors.ts for the format.
 *
 * The file is written beside its place and renamed into it, so that a reader never sees half of it.
 */
import { bytesOf, bytesPerElement, elementCount, type RawTensor } from "./dtypes.ts";
import { writeWhole } from "./write_whole.ts";

/** The bytes of a safetensors file. @throws when a tensor's data do not have the length that its dims say. */
export function encodeSafetensors(
  tensors: Record<string, RawTensor>,
  metadata: Record<string, string> = {},
): Uint8Array<ArrayBuffer> {
  const header: Record<string, unknown> = {};
  if (Object.keys(metadata).length) header.__metadata__ = metadata;
  // Larger elements first keeps every tensor aligned to its own element size.
  const names = Object.keys(tensors).sort((a, b) =>
    bytesPerElement(tensors[b].dtype) - bytesPerElement(tensors[a].dtype)
  );
  let end = 0;
  for (const name of names) {
    const { dims, dtype, data } = tensors[name];
    if (data.length !== elementCount(dims) || data.BYTES_PER_ELEMENT !== bytesPerElement(dtype)) {
      throw new Error(
        `Tensor "${name}" cannot be written: ${data.length} elements of ${data.BYTES_PER_ELEMENT} bytes do not fill ` +
          `${dtype} [${dims}].`,
      );
    }
    header[name] = { dtype, shape: dims, data_offsets: [end, end += data.byteLength] };
  }
  const text = JSON.stringify(header);
  const json = new TextEncoder().encode(text);
  // padded with spaces: the tensors begin at a multiple of 8
  const headerBytes = Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(8 + headerBytes + end).fill(0x20, 8, 8 + headerBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes), true);
  file.set(json, 8);
  let position = 8 + headerBytes;
  for (const name of names) {
    file.set(bytesOf(tensors[name].data), position);
    position += tensors[name].data.byteLength;
  }
  return file;
}

/** Writes a safetensors file. The folder must exist. */
export async function writeSafetensors(
  path: string,
  tensors: Record<string, RawTensor>,
  metadata: Record<string, string> = {},
): Promise<void> {
  await writeWhole(path, encodeSafetensors(tensors, metadata));
}
