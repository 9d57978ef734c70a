/**
 * A model's weights by name, whatever file they come from: safetensors, several safetensors with an index, or
 * a PyTorch file.
 *
 * Only names, shapes and types are in memory after opening; each `read` fetches one tensor from disk.
 */
import { readdir } from "node:fs/promises";
import { isMissing } from "../platform/errors.ts";
import { type Dtype, toFloat32 } from "./dtypes.ts";
import { didYouMean } from "./nearest.ts";
import { type Place, SafetensorsFile, type TensorFile, tensorNames } from "./safetensors.ts";
import { quoted, shown } from "./quoted.ts";
import { openSharded } from "./sharded.ts";
import { TorchFile } from "./torch/torch_file.ts";

export interface Checkpoint {
  /** The file, or the index of the files, that was opened. */
  readonly path: string;
  names(): string[];
  has(name: string): boolean;
  /** Dims, as stored. */
  shape(name: string): number[];
  dtype(name: string): Dtype;
  /**
   * One tensor as float32, row-major. F16 and BF16 are widened.
   * @throws for an unknown name, for integers and booleans, and for weights that are NaN or infinite.
   */
  read(name: string): Promise<Float32Array<ArrayBuffer>>;
  /**
   * Where a tensor's values lie on disk, to be used there; undefined where they have to be read. Nothing
   * looks for NaN there: that would be a pass over the file.
   */
  place?(name: string): Place | undefined;
  close(): void;
}

/** What torch.compile and DistributedDataParallel put before every name of the module that they wrap. */
const WRAPPED = /^(?:(?:_orig_mod|module)\.)+/;

/**
 * A {@linkcode Checkpoint} over a file of tensors. A wrapper's prefix that stands before all names is left
 * out.
 */
export function checkpointOf(file: TensorFile): Checkpoint {
  const [first = ""] = file.tensors.keys();
  const wrapper = WRAPPED.exec(first)?.[0] ?? "";
  const all = [...file.tensors.keys()].every((name) => name.startsWith(wrapper));
  const prefix = all ? wrapper : "";
  const tensors = new Map([...file.tensors].map(([name, info]) => [name.slice(prefix.length), info]));
  const find = (name: string) => {
    const info = tensors.get(name);
    if (info) return info;
    const hint = didYouMean(name, tensors.keys()) || ` It holds: ${tensorNames(tensors)}.`;
    throw new Error(`${file.path} holds no tensor ${quoted(name)}.${hint}`);
  };
  return {
    path: file.path,
    names: () => [...tensors.keys()],
    has: (name) => tensors.has(name),
    shape: (name) => [...find(name).dims],
    dtype: (name) => find(name).dtype,
    async read(name) {
      find(name);
      const values = toFloat32(await file.read(prefix + name), name, file.path);
      checkFinite(values, name, file.path);
      return values;
    },
    place: (name) => file.place?.(prefix + name),
    close: () => file.close(),
  };
}

/**
 * @throws at the first NaN or infinity, naming tensor and index: such a weight spoils every number computed
 * with it.
 */
function checkFinite(values: Float32Array, name: string, path: string): void {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) {
      throw new Error(
        `Tensor ${quoted(name)} in ${path} is ${
          values[i]
        } at index ${i} of ${values.length}; weights must be finite numbers.`,
      );
    }
  }
}

/** Opens one weight file by its ending. */
export async function openCheckpointFile(path: string): Promise<Checkpoint> {
  if (path.endsWith(".safetensors")) return checkpointOf(await SafetensorsFile.open(path));
  if (/\.(safetensors|bin)\.index\.json$/.test(path)) return checkpointOf(await openSharded(path));
  if (/\.(pth|pt|bin)$/.test(path)) return checkpointOf(await TorchFile.open(path));
  throw new Error(
    `Cannot open ${path}: weights are read from .safetensors, .pth, .pt and .bin files, and from several with an .index.json.`,
  );
}

/**
 * Finds and opens the weights in a model folder: `model.safetensors` or its index, `pytorch_model.bin` or its
 * index, else the only `.safetensors` file, else the only PyTorch file, of several the one whose name ends in
 * `final.pth`. `otherFiles` are names in the folder that are known to hold something else.
 */
export async function openCheckpoint(
  folder: string,
  otherFiles: readonly string[] = [],
): Promise<Checkpoint> {
  const names: string[] = [];
  try {
    for (const entry of await readdir(folder, { withFileTypes: true })) {
      // A folder in the weights' place is said where they are opened.
      if (!entry.isDirectory() || PREFERRED.includes(entry.name)) names.push(entry.name);
    }
  } catch (error) {
    const missing = isMissing(error);
    throw new Error(
      `Cannot open the model folder ${folder}: ${missing ? "there is no such folder." : error}`,
      {
        cause: error,
      },
    );
  }
  const chosen = chooseWeightFile(names.filter((name) => !otherFiles.includes(name)), folder);
  return await openCheckpointFile(`${folder}/${chosen}`);
}

const PREFERRED = [
  "model.safetensors",
  "model.safetensors.index.json",
  "pytorch_model.bin",
  "pytorch_model.bin.index.json",
];

/**
 * Which of the files in `folder` holds the weights. @throws when there is none, or more than one without a
 * preference.
 */
export function chooseWeightFile(names: string[], folder: string): string {
  for (const name of PREFERRED) if (names.includes(name)) return name;
  const ending = (pattern: RegExp) => names.filter((name) => pattern.test(name)).sort();
  const candidates =
    [/\.safetensors$/, /final\.pth$/, /\.(pth|pt|bin)$/].map(ending).find((found) => found.length) ?? [];
  if (candidates.length === 1) return candidates[0];
  if (candidates.length > 1) {
    throw new Error(
      `${folder} holds ${candidates.length} weight files (${
        candidates.slice(0, 8).map((name) => shown(name)).join(", ")
      }), and nothing says which is meant.`,
    );
  }
  throw new Error(
    `${folder} holds no weights: model.safetensors or a .pth file was expected, ` +
      `it has ${names.length ? names.sort().slice(0, 8).map((name) => shown(name)).join(", ") : "no files"}.`,
  );
}
