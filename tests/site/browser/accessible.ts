/** What axe-core finds on a page against WCAG 2.2 AA, in light and dark. */
import axe from "axe-core";
import type { Page } from "playwright-core";

const TAGS = JSON.stringify(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]);
/** A page that axe-core cannot look at passes hardly any rule. */
const FEWEST_RULES = 10;

interface Found {
  violations: { id: string; nodes: { html: string }[] }[];
  passes: unknown[];
}

/** One text for each rule that is broken. */
export async function barriersOf(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  const barriers: string[] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme });
    const { violations, passes } = await page.evaluate<Found>(`axe.run(document, { runOnly: ${TAGS} })`);
    if (passes.length < FEWEST_RULES) barriers.push(`axe-core looked at ${passes.length} rules only`);
    barriers.push(
      ...violations.map(({ id, nodes }) => `${colorScheme}: ${id}: ${nodes.length}, ${nodes[0].html}`),
    );
  }
  return barriers;
}
