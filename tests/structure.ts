/**
 * The rules that keep the project's structure, as functions from source texts to violations. The rules
 * themselves are tested on made-up sources in structure_test.ts, and then applied to the project.
 */

/** Paths inside the project ("lib/tensor/node.ts") with their text. */
export type Sources = Map<string, string>;

const BELOW_METRICS = ["transformer", "checkpoints", "tensor", "stats", "platform"];
const BELOW_FIGURES = ["experiments", "metrics", ...BELOW_METRICS];

/**
 * Each folder of lib/ with the folders it may import, besides itself. Nothing here points back: no cycles of
 * folders.
 */
export const MAY_IMPORT: Record<string, string[]> = {
  platform: [],
  jupyter: [],
  stats: [],
  tensor: ["stats", "platform"],
  checkpoints: ["tensor", "stats", "platform"],
  transformer: ["checkpoints", "tensor", "stats"],
  metrics: BELOW_METRICS,
  experiments: ["metrics", ...BELOW_METRICS, "jupyter"],
  figures: [...BELOW_FIGURES, "jupyter"],
  "library.ts": BELOW_FIGURES,
  "mod.ts": ["library.ts", "figures", ...BELOW_FIGURES, "jupyter"],
  site: ["jupyter", "checkpoints"],
  cli: ["mod.ts", "library.ts", "figures", ...BELOW_FIGURES, "jupyter"],
};

/** What leads out of the project, and the folders of lib/ in which it may stand: the gateways. */
export const GATEWAYS: { what: string; pattern: RegExp; folders: string[] }[] = [
  { what: "onnxruntime-node", pattern: /["']onnxruntime-node["'/]/, folders: ["tensor", "site"] },
  { what: "Deno.jupyter", pattern: /\bDeno\.jupyter\b|\bDeno as \{ jupyter/, folders: ["jupyter", "site"] },
  { what: "a kernel process", pattern: /["']jupyter["'], ["']--kernel["']/, folders: ["jupyter"] },
  { what: "@huggingface/hub", pattern: /["']@huggingface\/hub["']/, folders: ["checkpoints", "site"] },
  { what: "fetch()", pattern: /(?<![.\w])fetch\(/, folders: ["checkpoints", "site"] },
  {
    what: "Deno",
    pattern: /\bDeno\.(?!jupyter)|\btypeof Deno\b/,
    folders: ["platform", "jupyter", "cli", "site"],
  },
  { what: "danfojs-node", pattern: /["']danfojs-node["']/, folders: ["figures"] },
];

export const MAX_LINES = 300;
/** "lineWidth" of the formatter in deno.json. */
export const MAX_COLUMNS = 110;
export const TOP_LEVEL = [
  "LICENSE",
  "README.md",
  "data",
  "deno.json",
  "deno.lock",
  "lib",
  "notebooks",
  "package.json",
  "tests",
];

/**
 * The code without comments (examples in doc comments are no imports); line comments only where they fill a
 * line.
 */
export function withoutComments(source: string): string {
  return source.replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, "").replace(/^[ \t]*\/\/.*$/gm, "");
}

/** Every module specifier of static imports, re-exports and dynamic imports of a literal. */
export function importsOf(source: string): string[] {
  const pattern =
    /\b(?:import|export)\b[^"';()]*?\bfrom\s*["']([^"']+)["']|\bimport\s*\(?\s*["']([^"']+)["']/g;
  return [...withoutComments(source).matchAll(pattern)].map((match) => match[1] ?? match[2]);
}

/** "lib/tensor/node.ts" → "tensor"; "lib/mod.ts" → "mod.ts". */
const folderOf = (path: string) => path.split("/")[1];

/** The project's path that a relative specifier in `path` names; undefined for a bare name. */
function resolve(path: string, specifier: string): string | undefined {
  if (!specifier.startsWith(".")) return undefined;
  return new URL(specifier, `file:///${path}`).pathname.slice(1);
}

export function directionViolations(sources: Sources): string[] {
  const violations: string[] = [];
  for (const [path, source] of sources) {
    const from = folderOf(path);
    if (!(from in MAY_IMPORT)) {
      violations.push(`${path}: lib/${from} is no layer; there are ${Object.keys(MAY_IMPORT)}`);
    }
    for (const specifier of importsOf(source)) {
      if (/^(npm|jsr|https?):/.test(specifier)) {
        violations.push(
          `${path} imports "${specifier}": versions belong into deno.json, code uses the bare name`,
        );
      }
      const target = resolve(path, specifier);
      if (target === undefined) continue;
      if (!target.startsWith("lib/")) {
        violations.push(`${path} imports ${target}, which is outside lib/`);
      } else if (folderOf(target) !== from && !MAY_IMPORT[from]?.includes(folderOf(target))) {
        violations.push(
          `${path} imports ${target}: ${from} may import ${MAY_IMPORT[from]?.join(", ") || "nothing"}`,
        );
      }
    }
  }
  return violations;
}

/** Each cycle of files once, as "a → b → a". */
export function cycleViolations(sources: Sources): string[] {
  const cycles: string[] = [];
  const done = new Set<string>();
  const visit = (path: string, trail: string[]) => {
    const at = trail.indexOf(path);
    if (at >= 0) return void cycles.push([...trail.slice(at), path].join(" → "));
    if (done.has(path) || !sources.has(path)) return;
    for (const specifier of importsOf(sources.get(path)!)) {
      const target = resolve(path, specifier);
      if (target !== undefined) visit(target, [...trail, path]);
    }
    done.add(path);
  };
  for (const path of sources.keys()) visit(path, []);
  return cycles;
}

export function gatewayViolations(sources: Sources): string[] {
  return [...sources].flatMap(([path, source]) =>
    GATEWAYS
      .filter(({ pattern, folders }) =>
        !folders.includes(folderOf(path)) && pattern.test(withoutComments(source))
      )
      .map(({ what, folders }) => `${path} uses ${what}, which belongs to lib/${folders.join(", lib/")}`)
  );
}

/** Examples in doc comments do not count: they are for the reference, and each public function has one. */
export function lengthViolations(sources: Sources): string[] {
  const examples = /^ *\*\n *\* @example\n *\* ```ts\n(?: *\*.*\n)*? *\* ```\n/gm;
  return [...sources]
    .map(([path, source]) => [path, source.replace(examples, "").trimEnd().split("\n").length] as const)
    .filter(([, lines]) => lines > MAX_LINES)
    .map(([path, lines]) => `${path} has ${lines} lines, more than ${MAX_LINES}`);
}

/**
 * Comments fold where the formatter folds code. It leaves them as they are: a long one is a line that nobody
 * sees the end of. A word that is longer than a line is left alone.
 */
export function foldViolations(sources: Sources): string[] {
  return [...sources].flatMap(([path, source]) =>
    source.split("\n").flatMap((line, i) => {
      const comment = line.match(/^\s*(?:\/\*\*?|\*|\/\/)\s(.*)$|\s\/\/ (.*)$/);
      if ([...line].length <= MAX_COLUMNS || !comment || !/\s/.test(comment[1] ?? comment[2])) return [];
      return [
        `${path}:${i + 1}: a comment of more than ${MAX_COLUMNS} columns; fold it, or put it above the code`,
      ];
    })
  );
}

/** `cells`: the code of each notebook. */
export function notebookImportViolations(cells: Sources): string[] {
  return [...cells].flatMap(([path, code]) =>
    importsOf(code)
      .filter((specifier) => specifier !== "../lib/mod.ts")
      .map((specifier) => `${path} imports "${specifier}"; a notebook imports "../lib/mod.ts" only`)
  );
}

/**
 * `names`: the entries of the project's folder. Dot files and what git ignores (out, node_modules) do not
 * count.
 */
export function topLevelViolations(names: string[]): string[] {
  const counted = names.filter((name) => !name.startsWith(".") && name !== "out" && name !== "node_modules");
  return [
    ...counted.filter((name) => !TOP_LEVEL.includes(name)).map((name) =>
      `${name} does not belong at the top`
    ),
    ...TOP_LEVEL.filter((name) => !counted.includes(name)).map((name) => `${name} is missing at the top`),
  ];
}
