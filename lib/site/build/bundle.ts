/**
 * The scripts of the site: the library, the worker and the pages, bundled by esbuild. What a browser does not
 * have is replaced: modules of Node by lib/site/browser/, and those files of the library that are gateways to
 * something else.
 */
import * as esbuild from "esbuild";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { Asset } from "../browser/assets.ts";
import { manifest, packageCache } from "./packages.ts";

/** Specifier, or file → file, from lib/site/browser/, or package. */
export const REPLACED: Readonly<Record<string, string>> = {
  "node:crypto": "absent.ts",
  "node:fs": "fs.ts",
  "node:fs/promises": "fs_promises.ts",
  "node:path": "pathe",
  "node:timers": "timers.ts",
  "node:url": "url.ts",
  "node:zlib": "zlib.ts",
  "onnxruntime-node": "onnxruntime.ts",
  "@huggingface/gguf": "absent.ts",
  "@huggingface/hub": "absent.ts",
  "cssomnom/parse": "absent.ts", // of style sheets, which nothing here reads
  "entities": "entities.ts",
  "entities/decode": "entities.ts",
  "hyparquet": "absent.ts",
  "hyparquet-compressors": "absent.ts",
  "lib/checkpoints/hub/files.ts": "hub_files.ts",
  "lib/checkpoints/write_whole.ts": "write_whole.ts",
  "lib/figures/danfo.ts": "danfo.ts",
  "lib/figures/picture.ts": "picture.ts",
  "lib/figures/png.ts": "png.ts",
  "lib/platform/disk_file.ts": "disk_file.ts",
  "lib/platform/environment.ts": "environment.ts",
  "lib/platform/file.ts": "file.ts",
  "lib/platform/lock.ts": "lock.ts",
  "lib/tensor/usual_device.ts": "usual_device.ts",
  "lib/site/worker/library.ts": "../../mod.ts",
};

function replacements(root: string, met: Set<string>): esbuild.Plugin {
  const within = `${root}/`;
  return {
    name: "replacements",
    setup(build) {
      build.onResolve({ filter: /./ }, ({ path, resolveDir, kind, importer }) => {
        if (kind === "entry-point" || importer.startsWith(`${root}/lib/site/browser/`)) return undefined;
        const file = path.startsWith(".") ? resolve(resolveDir, path).replace(within, "") : path;
        if (!Object.hasOwn(REPLACED, file)) return undefined;
        met.add(file);
        const to = REPLACED[file];
        return to.endsWith(".ts")
          ? { path: resolve(root, "lib/site/browser", to) }
          : build.resolve(to, { resolveDir: root, kind });
      });
    },
  };
}

export interface Bundle {
  /** Entry ("worker/worker.ts") → name of its script. */
  entries: Record<string, string>;
  metafile: esbuild.Metafile;
}

/**
 * Writes the scripts into `into`.
 * @param types names of the library's types, which cells may import @throws when a file that is to be
 * replaced is met nowhere
 */
export async function bundle(
  root: string,
  into: string,
  { entries, files, types }: { entries: string[]; files: Record<string, Asset>; types: string[] },
): Promise<Bundle> {
  const work = `${root}/out/.site-packages`;
  await mkdir(work, { recursive: true });
  const met = new Set<string>();
  try {
    const locks = await Promise.all(
      [`${root}/deno.lock`, `${root}/lib/site/deno.lock`].map((path) => readFile(path, "utf8")),
    );
    await writeFile(`${work}/.pnp.data.json`, manifest(locks, root, work, packageCache()));
    const { metafile, warnings } = await esbuild.build({
      absWorkingDir: work,
      entryPoints: entries.map((entry) => `${root}/lib/site/${entry}`),
      outdir: into,
      entryNames: "[name]-[hash]",
      chunkNames: "shared-[hash]",
      bundle: true,
      splitting: true,
      format: "esm",
      target: ["chrome91", "firefox114", "safari16.4"],
      conditions: ["browser", "onnxruntime-web-use-extern-wasm"],
      minify: true,
      metafile: true,
      logLevel: "silent",
      legalComments: "eof",
      plugins: [replacements(root, met)],
      define: {
        // The library finds its data beside its own files: here those lie at "/".
        "import.meta.url": JSON.stringify("file:///lib/checkpoints/data_folder.ts"),
        SITE_FILES: JSON.stringify(files),
        SITE_TYPES: JSON.stringify(types),
      },
    });
    if (warnings.length > 0) { // such as a name that a replacement lacks: it would be undefined
      const [{ text, location }] = warnings;
      throw new Error(`Bundling: ${location?.file}:${location?.line}: ${text}`);
    }
    const unmet = Object.keys(REPLACED).find((file) => !met.has(file));
    if (unmet) {
      throw new Error(`Bundling: nothing imports "${unmet}" any more; take it out of REPLACED in bundle.ts.`);
    }
    const named = Object.entries(metafile.outputs).flatMap(([path, { entryPoint }]) =>
      entryPoint ? [[entryPoint.replace(/^.*lib\/site\//, ""), path.slice(path.lastIndexOf("/") + 1)]] : []
    );
    return { entries: Object.fromEntries(named), metafile };
  } finally {
    await esbuild.stop();
    await rm(work, { recursive: true, force: true });
  }
}
