/**
 * What a model's weights are, in a few hashes, wherever the file lies: results that are kept (the state of a
 * scan) must not be taken for those of another model. Arrays in memory are hashed whole. Of weights that stay
 * in their file some pieces of each are: a pass over the whole of 2.5 GB takes ten seconds, and what changes
 * a model (training, merging, rounding) changes each weight nearly everywhere.
 */
import { bytesOf } from "../checkpoints/dtypes.ts";
import { STORED_BYTES } from "../tensor/node.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { walk } from "../tensor/walk.ts";
import type { Model } from "./model.ts";

const PIECES = 16, PIECE_BYTES = 4096;

type Array32 = Float32Array<ArrayBuffer> | Int32Array<ArrayBuffer>;

export async function digest(bytes: Uint8Array): Promise<string> {
  const hash = await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>);
  return Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** One line for each weight, by name. */
export async function weightDigests(model: Model): Promise<string[]> {
  const lines: string[] = [];
  for (const name of model.params.names().sort()) {
    const array = model.inMemory ? model.weights.get(name)!.data : undefined;
    const bytes = array ? bytesOf(array as Array32) : await parts(model.params.get(name));
    lines.push(`${name} ${await digest(bytes)}`);
  }
  return lines;
}

/** What a weight is made of: steps, arrays whole, and types, shapes and pieces of what lies in the file. */
async function parts(weight: Tensor): Promise<Uint8Array> {
  const found: Uint8Array[] = [];
  const put = (text: string) => found.push(new TextEncoder().encode(`${text}\n`));
  for (const { op, dims } of walk([weight.node])) {
    const shape = dims.map((d) => Number(d.size));
    if (op.kind === "param") put(`array ${shape} ${await digest(bytesOf(op.data as Array32))}`);
    else if (op.kind === "stored") {
      const { file, offset, type } = op.values;
      put(`${type} ${shape}`);
      const bytes = shape.reduce((a, b) => a * b, STORED_BYTES[type]);
      const step = Math.max(PIECE_BYTES, Math.floor(bytes / PIECES));
      for (let at = 0; at < bytes; at += step) {
        found.push(file.read(offset + at, Math.min(PIECE_BYTES, bytes - at)));
      }
    } else put(JSON.stringify(op));
  }
  const all = new Uint8Array(found.reduce((n, piece) => n + piece.length, 0));
  let at = 0;
  for (const piece of found) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
