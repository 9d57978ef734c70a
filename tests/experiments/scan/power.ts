/**
 * How often a scan finds what is planted, and what it finds where nothing is: `deno run --allow-read --allow-env --allow-sys
 * --allow-ffi tests/experiments/scan/power.ts [seeds]`. Default: 100 seeds of each kind, some minutes. Its numbers stand in
 * tests/README.md.
 */
import { foundWriters, scan } from "../../../lib/experiments/scan/scan.ts";
import { CLEANERS, type Kind, KINDS, plantedModel, plantedPrompts, WRITER } from "./planted.ts";

const seeds = Number(Deno.args[0] ?? 100);
/** Each kind, and the clean pair with a cleaner that erases only a part. */
const cases: [Kind, number][] = [...KINDS.map((kind): [Kind, number] => [kind, 1]), ["pair", 0.5], [
  "pair",
  0.35,
], [
  "pair",
  0.25,
], ["pair", 0.1]];
const chosen = cases.filter(([kind, strength]) =>
  !Deno.args[1] || Deno.args[1].split(",").includes(`${kind}:${strength}`)
);
const rows = [];
for (const [kind, strength] of chosen) {
  let [writer, exact, otherWriters, otherCleaners, missed, tested] = [0, 0, 0, 0, 0, 0];
  const shares: number[] = [],
    ratios: number[] = [],
    kappas: number[] = [],
    undone: number[] = [],
    control: number[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const result = await scan(plantedModel(kind, seed, strength), plantedPrompts(seed));
    const found = foundWriters(result);
    otherWriters += found.filter((w) => w.candidate.name !== WRITER).length;
    tested += result.writers.length;
    const own = found.find((w) => w.candidate.name === WRITER);
    if (!own) continue;
    writer++;
    const names = own.verdict.cleaners.map((c) => c.node);
    const extra = names.filter((name) => !CLEANERS[kind].includes(name)).length;
    const absent = CLEANERS[kind].filter((name) => !names.includes(name)).length;
    otherCleaners += extra;
    missed += absent;
    if (extra + absent === 0) exact++;
    ratios.push(own.verdict.groupRatio);
    shares.push(own.verdict.sharedAcrossPrompts);
    kappas.push(...Object.values(own.causal!.causalShare));
    undone.push(own.causal!.patched.frozen.undone);
    control.push(own.causal!.patched.control.undone);
  }
  const range = (x: number[]) =>
    x.length ? `${Math.min(...x).toFixed(2)} … ${Math.max(...x).toFixed(2)}` : "–";
  rows.push({
    planted: strength === 1 ? kind : `${kind}, erases ${strength}`,
    "writer found": `${writer}/${seeds}`,
    "exactly its cleaners": `${exact}/${seeds}`,
    "cleaners missed": missed,
    "other cleaners": otherCleaners,
    "other writers": otherWriters,
    "candidates": tested,
    "erased": range(ratios),
    "shared": range(shares),
    "κ": range(kappas),
    "undone": range(undone),
    "control": range(control),
  });
  console.log(JSON.stringify(rows.at(-1)));
}
console.table(rows);
