/**
 * What a command is called where this code runs, for the texts that say what to type: a task in a checkout,
 * `npx` where npm, pnpm or Bun installed the package, and the registry's address where the code came from
 * one.
 */

/** "deno task scan", "npx cleanup-lens scan" … @param code where the code is; default: this file */
export function called(command: string, code = import.meta.url): string {
  if (/^https?:/.test(code)) return `deno run -A jsr:@cleanup-lens/cleanup-lens/${command}`;
  return code.endsWith(".js") ? `npx cleanup-lens ${command}` : `deno task ${command}`; // npm's is compiled
}
