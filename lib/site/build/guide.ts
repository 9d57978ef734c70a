/** The path through ninety minutes as the guide for who teaches has it: written once, shown in two places. */

const HEADING = "## Ninety minutes\n";

/** @param guide text of notebooks/README.md @returns its table, as Markdown @throws where there is none */
export function ninetyMinutes(guide: string): string {
  const [, section] = guide.split(HEADING);
  const table = section?.split(/\n## /)[0].match(/(?:^\|.*\|\n)+/m)?.[0];
  if (!table) throw new Error(`notebooks/README.md: no table under "${HEADING.trim()}"`);
  return table;
}
