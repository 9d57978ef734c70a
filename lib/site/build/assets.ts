/**
 * The files that pages fetch: which, under which path the library knows each, and by which name it is served.
 */
import { readFile } from "node:fs/promises";
import { createHash } from "node:crypto";
import { CARRIED } from "../../checkpoints/carried.ts";
import type { Asset } from "../browser/assets.ts";
import { widthsOnly } from "./fonts.ts";

const FONTS = [
  "@expo-google-fonts/inter/400Regular/Inter_400Regular.ttf",
  "@expo-google-fonts/inter/600SemiBold/Inter_600SemiBold.ttf",
  "dejavu-fonts-ttf/ttf/DejaVuSans.ttf",
];
const RUNTIME = ["ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm"];
/** The runtime that can also use a graphics card, for who chooses that. */
const CARD_RUNTIME = RUNTIME.map((name) => name.replace(".", ".asyncify."));

/** Whether a page fetches the file only when its reader chooses the graphics card. */
export const forCard = (path: string): boolean => CARD_RUNTIME.some((name) => path.endsWith(`/${name}`));

export interface BuiltAsset extends Asset {
  content: Uint8Array;
}

/** "model.safetensors" → "model-3f2a….safetensors": another content has another name. */
function hashed(path: string, content: Uint8Array): string {
  const name = path.slice(path.lastIndexOf("/") + 1), dot = name.lastIndexOf(".");
  const hash = createHash("sha256").update(content).digest("hex").slice(0, 10);
  return `${name.slice(0, dot)}-${hash}${name.slice(dot)}`;
}

/** @param packageFolder where an npm package lies, by its name */
export async function builtAssets(
  root: string,
  packageFolder: (name: string) => string,
): Promise<Record<string, BuiltAsset>> {
  const built: Record<string, BuiltAsset> = {};
  const add = (path: string, content: Uint8Array) =>
    built[path] = { file: hashed(path, content), bytes: content.length, content };
  for (const name of CARRIED) {
    add(`/data/${name}`, await readFile(`${root}/data/${name}`));
  }
  for (const font of FONTS) {
    const [, name, file] = /^((?:@[^/]+\/)?[^/]+)\/(.*)$/.exec(font)!;
    add(`/packages/${font}`, widthsOnly(await readFile(`${packageFolder(name)}/${file}`)));
  }
  for (const name of [...RUNTIME, ...CARD_RUNTIME]) {
    add(`/runtime/${name}`, await readFile(`${packageFolder("onnxruntime-web")}/dist/${name}`));
  }
  return built;
}
