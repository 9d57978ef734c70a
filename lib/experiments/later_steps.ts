/**
 * What is compared with expected values beyond the post's figures: the two experiments on its open
 * questions. A list of steps like those of verification.ts.
 */
import { valuesOf } from "./estimates.ts";
import { expectedRows } from "./expected.ts";
import { reuse } from "./reuse/reuse.ts";
import { role } from "./role/role.ts";
import { against, asManyPrompts, type Step } from "./verification_steps.ts";

const REUSE = ["standing", "written", "read", "put back", "needed"].map((name) => `reuse, ${name}`);

const ROLE = ["vocabulary", "attention", "variance", "edges", "without", "vocabulary ranks"].map((name) =>
  `role, ${name}`
);
/** Tokens at either end of the vocabulary table, as in the expected values of the embedded model. */
const TABLE = 12;

export const laterSteps: Step[] = [
  {
    names: ["reuse"],
    title: "Reuse of the writer's directions",
    figures: REUSE,
    run: async ({ model, prompts, expected, options }) => {
      const found = await reuse(model, asManyPrompts(prompts, expected, REUSE[0]), {
        ...options,
        rotations: 2,
      });
      const { occupancy, written, read, putBack, needed } = found;
      const rows = [occupancy, written, read, putBack, needed].map(valuesOf);
      return against(expected, Object.fromEntries(REUSE.map((name, i) => [name, rows[i]])));
    },
  },
  {
    names: ["role"],
    title: "The writer's role",
    figures: ROLE,
    run: async ({ model, prompts, expected, options }) => {
      const wantsEdges = Object.hasOwn(expected.figures, ROLE[3]);
      const tokens = expectedRows(expected, ROLE[0]).flatMap(({ token }) =>
        token === undefined ? [] : [`${token}`]
      );
      const found = await role(model, asManyPrompts(prompts, expected, ROLE[0]), {
        ...options,
        most: TABLE,
        tokens,
        ...(!wantsEdges && { edgePrompts: 0 }),
      });
      const { vocabulary, attention, variance, edges, without } = found;
      const rows = [vocabulary, attention, variance, edges, without, vocabulary].map(valuesOf);
      return against(expected, Object.fromEntries(ROLE.map((name, i) => [name, rows[i]])));
    },
  },
];
