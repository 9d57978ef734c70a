/**
 * What is compared with expected values beyond the post's figures: the two experiments on its open questions. A
 * list of steps like those of verification.ts.
 */
import { type Prompts, shorten } from "../checkpoints/mod.ts";
import { valuesOf } from "./estimates.ts";
import type { Expected } from "./expected.ts";
import { reuse } from "./reuse/reuse.ts";
import { against, type Step } from "./verification_steps.ts";

const REUSE = ["standing", "written", "read", "put back", "needed"].map((name) => `reuse, ${name}`);

/** As many prompts as the expected values of a figure are over. */
function counted(prompts: Prompts, expected: Expected, figure: string): Prompts {
  return shorten(prompts, {
    count: Math.min(expected.figures[figure].prompts ?? prompts.count, prompts.count),
  });
}

export const laterSteps: Step[] = [
  {
    names: ["reuse"],
    title: "Reuse of the writer's directions",
    figures: REUSE,
    run: async ({ model, prompts, expected, options }) => {
      const found = await reuse(model, counted(prompts, expected, REUSE[0]), { ...options, rotations: 2 });
      const { occupancy, written, read, putBack, needed } = found;
      const rows = [occupancy, written, read, putBack, needed].map(valuesOf);
      return against(expected, Object.fromEntries(REUSE.map((name, i) => [name, rows[i]])));
    },
  },
];
