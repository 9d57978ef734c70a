/**
 * Writes ONNX models: the few messages of onnx.proto that a graph needs, over a protobuf library's wire
 * writer. Field numbers are those of onnx.proto (ONNX 1.19, IR version 10). Weights are graph inputs or lie
 * in files of their own, so no large tensor is written.
 */
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import type { StoredType } from "./node.ts";

export type Attribute = number | { float: number } | string | readonly number[];

export interface OnnxNode {
  op: string;
  domain: "" | "com.microsoft";
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, Attribute>>;
}

export type ElementType = "float32" | "int32" | "int64";

export interface OnnxValue {
  name: string;
  type: ElementType;
  shape: readonly number[];
}

/** A tensor in a file: ONNX' external data. */
export interface OnnxExternal {
  name: string;
  type: StoredType;
  shape: readonly number[];
  /** Absolute path. */
  path: string;
  /** Tells files apart that lay at the same path one after the other. */
  stamp: string;
  offset: number;
  bytes: number;
}

export interface OnnxGraph {
  nodes: readonly OnnxNode[];
  inputs: readonly OnnxValue[];
  outputs: readonly OnnxValue[];
  constants: readonly (OnnxValue & { values: readonly number[] })[];
  external: readonly OnnxExternal[];
}

const ELEMENT = { float32: 1, int32: 6, int64: 7, float16: 10, bfloat16: 16 } as const;
/** TensorProto.DataLocation: in another file. */
const EXTERNAL = 1;
const OPSET = 23;
const IR_VERSION = 10;

type Write = (w: BinaryWriter) => void;

function message(w: BinaryWriter, field: number, write: Write): void {
  w.tag(field, WireType.LengthDelimited).fork();
  write(w);
  w.join();
}

function string(w: BinaryWriter, field: number, value: string): void {
  w.tag(field, WireType.LengthDelimited).string(value);
}

function integer(w: BinaryWriter, field: number, value: number): void {
  w.tag(field, WireType.Varint).int64(value);
}

function attribute(w: BinaryWriter, name: string, value: Attribute): void {
  string(w, 1, name);
  if (typeof value === "number") {
    integer(w, 3, value);
    integer(w, 20, 2);
  } else if (typeof value === "string") {
    string(w, 4, value);
    integer(w, 20, 3);
  } else if ("float" in value) {
    w.tag(2, WireType.Bit32).float(value.float);
    integer(w, 20, 1);
  } else {
    for (const v of value) integer(w, 8, v);
    integer(w, 20, 7);
  }
}

function node(w: BinaryWriter, n: OnnxNode): void {
  n.inputs.forEach((name) => string(w, 1, name));
  n.outputs.forEach((name) => string(w, 2, name));
  string(w, 4, n.op);
  for (const [name, value] of Object.entries(n.attributes)) message(w, 5, (a) => attribute(a, name, value));
  if (n.domain) string(w, 7, n.domain);
}

function valueInfo(w: BinaryWriter, v: OnnxValue): void {
  string(w, 1, v.name);
  message(w, 2, (type) =>
    message(type, 1, (tensor) => {
      integer(tensor, 1, ELEMENT[v.type]);
      message(tensor, 2, (shape) =>
        v.shape.forEach((size) =>
          message(shape, 1, (dim) => integer(dim, 1, size))
        ));
    }));
}

function bytes(type: ElementType, values: readonly number[]): Uint8Array {
  if (type === "float32") return new Uint8Array(Float32Array.from(values).buffer);
  if (type === "int32") return new Uint8Array(Int32Array.from(values).buffer);
  return new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
}

function external(
  w: BinaryWriter,
  { name, type, shape, path, offset, bytes }: OnnxExternal,
  root: string,
): void {
  shape.forEach((size) => integer(w, 1, size));
  integer(w, 2, ELEMENT[type]);
  string(w, 8, name);
  const entries = { location: path.slice(root.length).replaceAll("\\", "/"), offset, length: bytes };
  for (const [key, value] of Object.entries(entries)) {
    message(w, 13, (entry) => {
      string(entry, 1, key);
      string(entry, 2, String(value));
    });
  }
  integer(w, 14, EXTERNAL);
}

/**
 * The bytes of a ModelProto. External files are named from `root` on, a folder above all of them, with its
 * last slash.
 */
export function encodeModel(graph: OnnxGraph, root = ""): Uint8Array {
  const w = new BinaryWriter();
  integer(w, 1, IR_VERSION);
  string(w, 2, "cleanup-lens");
  message(w, 7, (g) => {
    graph.nodes.forEach((n) => message(g, 1, (m) => node(m, n)));
    string(g, 2, "graph");
    graph.constants.forEach((c) =>
      message(g, 5, (t) => {
        c.shape.forEach((size) => integer(t, 1, size));
        integer(t, 2, ELEMENT[c.type]);
        string(t, 8, c.name);
        t.tag(9, WireType.LengthDelimited).bytes(bytes(c.type, c.values));
      })
    );
    graph.external.forEach((e) => message(g, 5, (t) => external(t, e, root)));
    graph.inputs.forEach((v) => message(g, 11, (m) => valueInfo(m, v)));
    graph.outputs.forEach((v) => message(g, 12, (m) => valueInfo(m, v)));
  });
  for (const [domain, version] of [["", OPSET], ["com.microsoft", 1]] as const) {
    message(w, 8, (o) => {
      string(o, 1, domain);
      integer(o, 2, version);
    });
  }
  return w.finish();
}
