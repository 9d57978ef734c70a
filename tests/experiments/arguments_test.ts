// Every experiment that a notebook calls refuses misspelt options and forgotten arguments, and names what was
// meant.
import { assertRejects } from "@std/assert";
import * as lib from "../../lib/mod.ts";
import { embeddedPrompts } from "../transformer/models.ts";

const model = await lib.loadModel();
const prompts = await embeddedPrompts(2, 16);
const adversarial = model.adversarial.prompts;

// deno-lint-ignore no-explicit-any
type Any = any;
const { retention, cancellationBaseline, compositionAttribution, embeddingNorms, bosParts, allPairs } =
  lib as Any;
const { residualProjections, nodeProjections, patchedProjections, resampleAblation, promptAblation } =
  lib as Any;
const { findings, reuse, role } = lib as Any;
const { resampledAttribution, findAdversarialPrompts, promptLocations, adversarialFor } = lib as Any;

const onPrompts: Record<string, Any> = {
  residualProjections,
  nodeProjections,
  patchedProjections,
  compositionAttribution,
  cancellationBaseline,
  resampleAblation,
  bosParts,
  allPairs,
  findAdversarialPrompts,
  retention,
  reuse,
  role,
  findings,
};

for (const [name, experiment] of Object.entries(onPrompts)) {
  Deno.test(`${name}() names a misspelt option, forgotten arguments and a forgotten await`, async () => {
    const rejects = (call: () => Promise<unknown>, message: string) => assertRejects(call, Error, message);
    const misspelt = name === "resampleAblation"
      ? { layr: 0 }
      : name === "allPairs"
      ? { quantile: [0, 1] }
      : name === "findings"
      ? { wrtiers: ["L0H0"] }
      : { wrtier: "L0H0" };
    await rejects(
      () => experiment(model, prompts, misspelt),
      `${name}: there is no option "${Object.keys(misspelt)[0]}"`,
    );
    await rejects(() => experiment(), `${name}: model: got none; expected a model, such as await loadModel`);
    await rejects(
      () => experiment(model),
      `${name}: prompts: got none; expected prompts, such as await promptsFor(model)`,
    );
    await rejects(
      () => experiment(Promise.resolve(model), prompts),
      `${name}: model is a promise; put "await" before`,
    );
    await rejects(() => experiment(model, Promise.resolve(prompts)), `${name}: prompts is a promise`);
    await rejects(() => experiment(model, ["text"]), `${name}: prompts: got ["text"]; expected prompts`);
  });
}

Deno.test("the misspelt option's nearest name is suggested", async () => {
  await assertRejects(
    () => residualProjections(model, prompts, { wrtier: "L0H0" }),
    Error,
    'there is no option "wrtier". Did you mean "writer"?',
  );
});

Deno.test("experiments on single prompts, and on weights, refuse the same", async () => {
  const cases: [() => Promise<unknown>, string][] = [
    [() => resampledAttribution(model, adversarial, prompts, { sample: 3 }), 'Did you mean "samples"?'],
    [
      () => resampledAttribution(model, adversarial),
      "unrelated: got none; expected prompts to resample from",
    ],
    [() => promptAblation(model, undefined, prompts), "adversarial: got none; expected a list of prompts"],
    [() => promptAblation(model, adversarial, prompts, { wrtier: "L0H0" }), "there is no option"],
    [() => promptLocations(model), "adversarial: got none"],
    [() => promptLocations(model, adversarial, { writr: "L0H0" }), 'Did you mean "writer"?'],
    [() => embeddingNorms(), "embeddingNorms: model: got none"],
    [() => embeddingNorms(model, { bin: 3 }), 'Did you mean "bins"?'],
    [() => embeddingNorms(model, { scale: "share" }), 'Did you mean "shared"?'],
    [() => adversarialFor(model), "adversarialFor: prompts: got none"],
    [() => resampleAblation(model, prompts, { by: "zeros" }), 'Did you mean "zero"?'],
    [() => resampleAblation(model, prompts, { controls: ["means"] }), 'Did you mean "mean"?'],
    [() => resampleAblation(model, prompts, { heads: ["MLP1"] }), "got MLP1; expected heads"],
  ];
  for (const [call, message] of cases) await assertRejects(call, Error, message);
});

Deno.test("a layer that does not read the writer cannot be patched", async () => {
  const { writer } = model.cleanup, own = model.writersLayer;
  const message = `patchedLayers: got ${own}, whose heads do not read ${writer}; layers ${own + 1} to`;
  await assertRejects(() => patchedProjections(model, prompts, { patchedLayers: [own] }), Error, message);
  await assertRejects(() => retention(model, prompts, { patchedLayers: [own] }), Error, message);
  await assertRejects(() => patchedProjections(model, prompts, { patchedLayers: [] }), Error, "got none");
  const last = `L${model.config.n_layers - 1}H0`;
  const none = { writer: last, patchedLayers: [model.config.n_layers - 1], cleaners: [last] };
  await assertRejects(() => patchedProjections(model, prompts, none), Error, "no layer comes after it");
  await assertRejects(
    () => retention(model, prompts, { patchedLayers: [own + 1], route: "values" }),
    Error,
    "expected one of them",
  );
});
