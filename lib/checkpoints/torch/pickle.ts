/**
 * A reader of Python pickles that executes nothing: a stack machine of the few operations that a PyTorch
 * state dict is written with (protocols 2 to 5). What a pickle may call is the caller's allow-list;
 * everything else is refused by name.
 *
 * Source: Python's pickletools, which describes each operation. Every operation reads at least one byte and
 * does a bounded amount of work, so a pickle of n bytes ends after at most n operations.
 */
import { quoted } from "../quoted.ts";
import { PickleBytes } from "./pickle_bytes.ts";

/** State dicts of 100,000 tensors stay below these; they bound memory to some hundreds of megabytes. */
export const limits = { bytes: 16 * 1024 * 1024, operations: 2_000_000, stack: 1_000_000, depth: 100 };

/** A name that a pickle looked up, such as "collections.OrderedDict". It is only ever compared. */
export class PickleGlobal {
  constructor(readonly name: string) {}
}

/** A Python dict or OrderedDict, in insertion order. */
export class PickleDict {
  readonly entries = new Map<unknown, unknown>();
}

/**
 * Python tuples are frozen arrays, lists are arrays; numbers, strings, booleans, None (null) are themselves.
 */
export interface PickleRules {
  /** Whether a pickle may look up this name. */
  allowGlobal(name: string): boolean;
  /** The result of calling a global with arguments. Throws to refuse. */
  call(name: string, args: readonly unknown[]): unknown;
  /** The object behind a persistent id (PyTorch: a storage). Throws to refuse. */
  persistent(id: unknown): unknown;
}

const mark = Symbol("mark");

/** Reads one pickle. @throws with the byte at which it is refused. */
export function unpickle(bytes: Uint8Array, rules: PickleRules): unknown {
  if (bytes.length > limits.bytes) {
    throw new Error(`the pickle has ${bytes.length} bytes, more than the limit of ${limits.bytes}.`);
  }
  const machine = new Machine(new PickleBytes(bytes), rules);
  try {
    return machine.run();
  } catch (error) {
    const what = error instanceof RangeError ? "it breaks off." : (error as Error).message;
    throw new Error(`byte ${machine.start} of its pickle: ${what}`, { cause: error });
  }
}

class Machine {
  /** Where the current operation began. */
  start = 0;
  #stack: unknown[] = [];
  #marks = 0;
  #memo = new Map<number, unknown>();

  constructor(private readonly bytes: PickleBytes, private readonly rules: PickleRules) {}

  run(): unknown {
    for (let count = 0;; count++) {
      if (count > limits.operations) throw new Error(`it has more than ${limits.operations} operations.`);
      if (this.#stack.length > limits.stack) {
        throw new Error(`it holds more than ${limits.stack} values at once.`);
      }
      this.start = this.bytes.position;
      const operation = this.bytes.byte();
      if (operation === 0x2e) { // STOP
        const result = this.#pop();
        if (this.#stack.length) throw new Error(`it leaves ${this.#stack.length} values behind.`);
        return result;
      }
      this.#step(operation);
    }
  }

  #step(operation: number): void {
    const stack = this.#stack;
    switch (operation) {
      case 0x80: { // PROTO
        const protocol = this.bytes.byte();
        if (protocol < 2 || protocol > 5) throw new Error(`it has protocol ${protocol}; 2 to 5 are read.`);
        return;
      }
      case 0x95: // FRAME: a hint for readers of streams
        this.bytes.skip(8);
        return;
      case 0x28: // MARK
        if (++this.#marks > limits.depth) throw new Error(`it nests deeper than ${limits.depth}.`);
        stack.push(mark);
        return;
      case 0x4e: // NONE
        stack.push(null);
        return;
      case 0x88: // NEWTRUE
      case 0x89: // NEWFALSE
        stack.push(operation === 0x88);
        return;
      case 0x4b: // BININT1
        stack.push(this.bytes.byte());
        return;
      case 0x4d: // BININT2
        stack.push(this.bytes.uint16());
        return;
      case 0x4a: // BININT
        stack.push(this.bytes.int32());
        return;
      case 0x8a: // LONG1
        stack.push(this.bytes.long(this.bytes.byte()));
        return;
      case 0x47: // BINFLOAT
        stack.push(this.bytes.float64());
        return;
      case 0x58: // BINUNICODE
        stack.push(this.bytes.text(this.bytes.uint32()));
        return;
      case 0x8c: // SHORT_BINUNICODE
        stack.push(this.bytes.text(this.bytes.byte()));
        return;
      case 0x29: // EMPTY_TUPLE
        stack.push(Object.freeze([]));
        return;
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: { // TUPLE3
        const items = Array.from({ length: operation - 0x84 }, () => this.#pop()).reverse();
        stack.push(Object.freeze(items));
        return;
      }
      case 0x74: // TUPLE
        stack.push(Object.freeze(this.#sinceMark()));
        return;
      case 0x5d: // EMPTY_LIST
        stack.push([]);
        return;
      case 0x61: { // APPEND
        const item = this.#pop();
        this.#list().push(item);
        return;
      }
      case 0x65: { // APPENDS
        const items = this.#sinceMark();
        const list = this.#list();
        for (const item of items) list.push(item);
        return;
      }
      case 0x7d: // EMPTY_DICT
        stack.push(new PickleDict());
        return;
      case 0x73: { // SETITEM
        const value = this.#pop();
        const key = this.#pop();
        this.#set(this.#dict(), key, value);
        return;
      }
      case 0x75: { // SETITEMS
        const items = this.#sinceMark();
        if (items.length % 2) throw new Error("a dict has a key without a value.");
        const dict = this.#dict();
        for (let i = 0; i < items.length; i += 2) this.#set(dict, items[i], items[i + 1]);
        return;
      }
      case 0x71: // BINPUT
        this.#memo.set(this.bytes.byte(), this.#top());
        return;
      case 0x72: // LONG_BINPUT
        this.#memo.set(this.bytes.uint32(), this.#top());
        return;
      case 0x94: // MEMOIZE
        this.#memo.set(this.#memo.size, this.#top());
        return;
      case 0x68: // BINGET
        stack.push(this.#recall(this.bytes.byte()));
        return;
      case 0x6a: // LONG_BINGET
        stack.push(this.#recall(this.bytes.uint32()));
        return;
      case 0x63: { // GLOBAL
        const module = this.bytes.line();
        stack.push(this.#global(module, this.bytes.line()));
        return;
      }
      case 0x93: { // STACK_GLOBAL
        const name = this.#pop();
        const module = this.#pop();
        if (typeof name !== "string" || typeof module !== "string") {
          throw new Error("a global's name is not text.");
        }
        stack.push(this.#global(module, name));
        return;
      }
      case 0x52: { // REDUCE
        const args = this.#pop();
        const callee = this.#pop();
        if (!(callee instanceof PickleGlobal)) throw new Error("it calls something that is not a global.");
        if (!Array.isArray(args) || !Object.isFrozen(args)) {
          throw new Error(`${callee.name} is called without a tuple.`);
        }
        stack.push(this.rules.call(callee.name, args));
        return;
      }
      case 0x51: // BINPERSID
        stack.push(this.rules.persistent(this.#pop()));
        return;
      // BUILD: attributes of an object. An OrderedDict has them (state dicts: _metadata); they are passed
      // over.
      case 0x62:
        this.#pop();
        this.#dict();
        return;
      default:
        throw new Error(
          `operation 0x${operation.toString(16).padStart(2, "0")} is not one that state dicts are made of.`,
        );
    }
  }

  #pop(): unknown {
    const value = this.#top();
    this.#stack.pop();
    return value;
  }

  #top(): unknown {
    if (this.#stack.length === 0 || this.#stack.at(-1) === mark) {
      throw new Error("it uses a value that is not there.");
    }
    return this.#stack.at(-1);
  }

  #sinceMark(): unknown[] {
    const from = this.#stack.lastIndexOf(mark);
    if (from < 0) throw new Error("it closes a group that was not opened.");
    this.#marks--;
    return this.#stack.splice(from).slice(1);
  }

  #list(): unknown[] {
    const list = this.#top();
    if (!Array.isArray(list) || Object.isFrozen(list)) {
      throw new Error("it appends to something that is not a list.");
    }
    return list;
  }

  #dict(): PickleDict {
    const dict = this.#top();
    if (!(dict instanceof PickleDict)) {
      throw new Error("it sets an item or attribute of something that is not a dict.");
    }
    return dict;
  }

  #set(dict: PickleDict, key: unknown, value: unknown): void {
    if (typeof key !== "string" && typeof key !== "number") {
      throw new Error("a dict's key is neither text nor number.");
    }
    if (dict.entries.has(key)) throw new Error(`a dict has the key ${quoted(key)} twice.`);
    dict.entries.set(key, value);
  }

  #recall(index: number): unknown {
    if (!this.#memo.has(index)) throw new Error(`it recalls value ${index}, which was never stored.`);
    return this.#memo.get(index);
  }

  #global(module: string, name: string): PickleGlobal {
    const full = `${module}.${name}`;
    if (!this.rules.allowGlobal(full)) {
      throw new Error(`it wants ${quoted(full)}, which is not allowed.`);
    }
    return new PickleGlobal(full);
  }
}
