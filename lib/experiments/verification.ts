/**
 * All that is compared with expected values, as a list of steps: which numbers, over which prompts, by which
 * experiment. What a step measures is exactly what the notebook of that figure shows.
 */
import { shorten } from "../checkpoints/mod.ts";
import { resampledAttribution } from "./adversarial.ts";
import { residualOntoAllNodes } from "./all_pairs.ts";
import { bosParts } from "./bos_parts.ts";
import { cleanerHeads, compositionAttribution, REPOSITORY_FORM } from "./composition_attribution.ts";
import { embeddingNorms } from "./embedding_norms.ts";
import { compare, type Expected } from "./expected.ts";
import { measure } from "./experiment.ts";
import { figures1to3, type View } from "./figures_1_to_3.ts";
import { sumName } from "./node_projections.ts";
import { laterSteps } from "./later_steps.ts";
import { promptAblation } from "./prompt_ablation.ts";
import { promptLocations } from "./prompt_locations.ts";
import { neuronRows, residualNorms, tokenRows } from "./quick_checks.ts";
import { resampleAblation } from "./resample_ablation.ts";
import type { LossRow, Replacement } from "./rows.ts";
import { against, asManyPrompts, type Compared, expectedNames, type Step } from "./verification_steps.ts";

const WIDE: readonly [number, number] = [0.125, 0.875];
const INNER = ", inner positions";

/**
 * Bands and positions in which a figure's values are expected: quartiles, 12.5 to 87.5 %, and both without
 * the first and last position.
 */
function viewsFor(
  expected: Expected,
  figures: readonly string[],
  length: number,
): { suffix: string; view: View }[] {
  const found: { suffix: string; view: View }[] = [];
  for (const suffix of ["", INNER]) {
    const names = expectedNames(expected, figures.map((name) => name + suffix));
    if (names.length === 0) continue;
    const positions = suffix === "" ? {} : { positions: [1, length - 2] as const };
    found.push({ suffix, view: { ...positions } });
    const wide = names.some((name) => expected.figures[name].rows.some((row) => row.wideLow !== undefined));
    if (wide) found.push({ suffix, view: { ...positions, quantiles: WIDE } });
  }
  return found;
}

/** Adds the comparisons of one view; of the wide band only those that the quartiles did not give. */
function addView(
  compared: Compared,
  expected: Expected,
  name: string,
  rows: readonly object[],
  view: View,
): void {
  if (!Object.hasOwn(expected.figures, name)) return;
  const all = compare(name, rows, expected, view.quantiles ? { quantiles: view.quantiles } : {});
  const own = view.quantiles ? all.filter(({ field }) => field.startsWith("wide")) : all;
  compared[name] = [...(compared[name] ?? []), ...own];
}

export const quickChecks: Step[] = [
  {
    names: ["tokens"],
    title: "Token ids of the adversarial prompts and answers",
    figures: ["tokens"],
    run: ({ model, expected }) => {
      const texts = expected.figures.tokens.rows.map(({ text }) => String(text));
      return Promise.resolve(against(expected, { tokens: tokenRows(model, texts) }));
    },
  },
  {
    names: ["weights"],
    title: "Neurons of the processed weights",
    figures: ["weights"],
    run: async ({ model, expected }) => {
      const neurons = expected.figures.weights.rows as unknown as { layer: number; neuron: number }[];
      return against(expected, { weights: await neuronRows(model, neurons) });
    },
  },
  {
    names: ["norms"],
    title: "Norms of the residual stream",
    figures: ["residual norm"],
    run: async ({ model, prompts, expected, options }) => {
      const rows = await residualNorms(model, asManyPrompts(prompts, expected, "residual norm"), options);
      return against(expected, { "residual norm": rows });
    },
  },
];

const FIRST = ["fig1", "fig2", "fig3a", "fig3b"] as const;
const CONTROLS = "fig7, controls";
const PAIRS = ["fig1", "appendix", "appendix, later nodes"];

export const figureSteps: Step[] = [
  {
    names: ["1", "2", "3"],
    title: "Figures 1, 2 and 3",
    figures: [...FIRST, ...FIRST.map((name) => name + INNER)],
    run: async ({ model, prompts, expected, options }) => {
      const views = viewsFor(expected, FIRST, prompts.length);
      const measured = await figures1to3(model, prompts, views.map(({ view }) => view), options);
      const compared: Compared = {};
      views.forEach(({ suffix, view }, i) => {
        for (const name of FIRST) addView(compared, expected, name + suffix, measured[i][name], view);
      });
      return compared;
    },
  },
  {
    names: ["4"],
    title: "Figure 4",
    figures: ["fig4"],
    run: async ({ model, prompts, expected }) => {
      const { rows } = await resampledAttribution(model, model.adversarial.prompts, prompts);
      return against(expected, { fig4: rows });
    },
  },
  {
    names: ["5"],
    title: "Figure 5",
    figures: ["fig5", "fig5, repository form"],
    run: async ({ model, prompts, expected, options }) => {
      const first = (count: number) => shorten(prompts, { count: Math.min(count, prompts.count) });
      const form = { ...options, ...REPOSITORY_FORM, positions: [32, prompts.length - 2] as const };
      const rows: Record<string, object[]> = {};
      for (const name of expectedNames(expected, ["fig5", "fig5, repository form"])) {
        const { fit, totalFit } = name === "fig5"
          ? await compositionAttribution(model, first(30), options)
          : await compositionAttribution(model, first(10), form);
        const cleaners = sumName(cleanerHeads(model));
        rows[name] = [{ cleaners, of: "composition", ...fit }, { cleaners, of: "total", ...totalFit }];
      }
      return against(expected, rows);
    },
  },
  {
    names: ["6"],
    title: "Figure 6",
    figures: ["fig6"],
    run: async ({ model, expected }) => against(expected, { fig6: (await embeddingNorms(model)).summary }),
  },
  {
    names: ["7"],
    title: "Figure 7",
    figures: ["fig7", CONTROLS],
    run: async ({ model, prompts, expected, options }) => {
      const controls: Replacement[] = Object.hasOwn(expected.figures, CONTROLS) ? ["zero", "mean"] : [];
      const all = { ...options, controls };
      const { rows } = await resampleAblation(model, asManyPrompts(prompts, expected, "fig7"), all);
      const isControl = ({ by }: LossRow) => by === "zero" || by === "mean";
      return against(expected, {
        fig7: rows.filter((row) => !isControl(row)),
        [CONTROLS]: rows.filter(isControl),
      });
    },
  },
  {
    names: ["8"],
    title: "Figure 8",
    figures: ["fig8"],
    run: async ({ model, prompts, expected, options }) =>
      against(expected, { fig8: (await bosParts(model, prompts, options)).rows }),
  },
  {
    names: ["9"],
    title: "Figure 9",
    figures: ["fig9"],
    run: async ({ model, prompts, expected, options }) => {
      const { rows } = await promptAblation(model, model.adversarial.prompts, prompts, options);
      return against(expected, { fig9: rows });
    },
  },
  {
    names: ["10"],
    title: "Figure 10",
    figures: ["fig10"],
    run: async ({ model, expected }) =>
      against(expected, { fig10: (await promptLocations(model, model.adversarial.prompts)).rows }),
  },
  {
    names: ["appendix"],
    title: "Appendix",
    figures: PAIRS.slice(1),
    run: async ({ model, prompts, expected, options }) => {
      const experiment = residualOntoAllNodes(model.forward());
      const { rows } = await measure(model, prompts, { experiment }, options);
      return against(expected, Object.fromEntries(PAIRS.slice(1).map((name) => [name, rows.experiment])));
    },
  },
  ...laterSteps,
];
