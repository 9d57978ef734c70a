/** In place of platform/environment.ts. */

/** Figures are saved with their rows, for the page to offer; downloads would go where none go. */
const VARIABLES: Readonly<Record<string, string>> = { CLEANUP_LENS_OUT: "/out", HF_HOME: "/downloads" };

export const environment = (name: string): string | undefined => VARIABLES[name];

/** A page has no variables, and its runtime reports to nobody. */
export function setUnlessSet(_name: string, _value: string): void {}

export const isWindows = false;

export function packageFile({ name }: { name: string }, file: string): string {
  return `/packages/${name}/${file}`;
}
