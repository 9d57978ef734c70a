// What goes wrong in a notebook, whose kernel ignores types: a misspelt option, a forgotten argument, a
// forgotten await. Each gives one message that names the mistake. (Experiments:
// tests/experiments/arguments_test.ts.)
import { assertRejects, assertThrows } from "@std/assert";
import * as lib from "../lib/mod.ts";
import { embeddedPrompts } from "./transformer/models.ts";

const model = await lib.loadModel();
const prompts = await embeddedPrompts(2, 16);
const { rows } = await lib.residualProjections(model, prompts);
const promise = Promise.resolve(rows);

// deno-lint-ignore no-explicit-any
const any = lib as any;
// deno-lint-ignore no-explicit-any
const anyModel = model as any;

Deno.test("a misspelt option of a model, of prompts, of tables and figures throws, with the nearest", async () => {
  const cases: [() => unknown, string][] = [
    [
      () => any.loadModel("tiny-gelu-4l", { procesing: false }),
      'loadModel: there is no option "procesing". Did you mean "processing"?',
    ],
    [
      () => any.promptsFor(model, { cuont: 3 }),
      'promptsFor: there is no option "cuont". Did you mean "count"?',
    ],
    [
      () => any.shorten(prompts, { lenght: 3 }),
      'shorten: there is no option "lenght". Did you mean "length"?',
    ],
    [() => anyModel.forward({ hook: {} }), 'model.forward: there is no option "hook". Did you mean "hooks"?'],
    [() => anyModel.prompts(["a"], { prependBOS: true }), 'Did you mean "prependBos"?'],
    [() => any.table(rows, { colums: [] }), 'table: there is no option "colums". Did you mean "columns"?'],
    [
      () => any.show(lib.fig1(rows, { writer: "L1H6" }), { nam: "fig1" }),
      'show: there is no option "nam". Did you mean "name"?',
    ],
    [() => any.fig1(rows, { wrtier: "L1H6" }), 'fig1: there is no option "wrtier". Did you mean "writer"?'],
    [
      () => any.appendix(rows, { column: 3 }),
      'appendix: there is no option "column". Did you mean "columns"?',
    ],
  ];
  for (const [call, message] of cases) {
    await assertRejects(async () => await call(), Error, message);
  }
});

const FIGURES =
  "fig1 fig1Retention fig2 fig3a fig3b fig4 fig6 fig6Shared fig7 fig8 fig9 fig10 appendix heatMap";

Deno.test("every figure refuses an option that it does not take, and rows that are a promise", () => {
  for (const name of FIGURES.split(" ")) {
    assertThrows(() => any[name](rows, { nothing: 1 }), Error, `${name}: there is no option "nothing"`);
    assertThrows(() => any[name](promise, { writer: "L1H6" }), Error, "promise");
  }
  assertThrows(() => any.fig5([], [], { nothing: 1 }), Error, `fig5: there is no option "nothing"`);
  assertThrows(() => any.fig3c([], [], { nothing: 1 }), Error, `fig3c: there is no option "nothing"`);
  assertThrows(
    () => any.attributionWaterfall([], { nothing: 1 }),
    Error,
    "attributionWaterfall: there is no option",
  );
});

Deno.test("forgotten arguments are named", async () => {
  const cases: [() => unknown, string][] = [
    [() => any.fig1(rows), "fig1: got none as options; expected an object with some of writer"],
    [() => any.show(lib.fig1(rows, { writer: "L1H6" })), "show: got none as options"],
    [
      () => any.shorten(prompts),
      "shorten: got none as options; expected an object with some of count, length",
    ],
    [() => any.table(), "table: got undefined. Expected a list of rows"],
    [() => any.show(undefined, { name: "a" }), "show: got undefined; expected a figure"],
    [() => anyModel.prompts("I like tea"), 'model.prompts: got "I like tea"; expected a list of texts'],
    [() => anyModel.prompts([17]), "model.prompts: got [17]; expected a list of texts"],
    [() => any.promptsFor(), "promptsFor: model: got none; expected a model"],
  ];
  for (const [call, message] of cases) await assertRejects(async () => await call(), Error, message);
});

Deno.test("a forgotten await is named", async () => {
  const cases: [() => unknown, string][] = [
    [() => any.promptsFor(Promise.resolve(model)), 'promptsFor: model is a promise; put "await"'],
    [() => any.shorten(Promise.resolve(prompts), { count: 1 }), 'shorten: prompts is a promise; put "await"'],
    [() => any.table(promise), 'table: got a promise; put "await"'],
    [() => any.show(Promise.resolve(0), { name: "a" }), 'show: got a promise; put "await"'],
    [() => any.withWriter(Promise.resolve(model)), "withWriter: model is a promise"],
    [() => any.showChecks("fig1", promise, {}), "promise"],
    [() => any.feed(Promise.resolve(prompts)), "promise"],
    [() => any.run(promise, any.feed(prompts)), "promise"],
    [() => any.run({ logits: model.forward().logits }, Promise.resolve(any.feed(prompts))), "promise"],
    [() => any.run({ logits: Promise.resolve(model.forward().logits) }, any.feed(prompts)), "promise"],
    [() => any.expectedRows(lib.loadExpected("tiny-gelu-4l"), "fig1"), "promise"],
  ];
  for (const [call, message] of cases) await assertRejects(async () => await call(), Error, message);
});
