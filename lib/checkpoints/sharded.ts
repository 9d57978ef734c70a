/**
 * Weights split over several files, safetensors or PyTorch's, with `….index.json` saying which tensor is
 * where.
 *
 * Index: {"metadata": {…}, "weight_map": {tensor name: file name}}. All files must lie beside the index. As
 * in transformers every tensor of these files is read, named by the index or not, and a name in the index
 * that no file holds is none.
 */
import { readJsonObject } from "./json_file.ts";
import { quoted } from "./quoted.ts";
import { SafetensorsFile, type TensorFile } from "./safetensors.ts";
import { TorchFile } from "./torch/torch_file.ts";

/** No model is split into more files. */
const MOST_FILES = 2000;

/**
 * Opens the index and all its files. @throws where a tensor lies in another file than the index says, or in
 * two of which it names neither; and for a file that is missing or damaged
 */
export async function openSharded(indexPath: string): Promise<TensorFile> {
  const { weight_map } = await readJsonObject(indexPath);
  if (typeof weight_map !== "object" || weight_map === null || Array.isArray(weight_map)) {
    throw new Error(`${indexPath}: "weight_map" must map tensor names to file names.`);
  }
  const fileOf = new Map<string, unknown>(Object.entries(weight_map));
  const names = new Set(fileOf.values());
  if (names.size === 0 || names.size > MOST_FILES) {
    throw new Error(`${indexPath} names ${names.size} files; 1 to ${MOST_FILES} were expected.`);
  }
  const folder = indexPath.slice(0, indexPath.lastIndexOf("/") + 1);
  const files = new Map<string, TensorFile>();
  const close = () => files.forEach((file) => file.close());
  try {
    for (const name of names) {
      if (typeof name !== "string" || !/^[^/\\\0]+\.(safetensors|bin)$/.test(name)) {
        throw new Error(`${indexPath}: ${quoted(name)} is not the name of a file of weights beside it.`);
      }
      const path = folder + name;
      files.set(name, await (name.endsWith(".bin") ? TorchFile.open(path) : SafetensorsFile.open(path)));
    }
    const place = new Map<string, TensorFile>();
    for (const [fileName, file] of files) {
      for (const name of file.tensors.keys()) {
        const stated = fileOf.get(name);
        if (stated !== undefined && stated !== fileName) {
          if (files.get(stated as string)?.tensors.has(name)) continue; // it is read from there
          throw new Error(
            `${indexPath}: it says that ${quoted(name)} is in ${quoted(stated)}, and ${
              quoted(fileName)
            } holds it.`,
          );
        }
        if (place.has(name)) {
          throw new Error(`${indexPath}: two files hold ${quoted(name)}, and it names neither.`);
        }
        place.set(name, file);
      }
    }
    return {
      path: indexPath,
      tensors: new Map([...place].map(([name, file]) => [name, file.tensors.get(name)!])),
      read(name) {
        const file = place.get(name);
        return file
          ? file.read(name)
          : Promise.reject(new Error(`${indexPath}: no file holds ${quoted(name)}.`));
      },
      place: (name) => place.get(name)?.place?.(name),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}
