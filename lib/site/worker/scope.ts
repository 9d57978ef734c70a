/**
 * What the cells of a page have declared so far, and the running of one more.
 *
 * Names stand in an object that a `with` puts around each cell, so that functions of earlier cells see later
 * assignments. The cell itself is strict. What a cell declared is forgotten when it runs again, also when it
 * then fails: no later cell works with an old answer.
 */
import { didYouMean } from "../../checkpoints/nearest.ts";
import { CellError, compile } from "./compile.ts";

/** An error of a cell as a reader needs it. */
export interface Fault {
  name: string;
  message: string;
  /** Of the cell in which it stands, where that is known; from 1. */
  cell?: string;
  line?: number;
  column?: number;
  /** The graphics card is gone, and with it all that cells have made: the worker is no use any more. */
  ends?: boolean;
}

/** What cells may import. */
export interface Library {
  exports: Readonly<Record<string, unknown>>;
  /** Names of types: they are nothing that a program has. */
  types: readonly string[];
}

const LIBRARY = "../lib/mod.ts";

/** So cells are called in stack traces. */
const fileOf = (cell: string) => `cell:${cell}.ts`;
const FRAME = /cell:([\w-]+)\.ts:(\d+):(\d+)/;

type Names = Record<string, unknown>;

export class Scope {
  readonly #names: Names = Object.create(null);
  readonly #declared = new Map<string, string[]>();

  constructor(readonly library: Library) {}

  /** Runs a cell. Resolves to the value of its last expression. */
  async run(cell: string, source: string): Promise<unknown> {
    for (const name of this.#declared.get(cell) ?? []) delete this.#names[name];
    this.#declared.delete(cell);
    const { code, names, constants } = compile(source);
    this.#declared.set(cell, names);
    const declare = (name: string, property: PropertyDescriptor) =>
      Object.defineProperty(this.#names, name, { configurable: true, enumerable: true, ...property });
    for (const name of names) declare(name, { value: undefined, writable: true });
    const made: (scope: Names, given: Scope["imported"]) => Promise<unknown> = (0, eval)(
      `${code}\n//# sourceURL=${fileOf(cell)}`,
    );
    try {
      const result = await made(this.#names, this.imported);
      for (const name of constants) declare(name, { value: this.#names[name], writable: false });
      return result;
    } catch (error) {
      for (const name of names) if (this.#names[name] === undefined) delete this.#names[name];
      throw error;
    }
  }

  /** The library, or one name of it. */
  imported = (specifier: string, name?: string): unknown => {
    const { exports, types } = this.library;
    if (specifier !== LIBRARY) {
      throw new Error(`import: got "${specifier}"; in this page there is "${LIBRARY}" alone.`);
    }
    if (name === undefined) return exports;
    if (name in exports) return exports[name];
    if (types.includes(name)) return undefined;
    throw new Error(`import: the library has no "${name}".${didYouMean(name, Object.keys(exports))}`);
  };
}

/** What was thrown, and where in which cell. */
export function faultOf(thrown: unknown, cell: string): Fault {
  if (thrown instanceof CellError) {
    const { name, message, line, column } = thrown;
    return { name, message, cell, line, column };
  }
  if (!(thrown instanceof Error)) return { name: "Thrown", message: String(thrown) };
  const { name, message, stack = "" } = thrown;
  const [, where, line, column] = FRAME.exec(stack) ?? [];
  return { name, message, ...(where && { cell: where, line: Number(line), column: Number(column) }) };
}
