/**
 * `deno task torture [scenario …] [--times N] [--seed S] [--faults LIST]`: runs tasks and disturbs them at
 * random moments: SIGTERM, SIGKILL, a killed kernel, a full disk. Afterwards no process may be left, after
 * the next run no unfinished file, the notebooks are as they were, and the results are those of a run that
 * nothing disturbed.
 *
 * Linux alone: it looks at /proc, for which Deno asks for every permission.
 */
import { commandArguments } from "../../lib/cli/command_arguments.ts";
import { randomSource } from "../reference/random.ts";
import { type Disk, mountDisk } from "./disk.ts";
import { difference, look } from "./files.ts";
import { type Fault, makeProject } from "./scenarios.ts";
import { runOnce, trial } from "./trial.ts";

const FAULTS: readonly Fault[] = ["SIGTERM", "SIGKILL", "kernel", "disk"];

const USAGE = `deno task torture [scenario …] [--times N] [--seed S] [--faults SIGTERM,SIGKILL,kernel,disk]
scenarios: figures, scan, shard, merge, census, attribution, download; default: all
  --times N   random moments for each scenario and fault; default 50`;

function readArguments(args: string[]) {
  const { values: given, positionals } = commandArguments(args, {
    times: "string",
    seed: "string",
    faults: "string",
  });
  const values = { times: "50", seed: "1", faults: FAULTS.join(), ...given };
  const whole = (name: "times" | "seed", least: number) => {
    const number = Number(values[name]);
    if (Number.isSafeInteger(number) && number >= least) return number;
    throw new Error(`--${name}: got "${values[name]}"; expected a whole number of at least ${least}`);
  };
  const times = whole("times", 1), seed = whole("seed", 0);
  const faults = values.faults.split(",") as Fault[];
  const unknown = faults.find((fault) => !FAULTS.includes(fault));
  if (unknown !== undefined) throw new Error(`there is no fault "${unknown}"`);
  return { times, seed, faults, chosen: positionals };
}

async function main(): Promise<number> {
  let options;
  try {
    if (Deno.build.os !== "linux") throw new Error("it looks at /proc, which only Linux has");
    options = readArguments(Deno.args);
  } catch (error) {
    console.error(`torture: ${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  const folder = await Deno.makeTempDir({ prefix: "cleanup-lens-torture-" });
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.addSignalListener(signal, () => {
      mounted?.remove(); // what is in memory stays there otherwise
      Deno.removeSync(folder, { recursive: true });
      Deno.exit(1);
    });
  }
  try {
    return await torture(folder, options);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function torture(
  folder: string,
  { times, seed, faults, chosen }: ReturnType<typeof readArguments>,
): Promise<number> {
  await Deno.mkdir(`${folder}/project`);
  await using project = await makeProject(`${folder}/project`);
  const unknown = chosen.find((name) => !Object.hasOwn(project.scenarios, name));
  if (unknown !== undefined) {
    console.error(`torture: there is no scenario "${unknown}"\n${USAGE}`);
    return 2;
  }
  let failures = 0, trials = 0;
  for (const name of chosen.length > 0 ? chosen : Object.keys(project.scenarios)) {
    const scenario = project.scenarios[name];
    await scenario.prepare?.();
    const runs = [`${folder}/${name}-undisturbed`, `${folder}/${name}-again`];
    const baselines = [];
    for (const out of runs) {
      const { code, text, ms } = await runOnce(project, scenario, out);
      if (code !== 0) throw new Error(`${name} ended with ${code} undisturbed: ${text}`);
      baselines.push({ files: look(out).files, ms });
    }
    const differs = difference(baselines[0].files, baselines[1].files);
    if (differs) throw new Error(`two undisturbed runs of ${name} differ: ${differs}`);
    // moments within a run that nothing slowed down
    const baseline = baselines[0].ms < baselines[1].ms ? baselines[0] : baselines[1];
    console.log(`${name}: ${Object.keys(baseline.files).length} files, ${(baseline.ms / 1000).toFixed(1)} s`);
    for (const fault of scenario.faults.filter((each) => faults.includes(each))) {
      const moments = randomSource(seed + 1000 * FAULTS.indexOf(fault) + name.length);
      const counts = { stopped: 0, unharmed: 0, failures: 0 };
      let real = true;
      for (let i = 0; i < times; i++) {
        const out = `${folder}/${name}-${fault}-${i}`;
        const random = randomSource(Math.floor(moments() * 2 ** 31));
        const disk: Disk = fault === "disk" ? mounted = mountDisk(out) : NO_DISK;
        try {
          const { moment, ended, wrong } = await trial({
            project,
            scenario,
            fault,
            baseline,
            out,
            disk,
            random,
          });
          counts[ended ? "unharmed" : "stopped"]++;
          if (wrong.length > 0) counts.failures++;
          for (const each of wrong) console.log(`  ${name}, ${fault} ${i} at ${moment.toFixed(3)}: ${each}`);
        } finally {
          real &&= disk.real;
          disk.remove();
          mounted = undefined;
        }
        trials++;
        await Deno.remove(out, { recursive: true });
      }
      failures += counts.failures;
      const how = fault === "disk" ? (real ? " (a real one)" : " (by ulimit: no disk may be mounted)") : "";
      console.log(
        `  ${fault}${how}: ${times} times, ${counts.stopped} stopped, ${counts.unharmed} ended before or unharmed, ` +
          `${counts.failures} failures`,
      );
    }
  }
  if (trials > 0) return failures > 0 ? 1 : 0;
  console.error(
    `torture: nothing was run: no scenario that was asked for has a fault among ${faults.join(", ")}`,
  );
  return 2;
}

/** The disk of the trial that runs. */
let mounted: Disk | undefined;

const NO_DISK: Disk = { real: true, fill() {}, empty() {}, remove() {} };

if (import.meta.main) Deno.exit(await main());
