/**
 * Fixed arrays (weights, masks) on a graphics card: each is sent there once, and stays for all runs until its
 * array is collected here. A session that only copies hands out what it copied as a buffer of the card. Such
 * a buffer is fed to other sessions and never read back: `getData()` of it ends the process (onnxruntime-node
 * 1.30).
 */
import type * as ort from "onnxruntime-node";
import { type Data, type DType, dtypeOf } from "./node.ts";
import type { OnnxGraph } from "./onnx.ts";

/** A session whose outputs stay on the device. */
export type CreateCopier = (graph: OnnxGraph) => Promise<ort.InferenceSession>;

export class DeviceArrays {
  #create: CreateCopier;
  #tensor: (data: Data, shape: readonly number[]) => ort.Tensor;
  /** Copiers, which live as long as what they made. */
  #copiers = new Map<string, Promise<ort.InferenceSession>>();
  #sent = new WeakMap<ArrayBufferLike, Map<string, Promise<ort.Tensor>>>();
  #collected = new FinalizationRegistry<Map<string, Promise<ort.Tensor>>>((sent) => {
    for (const tensor of sent.values()) tensor.then((t) => t.dispose()).catch(() => {});
  });

  constructor(create: CreateCopier, tensor: (data: Data, shape: readonly number[]) => ort.Tensor) {
    this.#create = create;
    this.#tensor = tensor;
  }

  /** The array on the device. */
  async get(data: Data, shape: readonly number[]): Promise<ort.Tensor> {
    let sent = this.#sent.get(data.buffer);
    if (!sent) {
      this.#sent.set(data.buffer, sent = new Map());
      this.#collected.register(data.buffer, sent);
    }
    const key = `${data.byteOffset}:${shape}`;
    let tensor = sent.get(key);
    if (!tensor) {
      sent.set(key, tensor = this.#send(data, shape));
      tensor.catch(() => sent.delete(key));
    }
    return await tensor;
  }

  async #send(data: Data, shape: readonly number[]): Promise<ort.Tensor> {
    const type = dtypeOf(data);
    const key = `${type}:${shape}`;
    let copier = this.#copiers.get(key);
    if (!copier) {
      this.#copiers.set(key, copier = this.#create(copyGraph(type, shape)));
      copier.catch(() => this.#copiers.delete(key));
    }
    return (await (await copier).run({ x: this.#tensor(data, shape) })).y;
  }
}

/** y = x. */
export function copyGraph(type: DType, shape: readonly number[]): OnnxGraph {
  const value = (name: string) => ({ name, type, shape });
  return {
    nodes: [{ op: "Identity", domain: "", inputs: ["x"], outputs: ["y"], attributes: {} }],
    inputs: [value("x")],
    outputs: [value("y")],
    constants: [],
    external: [],
  };
}
