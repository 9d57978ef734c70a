/**
 * The whole site into a folder: pages, scripts, and in assets/ what pages fetch. Made in a folder beside it,
 * which then takes its place.
 */
import { createHash } from "node:crypto";
import { copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { SafetensorsFile } from "../../checkpoints/safetensors.ts";
import { type Notebook, parseNotebook } from "../../jupyter/notebook.ts";
import { builtAssets, forCard } from "./assets.ts";
import { type Bundle, bundle } from "./bundle.ts";
import { EXPLORER, explorerPage } from "./explorer_page.ts";
import { ninetyMinutes } from "./guide.ts";
import type { PageLink } from "./html.ts";
import { indexPage } from "./index_page.ts";
import { notebookPage, type Scripts, titleOf } from "./notebook_page.ts";
import { SCRIPT as ISOLATION } from "../page/isolation.ts";
import { packageCache } from "./packages.ts";
import { libraryTypes } from "./types.ts";

const ENTRIES = {
  notebook: "page/notebook.ts",
  explorer: "explorer/explorer.ts",
  worker: "worker/worker.ts",
};

/** What was built, for who looks at sizes. */
export interface Built {
  folder: string;
  pages: PageLink[];
  bundle: Bundle;
}

/** "fig10" after "fig9", and what is no figure before and after these. */
const inOrder = (names: string[]) => names.sort(new Intl.Collator("en", { numeric: true }).compare);

async function notebooks(root: string): Promise<{ name: string; notebook: Notebook }[]> {
  const files = (await readdir(`${root}/notebooks`)).filter((file) => file.endsWith(".ipynb"));
  return await Promise.all(
    inOrder(files).map(async (file) => ({
      name: file.replace(/\.ipynb$/, ""),
      notebook: parseNotebook(await readFile(`${root}/notebooks/${file}`, "utf8"), file),
    })),
  );
}

/** Where each package of either lock file lies. */
async function packageFolders(root: string): Promise<(name: string) => string> {
  const locks = await Promise.all(
    ["deno.lock", "lib/site/deno.lock"].map(async (path) =>
      JSON.parse(await readFile(`${root}/${path}`, "utf8"))
    ),
  );
  const ids = locks.flatMap(({ npm }) => Object.keys(npm));
  return (name) => {
    const id = ids.find((id) => id.startsWith(`${name}@`));
    if (!id) throw new Error(`No lock file names the package "${name}".`);
    return `${packageCache()}/${name}/${id.slice(name.length + 1).split("_")[0]}`;
  };
}

/** How many numbers a file of weights holds. */
async function parametersIn(path: string): Promise<number> {
  const file = await SafetensorsFile.open(path);
  const counts = [...file.tensors.values()].map(({ dims }) => dims.reduce((a, b) => a * b, 1));
  file.close();
  return counts.reduce((a, b) => a + b);
}

/** Scripts that a page loads before it does anything, besides its own. */
function shared({ metafile }: Bundle, script: string): string[] {
  const output = Object.entries(metafile.outputs).find(([path]) => path.endsWith(`/${script}`))![1];
  return output.imports.filter(({ kind }) => kind === "import-statement").map(({ path }) =>
    path.slice(path.lastIndexOf("/") + 1)
  );
}

export async function buildSite(root: string, folder: string): Promise<Built> {
  const partial = `${folder}.partial`;
  await rm(partial, { recursive: true, force: true });
  await mkdir(`${partial}/assets`, { recursive: true });
  const assets = await builtAssets(root, await packageFolders(root));
  const files = Object.fromEntries(
    Object.entries(assets).map(([path, { file, bytes }]) => [path, { file, bytes }]),
  );
  for (const { file, content } of Object.values(assets)) {
    await writeFile(`${partial}/assets/${file}`, content);
  }
  const made = await bundle(root, `${partial}/assets`, {
    entries: Object.values(ENTRIES),
    files,
    types: await libraryTypes(root),
  });
  const css = await readFile(`${root}/lib/site/style.css`);
  const style = `style-${createHash("sha256").update(css).digest("hex").slice(0, 10)}.css`;
  await writeFile(`${partial}/assets/${style}`, css);
  const all = await notebooks(root);
  const pages = [
    ...all.map(({ name, notebook }) => ({ href: `${name}.html`, title: titleOf(notebook, name) })),
    EXPLORER,
  ];
  const scripts = (entry: string): Scripts => {
    const script = made.entries[entry];
    return { script, worker: made.entries[ENTRIES.worker], preload: shared(made, script), style };
  };
  for (const { name, notebook } of all) {
    await writeFile(
      `${partial}/${name}.html`,
      notebookPage(name, notebook, pages, scripts(ENTRIES.notebook)),
    );
  }
  const [config, cleanup] = await Promise.all(
    ["config", "cleanup"].map(async (name) =>
      JSON.parse(await readFile(`${root}/data/models/tiny-gelu-4l/${name}.json`, "utf8"))
    ),
  );
  await writeFile(
    `${partial}/${EXPLORER.href}`,
    explorerPage(config, cleanup.writer, pages, scripts(ENTRIES.explorer)),
  );
  const guide = await readFile(`${root}/notebooks/README.md`, "utf8");
  const index = indexPage({
    pages,
    path: ninetyMinutes(guide),
    parameters: await parametersIn(`${root}/data/models/tiny-gelu-4l/model.safetensors`),
    bytes: Object.entries(assets).reduce((sum, [path, { bytes }]) => forCard(path) ? sum : sum + bytes, 0),
    style,
  });
  await writeFile(`${partial}/index.html`, index);
  await copyFile(`${root}/lib/site/page/isolation_worker.js`, `${partial}/${ISOLATION}`);
  await writeFile(`${partial}/.nojekyll`, ""); // GitHub Pages then serves every file as it is
  await rm(folder, { recursive: true, force: true });
  await rename(partial, folder);
  return { folder, pages, bundle: made };
}
