/** What a run is given: which inputs its outputs read, and whether what was fed fits them. */
import { describe, names } from "./dims.ts";
import type { Lowering } from "./lower.ts";
import type { NdArray } from "./nd_array.ts";
import { dtypeOf, type View } from "./node.ts";
import { walk } from "./walk.ts";

/** What a run is given, by the name of the input: see `feed`. */
export type Feeds = Readonly<Record<string, NdArray>>;

/** Binds "batch", "pos" … to the sizes of what is fed, and checks ids and lengths. */
export function bind(
  inputs: Lowering["inputs"],
  feeds: Feeds,
): { sizes: Record<string, number>; total: number } {
  const sizes: Record<string, number> = {};
  for (const [name, { op, dims, dtype }] of inputs) {
    const fed = feeds[name];
    const wanted = describe(dims);
    if (!fed) {
      throw new Error(
        `run: input "${name}" ${wanted} was not given; got ${Object.keys(feeds).join(", ") || "no inputs"}`,
      );
    }
    if (!Array.isArray(fed.shape)) {
      throw new Error(
        `run: input "${name}" ${wanted}: got ${
          fed.constructor?.name ?? typeof fed
        }; expected an NdArray. Prompts ` +
          "are fed as feed(prompts).",
      );
    }
    if (fed.shape.length !== dims.length || names(dims).some((n, i) => n !== fed.names[i])) {
      throw new Error(`run: input "${name}": got [${fed.names.join(", ")}]; expected ${wanted}`);
    }
    if (dtypeOf(fed.data) !== dtype) {
      const got = fed.data.constructor.name;
      throw new Error(`run: input "${name}" ${wanted}: got a ${got}; expected ${dtype} values`);
    }
    dims.forEach((dim, i) => {
      const size = fed.shape[i];
      const known = typeof dim.size === "number" ? dim.size : sizes[dim.size];
      if (known !== undefined && known !== size) {
        throw new Error(`run: input "${name}" ${wanted}: got ${size} for "${dim.name}"; expected ${known}`);
      }
      if (size === 0) {
        throw new Error(`run: input "${name}" ${wanted}: got none for "${dim.name}"; expected at least one`);
      }
      if (typeof dim.size === "string") sizes[dim.size] = size;
      const most = typeof dim.size === "string" ? op.atMost?.[dim.size] : undefined;
      if (most !== undefined && size > most) {
        throw new Error(
          `run: input "${name}": got ${size} for "${dim.name}"; the model takes at most ${most}`,
        );
      }
    });
    if (op.below !== undefined) checkIds(name, fed, op.below);
  }
  // What no output reads still tells how many prompts there are: an ablated model's logits may depend on no
  // token.
  for (const { names, shape } of Object.values(feeds)) names.forEach((n, i) => sizes[n] ??= shape[i]);
  return { sizes, total: sizes.batch ?? 1 };
}

function checkIds(name: string, fed: NdArray, below: number): void {
  const bad = fed.data.findIndex((id: number) => !(id >= 0 && id < below));
  if (bad < 0) return;
  const row = fed.data.length / fed.shape[0];
  throw new Error(
    `run: input "${name}": got id ${fed.data[bad]} in row ${Math.floor(bad / row)} at ${
      bad % row
    }; expected 0 … ${below - 1}`,
  );
}

/** The inputs that the outputs depend on, found without compiling. */
export function inputsOf(outputs: Readonly<Record<string, View>>): Lowering["inputs"] {
  const found: Lowering["inputs"] = new Map();
  for (const { op, dims, dtype } of walk(Object.values(outputs).map((t) => t.node))) {
    if (op.kind !== "input") continue;
    const other = found.get(op.name);
    if (other && (describe(other.dims) !== describe(dims) || other.dtype !== dtype)) {
      throw new Error(
        `run: two inputs are named "${op.name}": ${describe(dims)} of ${dtype} and ` +
          `${describe(other.dims)} of ${other.dtype}; expected one, or different names`,
      );
    }
    found.set(op.name, { op, dims, dtype });
  }
  return found;
}
