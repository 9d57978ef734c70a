/**
 * Figures: rows in, a plot out; and a plot as SVG or PNG.
 *
 * @module
 */

export { fig1 } from "./fig1.ts";
export { fig1Retention, fig3c } from "./retention_plot.ts";
export { putBackPlot, type ReuseFigureOptions, reusePlot } from "./reuse_plot.ts";
export { type RoleFigureOptions, rolePlot } from "./role_plot.ts";
export { fig2 } from "./fig2.ts";
export { fig3a, fig3b } from "./fig3.ts";
export { fig4 } from "./fig4.ts";
export { fig5 } from "./fig5.ts";
export { fig6, fig6Shared } from "./fig6.ts";
export { fig7 } from "./fig7.ts";
export { fig8 } from "./fig8.ts";
export { fig9 } from "./fig9.ts";
export { fig10 } from "./fig10.ts";
export { appendix } from "./appendix.ts";
export { attributionWaterfall, type WaterfallOptions } from "./waterfall.ts";
export type { WaterfallCase } from "./waterfall_bars.ts";
export { grid, type GridOptions, type GridRow } from "./grid.ts";
export { heatMap } from "./heat_map.ts";

export { cleanerLens, cleanerParts, cleanerPositions, cleanerSuppression } from "./cleaners_plots.ts";
export type { CleanersFigureOptions } from "./cleaners_plots.ts";

// Of a scan's result.
export { layersPlot, type ReportFigure, scanHeatMap, writerFigures, writersPlot } from "./report.ts";

// Of a census.
export { contractionPlot, cosinePlot, earlyPlot, modelsPlot, selfRepairPlot } from "./census_plots.ts";

// Of the account of what was found.
export { claimsPlot, type ErasurePanel, erasurePlot } from "./findings_plots.ts";

// As a file.
export { type PngOptions, toPng } from "./png.ts";
export { toSvg } from "./svg.ts";
export type { PlotElement } from "./theme.ts";

// Options of the figures.
export type { AppendixOptions } from "./appendix.ts";
export type { Fig1Options } from "./fig1.ts";
export type { Fig2Options } from "./fig2.ts";
export type { Fig3Options } from "./fig3.ts";
export type { Fig4Options } from "./fig4.ts";
export type { Fig5Options } from "./fig5.ts";
export type { Fig6Options } from "./fig6.ts";
export type { Fig7Options } from "./fig7.ts";
export type { Fig8Options } from "./fig8.ts";
export type { Fig9Options } from "./fig9.ts";
export type { Fig10Options } from "./fig10.ts";
export type { HeatMapOptions } from "./heat_map.ts";
export type { RetentionFigureOptions } from "./retention_plot.ts";
