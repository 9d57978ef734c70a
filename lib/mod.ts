/**
 * All that a notebook needs, in one import. Nothing in lib/ imports this file but lib/cli.
 *
 * @module
 */

export * from "./library.ts";
export * from "./figures/mod.ts";

// In the notebook: show figures, tables and anything else; check exercises.
export { show, type ShowOptions } from "./figures/show.ts";
export { showChecks } from "./figures/show_checks.ts";
export { frame, table, type TableOptions } from "./figures/table.ts";
export { display, type DisplayOptions, inNotebook } from "./jupyter/display.ts";
export { type Answer, exercise, type ExerciseOptions } from "./jupyter/exercise.ts";
export { showProgress } from "./jupyter/progress.ts";
export type { MimeBundle } from "./jupyter/notebook.ts";
