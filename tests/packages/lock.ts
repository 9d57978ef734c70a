/** The graph of packages in deno.lock. */

interface Lock {
  specifiers: Record<string, string>;
  npm: Record<string, { dependencies?: string[]; optionalDependencies?: string[] }>;
}

const lock: Lock = JSON.parse(Deno.readTextFileSync(new URL("../../deno.lock", import.meta.url)));

/** "@scope/name@1.2.3_peer" → "@scope/name". */
const nameOf = (id: string) => id.replace(/(?<=.)@.*$/, "");

/** Every package that is reached from these direct dependencies. */
function reached(from: readonly string[]): Set<string> {
  const found = new Set<string>();
  const visit = (name: string) => {
    if (found.has(name)) return;
    found.add(name);
    for (const [id, { dependencies = [], optionalDependencies = [] }] of Object.entries(lock.npm)) {
      if (nameOf(id) === name) [...dependencies, ...optionalDependencies].map(nameOf).forEach(visit);
    }
  };
  from.forEach(visit);
  return found;
}

/** Names of the packages that only this direct dependency brings, itself among them. */
export function broughtBy(name: string): Set<string> {
  const direct = Object.keys(lock.specifiers).filter((s) => s.startsWith("npm:")).map((s) =>
    nameOf(s.slice(4))
  );
  const others = reached(direct.filter((each) => each !== name));
  return new Set([...reached([name])].filter((each) => !others.has(each)));
}
