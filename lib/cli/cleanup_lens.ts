#!/usr/bin/env node
/**
 * The command that the npm package installs: `npx cleanup-lens scan MODEL …`, and `census`, `attribution`
 * and `verify` likewise. In a checkout the same are tasks, which Deno holds to their permissions; Node and
 * Bun have none.
 */
import { readFile } from "node:fs/promises";
import process from "node:process";

const COMMANDS: Record<string, () => Promise<{ main(): Promise<number> }>> = {
  scan: () => import("./scan.ts"),
  census: () => import("./census.ts"),
  attribution: () => import("./attribution.ts"),
  verify: () => import("./verify.ts"),
};

const USAGE = `cleanup-lens COMMAND …; "cleanup-lens COMMAND --help" says more
  scan MODEL         look for clean-up in a model
  census MODEL…      the same questions to several models, side by side
  attribution MODEL  is what direct logit attribution credits taken back later?
  verify MODEL       measure every figure and compare it with the published values
  --version          of the package`;

const WRONG_USAGE = 2;

/** Runs a command with its arguments, as they stand on the command line. Returns its exit code. */
async function main(): Promise<number> {
  const [, , name = "--help"] = process.argv;
  if (name === "--help") {
    console.log(USAGE);
    return 0;
  }
  if (name === "--version") {
    const file = new URL("../../package.json", import.meta.url); // beside lib/ in the package
    console.log(JSON.parse(await readFile(file, "utf8")).version);
    return 0;
  }
  if (!Object.hasOwn(COMMANDS, name)) {
    console.error(`cleanup-lens: got "${name}"; expected ${Object.keys(COMMANDS).join(", ")}.\n${USAGE}`);
    return WRONG_USAGE;
  }
  process.argv.splice(2, 1); // the command reads what follows its name
  return await (await COMMANDS[name]()).main();
}

process.exit(await main());
