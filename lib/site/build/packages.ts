/**
 * deno.lock → the map by which esbuild finds npm packages in Deno's cache: Yarn's Plug'n'Play manifest, which
 * esbuild reads. So what is bundled is what the lock files pin by hash, and no folder node_modules is needed.
 *
 * Format: https://yarnpkg.com/advanced/pnp-spec. Two lock files count: the project's and the site's own.
 */
import { relative } from "node:path";
import { fileURLToPath } from "node:url";

interface Lock {
  specifiers: Record<string, string>;
  npm: Record<string, { dependencies?: string[]; optionalDependencies?: string[] }>;
}

/** "@scope/name@1.2.3_peer@1.0.0" → the name, and the rest, which the manifest calls the reference. */
function split(id: string): [name: string, reference: string] {
  const at = id.indexOf("@", 1);
  return at < 0 ? [id, ""] : [id.slice(0, at), id.slice(at + 1)];
}

/** Deno's folder of npm packages: where one lies that is in this program's own graph. */
export function packageCache(): string {
  const inside = fileURLToPath(import.meta.resolve("marked/package.json"));
  return inside.slice(0, inside.lastIndexOf("/marked/"));
}

/**
 * The manifest, to be written as `.pnp.data.json` into `folder`, esbuild's working directory.
 * @param root the project's folder, whose files may import what either lock file names
 */
export function manifest(locks: readonly string[], root: string, folder: string, cache: string): string {
  const location = (path: string) => {
    const way = `${relative(folder, path)}/`;
    return way.startsWith(".") ? way : `./${way}`;
  };
  const registry = new Map<string | null, Map<string | null, unknown>>();
  const direct: [string, string][] = [];
  for (const text of locks) {
    const { specifiers, npm }: Lock = JSON.parse(text);
    const ids = Object.keys(npm);
    const resolved = (dependency: string): [string, string] => {
      const [name, version] = split(dependency);
      return split(ids.find((id) => id === dependency || (!version && split(id)[0] === name)) ?? dependency);
    };
    for (const [id, { dependencies = [], optionalDependencies = [] }] of Object.entries(npm)) {
      const [name, reference] = split(id);
      if (!registry.has(name)) registry.set(name, new Map());
      registry.get(name)!.set(reference, {
        packageLocation: location(`${cache}/${name}/${reference.split("_")[0]}`),
        packageDependencies: [[name, reference], ...[...dependencies, ...optionalDependencies].map(resolved)],
        linkType: "HARD",
      });
    }
    for (const [specifier, reference] of Object.entries(specifiers)) {
      if (specifier.startsWith("npm:")) direct.push([split(specifier.slice(4))[0], reference]);
    }
  }
  registry.set(
    null,
    new Map([[null, { packageLocation: location(root), packageDependencies: direct, linkType: "SOFT" }]]),
  );
  return JSON.stringify({
    __info: [],
    enableTopLevelFallback: true,
    ignorePatternData: null,
    fallbackPool: [],
    fallbackExclusionList: [],
    dependencyTreeRoots: [{ name: null, reference: null }],
    packageRegistryData: [...registry].map(([name, versions]) => [name, [...versions]]),
  });
}
