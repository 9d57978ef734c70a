/**
 * Lowers expressions to a graph: equal expressions become one node, and only what the outputs need is
 * emitted.
 */
import type { Device } from "./device.ts";
import { type Dim, has, names, product, type Sizes, without } from "./dims.ts";
import { Graph, type Value } from "./graph.ts";
import { lowerAttention } from "./lower_attention.ts";
import { canTakeBias, lowerContract } from "./lower_contract.ts";
import { counted } from "./memo.ts";
import type { DType, Node, Op, View } from "./node.ts";
import { canonicalise } from "./canonical.ts";
import { checkReach, placesOf, takePart } from "./lower_part.ts";
import { inBlocks, productInBlocks, rawPart, reduceInBlocks } from "./lower_stored.ts";
import { asInt32, logSoftmax } from "./spelt_out.ts";
import { shareAttention } from "./share_attention.ts";

type Of<K extends Op["kind"]> = Extract<Op, { kind: K }>;

/** Dims as the fused attention reads them. */
const ATTENTION = ["batch", "pos", "head", "d_head"];

export class Lowering {
  readonly graph: Graph;
  readonly inputs = new Map<string, { op: Of<"input">; dims: readonly Dim[]; dtype: DType }>();
  /**
   * Which of the graph's outputs holds each result, in its declared order. Dims along which it repeats are
   * not written out.
   */
  readonly outputs = new Map<string, { from: string; names: string[]; shape: readonly number[] }>();
  #values = new Map<Node, Value>();
  #shared = new Map<string, string[]>();
  #uses = new Map<Node, number>();

  constructor(outputs: Readonly<Record<string, View>>, sizes: Sizes, device: Device = "cpu") {
    this.graph = new Graph(sizes, device === "cpu");
    const distinct = canonicalise(Object.values(outputs).map((t) => t.node)).roots;
    const { roots, uses } = canonicalise(shareAttention(distinct));
    this.#uses = uses;
    Object.entries(outputs).forEach(([name, { dims }], i) => {
      const own = names(dims).filter((n) => has(roots[i].dims, n));
      const value = this.graph.arrange(this.#value(roots[i]), own);
      this.outputs.set(name, { from: this.graph.output(value), names: own, shape: value.shape });
    });
  }

  /** Pads with dims of size 1 where `value` lacks a dim of `dims`; `full`: writes the broadcast out. */
  #broadcastTo(value: Value, dims: readonly Dim[], full = false): Value {
    if (dims.every((d) => has(value.dims, d.name))) return value;
    const padded = dims.map((d) => has(value.dims, d.name) ? this.graph.size(d) : 1);
    const first = dims.findIndex((d) => has(value.dims, d.name));
    // Missing dims in front need no mention: that is how ONNX broadcasts.
    const name = this.graph.reshape(value.name, value.shape, first < 0 ? [] : padded.slice(first));
    if (!full) return { ...value, name };
    const target = this.graph.value("", dims, value.dtype);
    const bytes = [4 * product(target.shape)];
    return {
      ...target,
      name: this.graph.emit("Expand", [name, this.graph.constant(target.shape)], bytes)[0],
    };
  }

  #value(node: Node): Value {
    const known = this.#values.get(node);
    if (known) return known;
    const raw = rawPart(this.graph, node, (other) => this.#value(other));
    if (raw) return this.graph.read(raw); // anew for each use
    const value = this.#lower(node);
    this.#values.set(node, value);
    return value;
  }

  #lower(node: Node): Value {
    const { op, inputs, dims } = node;
    const g = this.graph;
    const result = g.value("", dims, node.dtype);
    const bytes = [4 * product(result.shape)];
    const axis = (name: string, of: readonly Dim[] = dims) => names(of).indexOf(name);
    const arranged = (i: number, order: readonly Dim[] = dims) =>
      g.arrange(this.#value(inputs[i]), names(order));
    const made = ([name]: string[]): Value => ({ ...result, name });
    const last = (
      over: string,
    ) => [...without(inputs[0].dims, [over]), ...inputs[0].dims.filter((d) => d.name === over)];

    switch (op.kind) {
      case "param":
        return g.param(op.data, dims);
      case "table":
        return g.param(op.make(result.shape[0]), dims);
      case "stored": // see #value
        throw new Error("stored values are read where they are used");
      case "input":
        this.inputs.set(op.name, { op, dims, dtype: node.dtype });
        return g.input(op.name, dims, node.dtype);
      case "constant":
        return { ...result, name: g.constant([op.value], node.dtype, []) };
      case "iota":
        return g.param(counted(result.shape[0], "float32"), dims);
      case "unary": {
        const x = this.#value(inputs[0]);
        const attributes = op.approximate ? { approximate: op.approximate } : undefined;
        return { ...x, name: g.emit(op.op, [x.name], bytes, attributes)[0] };
      }
      case "binary":
        return this.#biased(node) ?? made(g.emit(op.op, this.#aligned(inputs, dims), bytes));
      case "where": {
        const [a, b, then, otherwise] = this.#aligned(inputs, dims);
        const [condition] = g.emit(op.op, [a, b], [bytes[0] / 4]);
        return made(g.emit("Where", [condition, then, otherwise], bytes));
      }
      case "contract":
        return productInBlocks(g, node, (other) => this.#value(other)) ??
          lowerContract(g, this.#value(inputs[0]), this.#value(inputs[1]), op.over);
      case "reduce": {
        const inBlocks = reduceInBlocks(g, op.op, inputs[0], op.over);
        if (inBlocks) return inBlocks;
        const x = this.#value(inputs[0]);
        const axes = g.constant(op.over.map((n) => axis(n, x.dims)).sort((a, b) => a - b));
        const rest = without(x.dims, op.over);
        return {
          ...g.value("", rest, node.dtype),
          name: g.emit(op.op, [x.name, axes], bytes, { keepdims: 0 })[0],
        };
      }
      case "softmax": {
        const x = arranged(0, last(op.over));
        if (op.log && !g.fused) return { ...x, name: logSoftmax(g, x) };
        return { ...x, name: g.emit(op.log ? "LogSoftmax" : "Softmax", [x.name], bytes, { axis: -1 })[0] };
      }
      case "layerNorm": {
        const x = arranged(0, last(op.over));
        const weights = inputs.slice(1).map((n) => this.#value(n).name);
        const key = `${x.name}:${weights}:${op.eps}`;
        if (!this.#shared.has(key)) {
          const rows = 4 * product(x.shape.slice(0, -1));
          const attributes = { axis: -1, epsilon: { float: op.eps } };
          const sizes = [4 * product(x.shape), rows, rows];
          this.#shared.set(key, g.emit("LayerNormalization", [x.name, ...weights], sizes, attributes));
        }
        const outputs = this.#shared.get(key)!;
        if (op.output === 0) return { ...x, name: outputs[0] };
        const rest = g.value("", x.dims.slice(0, -1), "float32");
        return { ...rest, name: g.reshape(outputs[2], [...rest.shape, 1], rest.shape) };
      }
      case "rmsNorm": {
        const x = arranged(0, last(op.over));
        const attributes = { axis: -1, epsilon: { float: op.eps } };
        return {
          ...x,
          name: g.emit("RMSNormalization", [x.name, this.#value(inputs[1]).name], bytes, attributes)[0],
        };
      }
      case "attention": {
        const [q, k, v] = [0, 1, 2].map((i) => g.arrange(this.#value(inputs[i]), ATTENTION));
        return lowerAttention(g, q, k, v, op);
      }
      case "gather": {
        const table = arranged(0, [
          ...inputs[0].dims.filter((d) => d.name === op.over),
          ...without(inputs[0].dims, [op.over]),
        ]);
        const indices = arranged(1, inputs[1].dims);
        return made(g.emit("Gather", [table.name, indices.name], bytes, { axis: 0 }));
      }
      case "pick": {
        const x = this.#value(inputs[0]);
        const one = x.dims.map((d) => d.name === op.over ? { name: d.name, size: 1 } : d);
        const index = g.arrange(this.#value(inputs[1]), names(one).filter((n) => has(inputs[1].dims, n)));
        const indices = this.#broadcastTo(index, one, true);
        const name =
          g.emit("GatherElements", [x.name, indices.name], bytes, { axis: axis(op.over, x.dims) })[0];
        const rest = g.value("", without(x.dims, [op.over]), node.dtype);
        return { ...rest, name: g.reshape(name, indices.shape, rest.shape) };
      }
      case "select":
      case "slice":
      case "prefix": {
        const [{ op: from, dims: [first] }] = inputs;
        if (from.kind !== "param" || first.name !== op.over) {
          return takePart(g, op, node, this.#value(inputs[0]));
        }
        const { start, end } = placesOf(g, op, node);
        const row = from.data.length / g.size(first);
        return g.param(from.data.subarray(start * row, end * row), dims);
      }
      case "concat":
      case "stack": {
        const parts = inputs.map((input) => {
          const own = dims.filter((d) => d.name === op.over ? op.kind === "concat" : true)
            .map((d) => d.name === op.over ? input.dims.find((x) => x.name === d.name)! : d);
          const x = g.arrange(this.#value(input), names(own).filter((n) => has(input.dims, n)));
          const full = this.#broadcastTo(x, own, true);
          if (op.kind === "concat") return full.name;
          return g.reshape(full.name, full.shape, dims.map((d) => d.name === op.over ? 1 : g.size(d)));
        });
        return made(parts.length === 1 ? parts : g.emit("Concat", parts, bytes, { axis: axis(op.over) }));
      }
      case "expand": {
        const x = this.#value(inputs[0]);
        return this.#broadcastTo(x, [...x.dims, ...dims.filter((d) => !has(x.dims, d.name))], true);
      }
      case "rename": {
        const x = this.#value(inputs[0]);
        const to = (n: string) => op.from.includes(n) ? op.to[op.from.indexOf(n)] : n;
        return { ...x, dims: x.dims.map((d) => ({ name: to(d.name), size: d.size })) };
      }
      case "topK": {
        checkReach(g, op.kind, inputs[0].dims, op.over, op.k);
        const x = arranged(0, last(op.over));
        const key = `${x.name}:topK${op.k}`;
        if (!this.#shared.has(key)) {
          const attributes = { axis: -1, largest: 1, sorted: 1 };
          this.#shared.set(
            key,
            g.emit("TopK", [x.name, g.constant([op.k])], [bytes[0], 2 * bytes[0]], attributes),
          );
        }
        const [values, indices] = this.#shared.get(key)!;
        const cut = g.value("", [...x.dims.slice(0, -1), dims[axis(op.over)]], node.dtype);
        if (op.output === 0) return { ...cut, name: values };
        if (g.fused) return { ...cut, name: g.emit("Cast", [indices], bytes, { to: 6 })[0] };
        return { ...cut, name: asInt32(g, indices, x.shape.at(-1)!, bytes[0]) };
      }
    }
  }

  /** Operand names, each arranged and padded so that ONNX's broadcasting by place does what the names say. */
  #aligned(inputs: readonly Node[], dims: readonly Dim[]): string[] {
    return inputs.map((input) => {
      const order = names(dims).filter((n) => has(input.dims, n));
      return this.#broadcastTo(this.graph.arrange(this.#value(input), order), dims).name;
    });
  }

  /** contract + bias as one GEMM, when nothing else needs the sum without the bias. */
  #biased({ op, inputs, dims }: Node): Value | undefined {
    if (op.kind !== "binary" || op.op !== "Add") return;
    const at = inputs.findIndex((n) => n.op.kind === "contract" && this.#uses.get(n) === 1);
    if (at < 0) return;
    const [product, bias] = [inputs[at], inputs[1 - at]];
    if (bias.op.kind !== "param" || product.op.kind !== "contract" || product.dims.length !== dims.length) {
      return;
    }
    if (inBlocks(this.graph, product)) return;
    const [left, right] = product.inputs.map((n) => this.#value(n));
    if (!canTakeBias(this.graph, left, right, product.op.over, names(bias.dims))) return;
    return lowerContract(this.graph, left, right, product.op.over, this.#value(bias));
  }
}
