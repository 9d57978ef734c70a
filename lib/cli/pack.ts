/**
 * `deno task pack`: the npm package, as a tarball in out/. Nothing is published.
 *
 * Each module becomes JavaScript for Node 20 and later (whose engine lacks `using`) and a declaration, one
 * file at a time and without a type check, which `deno check` has done. `npm pack` makes the tarball, with
 * the same bytes each time. Versions are deno.json's, exact: a later danfojs-node, for one, depends on a file
 * from another place than the registry.
 */
import { dirname, join, resolve } from "node:path";
import { CARRIED } from "../checkpoints/carried.ts";
import { commandArguments } from "./command_arguments.ts";

/** What a package of npm is called; on JSR it has a scope besides. */
const NAME = "cleanup-lens";
/** Of lib/cli, what serves the checkout alone. */
const LEFT_OUT = [
  "figures.ts",
  "kernel.ts",
  "partial_folder.ts",
  "permissions.ts",
  "start.ts",
  "pack.ts",
];
/**
 * Taken from the user's own project, where it is installed: large, and needed for data frames in notebooks
 * alone.
 */
const OPTIONAL = /^danfojs/;
/** Declarations that those of a package need and do not bring: Plot's name types of d3. */
const TYPES = { "@types/d3": "7.4.3" };
const COPIED = ["LICENSE", "lib/cli/scan_schema.json"];
const TEXTS = ["README.md", "lib/INSTALL.md", "lib/ERRORS.md", "lib/CHANGELOG.md"];

interface DenoJson {
  version: string;
  license: string;
  exports: Record<string, string>;
  imports: Record<string, string>;
}

/** Not in deno.json: Deno fetches all that stands there, and who draws a figure needs no compiler. */
const COMPILER = "npm:typescript@6.0.3";

/** What is used of it. */
interface Compiler {
  ScriptTarget: { ES2022: number };
  ModuleKind: { ESNext: number };
  transpileModule: Transpile;
  transpileDeclaration: Transpile;
}

type Transpile = (source: string, options: Record<string, unknown>) => {
  outputText: string;
  diagnostics?: { messageText: unknown }[];
};

/**
 * What the compiler gets wrong in a declaration, since it sees one file and no library: it leaves specifiers
 * of files as they are, and declares a method [Symbol.dispose] twice, once as a property.
 */
export const mendedDeclaration = (code: string) =>
  code.replace(/(["'])(\.\.?\/[^"']+)\.ts\1/g, "$1$2.js$1")
    .replace(/^ +\[Symbol\.(\w+)\]: \(\) => .+;\n(?=[^]*?\[Symbol\.\1\]\(\))/gm, "");

/** JavaScript and declaration of a module. @throws when the compiler cannot read it */
function transpile(ts: Compiler, source: string, fileName: string): { js: string; declaration: string } {
  const compilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    verbatimModuleSyntax: true,
    rewriteRelativeImportExtensions: true,
  };
  const options = { compilerOptions, fileName, reportDiagnostics: true };
  const { outputText: js, diagnostics = [] } = ts.transpileModule(source, options);
  if (diagnostics.length) throw new Error(`pack: ${fileName}: ${JSON.stringify(diagnostics[0].messageText)}`);
  return { js, declaration: mendedDeclaration(ts.transpileDeclaration(source, options).outputText) };
}

/**
 * The names of npm packages that a module imports, by their bare names. Examples in doc comments import
 * nothing.
 */
export function packagesOf(js: string): string[] {
  const code = js.replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, "");
  const specifiers = [...code.matchAll(/(?:\bfrom|\bimport\(?)\s*"((?!node:)[@\w][^"]*)"/g)].map((match) =>
    match[1]
  );
  return specifiers.map((specifier) => specifier.match(/^(@[^/]+\/)?[^/]+/)![0]);
}

/** package.json, from deno.json and the packages that the code imports. */
export function packageJson(deno: DenoJson, used: ReadonlySet<string>): Record<string, unknown> {
  const versions = [...used].sort().map((name) => {
    const [, version] = /^npm:.+@(\d[\w.-]*)$/.exec(deno.imports[name] ?? "") ?? [];
    if (!version) {
      throw new Error(`pack: the code imports "${name}"; deno.json gives it no exact version of npm`);
    }
    return [name, version] as const;
  });
  const only = (optional: boolean) =>
    Object.fromEntries(versions.filter(([name]) => OPTIONAL.test(name) === optional));
  const js = (path: string) => path.replace(/\.ts$/, ".js");
  return {
    name: NAME,
    version: deno.version,
    description:
      "Transformers' memory management, measured: which outputs are erased, by which nodes, by which route",
    license: deno.license,
    type: "module",
    engines: { node: ">=20.11" },
    exports: Object.fromEntries(
      Object.entries(deno.exports).map(([name, path]) => [
        name,
        { types: path.replace(/\.ts$/, ".d.ts"), default: js(path) },
      ]),
    ),
    bin: { [NAME]: "lib/cli/cleanup_lens.js" },
    dependencies: { ...only(false), ...TYPES },
    peerDependencies: only(true),
    peerDependenciesMeta: Object.fromEntries(
      Object.keys(only(true)).map((name) => [name, { optional: true }]),
    ),
  };
}

async function* modules(root: string, folder: string): AsyncGenerator<string> {
  for await (const { name, isDirectory } of Deno.readDir(join(root, folder))) {
    const path = `${folder}/${name}`;
    if (isDirectory) { if (path !== "lib/site") yield* modules(root, path); }
    else if (name.endsWith(".ts") && !(folder === "lib/cli" && LEFT_OUT.includes(name))) yield path;
  }
}

async function copy(root: string, folder: string, path: string): Promise<void> {
  await Deno.mkdir(dirname(join(folder, path)), { recursive: true });
  await Deno.copyFile(join(root, path), join(folder, path));
}

/**
 * A text of the package: links and pictures that lead to what is not in it stand as their words alone.
 * @param path of the text @param packed whether a file is in the package
 */
export function textOfPackage(markdown: string, path: string, packed: (path: string) => boolean): string {
  return markdown.replace(/!?\[([^\]]*)\]\(([^)\s]+)\)/g, (link, words: string, to: string) => {
    if (/^(\w+:|#)/.test(to)) return link;
    return packed(join(dirname(path), to.replace(/#.*$/, ""))) ? link : words;
  });
}

/** Writes the package's files into `folder`, which is emptied before. */
export async function buildPackage(root: string, folder: string): Promise<void> {
  await Deno.remove(folder, { recursive: true }).catch(() => {});
  const { default: ts } = await import(COMPILER) as { default: Compiler };
  const used = new Set<string>();
  for await (const path of modules(root, "lib")) {
    const { js, declaration } = transpile(ts, await Deno.readTextFile(join(root, path)), path);
    packagesOf(js).forEach((name) => used.add(name));
    const stem = join(folder, path.replace(/\.ts$/, ""));
    await Deno.mkdir(dirname(stem), { recursive: true });
    await Deno.writeTextFile(`${stem}.js`, js);
    await Deno.writeTextFile(`${stem}.d.ts`, declaration);
  }
  for (const path of [...COPIED, ...CARRIED.map((name) => `data/${name}`)]) await copy(root, folder, path);
  for (const path of TEXTS) {
    const text = await Deno.readTextFile(join(root, path));
    const packed = textOfPackage(text, path, (path) => [...COPIED, ...TEXTS].includes(path));
    await Deno.writeTextFile(join(folder, path), packed);
  }
  const json = packageJson(JSON.parse(await Deno.readTextFile(join(root, "deno.json"))), used);
  await Deno.writeTextFile(join(folder, "package.json"), JSON.stringify(json, null, 2) + "\n");
}

/** The tarball of a package's folder. Returns its path. @throws where there is no npm */
export async function packFolder(folder: string, into: string): Promise<string> {
  const npm = new Deno.Command(Deno.build.os === "windows" ? "npm.cmd" : "npm", {
    args: ["pack", "--ignore-scripts", "--silent", "--pack-destination", into],
    cwd: folder,
  });
  const { success, stdout, stderr } = await npm.output();
  if (!success) throw new Error(`pack: npm pack failed:\n${new TextDecoder().decode(stderr)}`);
  return join(into, new TextDecoder().decode(stdout).trim());
}

if (import.meta.main) {
  const root = join(import.meta.dirname!, "..", "..");
  const { values } = commandArguments(Deno.args, { out: "string" });
  const out = resolve(values.out ?? join(root, "out"));
  await buildPackage(root, join(out, "package"));
  console.log(await packFolder(join(out, "package"), out));
}
