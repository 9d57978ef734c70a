/**
 * Weights split over several safetensors files, with `model.safetensors.index.json` saying which tensor is where.
 *
 * Index: {"metadata": {…}, "weight_map": {tensor name: file name}}. All files must lie beside the index; every tensor that
 * the index names must be in its file, and every tensor in a file must be in the index.
 */
import { readJsonObject } from "./json_file.ts";
import { SafetensorsFile, type TensorFile, type TensorInfo } from "./safetensors.ts";

/** Opens the index and all its files. @throws when they contradict each other. */
export async function openSharded(indexPath: string): Promise<TensorFile> {
  const { weight_map } = await readJsonObject(indexPath);
  if (typeof weight_map !== "object" || weight_map === null || Array.isArray(weight_map)) {
    throw new Error(`${indexPath}: "weight_map" must map tensor names to file names.`);
  }
  const fileOf = new Map(Object.entries(weight_map));
  const folder = indexPath.slice(0, indexPath.lastIndexOf("/") + 1);
  const files = new Map<string, SafetensorsFile>();
  const close = () => files.forEach((file) => file.close());
  try {
    for (const name of new Set(fileOf.values())) {
      if (typeof name !== "string" || !/^[^/\\]+\.safetensors$/.test(name)) {
        throw new Error(
          `${indexPath}: ${JSON.stringify(name)} is not the name of a safetensors file beside it.`,
        );
      }
      files.set(name, await SafetensorsFile.open(folder + name));
    }
    const tensors = new Map<string, TensorInfo>();
    for (const [name, file] of fileOf) {
      const info = files.get(file)!.tensors.get(name);
      if (!info) {
        throw new Error(`${indexPath} says that "${name}" is in ${file}, but that file does not hold it.`);
      }
      tensors.set(name, info);
    }
    for (const [fileName, file] of files) {
      const extra = [...file.tensors.keys()].find((name) => fileOf.get(name) !== fileName);
      if (extra !== undefined) {
        throw new Error(`${fileName} holds "${extra}", which ${indexPath} does not place there.`);
      }
    }
    return {
      path: indexPath,
      tensors,
      read(name) {
        const file = files.get(fileOf.get(name) as string);
        return file ? file.read(name) : Promise.reject(new Error(`${indexPath} names no tensor "${name}".`));
      },
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}
