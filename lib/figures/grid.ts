/**
 * A value for each row and column, as a grid of coloured cells: an attention pattern (query, key), retention
 * (location, position).
 *
 * Colours begin white at 0. With values on both sides of 0 they diverge: purple above, orange below.
 */
import * as Plot from "@observablehq/plot";
import { compose } from "./compose.ts";
import { distinct, drawable } from "./drawable.ts";
import { textWidth } from "./font.ts";
import { visible } from "./prompt_text.ts";
import { figureWidth, fontSize, formatNumber, ink, plot, type PlotElement } from "./theme.ts";

/** One cell. Labels tell rows and columns apart, so tokens that occur twice need their position: "3 the". */
export interface GridRow {
  /** Label of the row. */
  row: string;
  /** Label of the column. */
  column: string;
  /** Its colour; where it is no finite number the cell stays empty. */
  value: number;
}

/** Of a grid. */
export interface GridOptions {
  /** Of the figure. */
  title: string;
  /** What rows, columns and colour are, in a word or two each. */
  labels: { row: string; column: string; value: string };
  /** Values beyond ± this have the colour of the end. Default: the largest that occurs. */
  limit?: number;
  /** Default: none. */
  caption?: string;
  /** Default 640. */
  width?: number;
}

const LARGEST_CELL = 40, SMALLEST_ROW = 14, NUMBERS_FROM = 30;

/**
 * Rows and columns stand in the order in which `rows` names them. @throws where no value is finite
 *
 * @example
 * ```ts
 * const rows = [0, 1].flatMap((q) => [0, 1].map((k) => ({ row: `q${q}`, column: `k${k}`, value: q - k })));
 * const labels = { row: "query", column: "key", value: "score" };
 * console.log(grid(rows, { title: "A head's scores", labels }).tagName);
 * ```
 */
export function grid(rows: readonly GridRow[], options: GridOptions): PlotElement {
  const { title, labels, caption, width = figureWidth } = options;
  const { rows: kept, note } = drawable(
    rows,
    ["value"],
    "the grid",
    ({ row, column }) => `${row}, ${column}`,
  );
  const shown = kept.map(({ row, column, value }) => ({ row: visible(row), column: visible(column), value }));
  const across = distinct(rows.map(({ column }) => visible(column)));
  const down = distinct(rows.map(({ row }) => visible(row)));
  const limit = options.limit ?? (Math.max(...shown.map(({ value }) => Math.abs(value))) || 1);
  const below = shown.some(({ value }) => value < 0);
  const widest = (names: string[]) => Math.max(...names.map((name) => textWidth(name, fontSize.note)));
  const marginLeft = 10 + widest(down), marginTop = 12 + widest(across), marginRight = 8, marginBottom = 4;
  const cell = Math.min(LARGEST_CELL, (width - marginLeft - marginRight) / across.length);
  const height = Math.max(SMALLEST_ROW, Math.min(24, cell));
  const every = Math.ceil((fontSize.note + 2) / cell); // labels that would touch are left out
  const label = (text: (name: string) => string) => ({ text, fontSize: fontSize.note });
  return compose({
    title,
    panels: [{
      subtitle: `Rows: ${labels.row}. Columns: ${labels.column}.`,
      plot: plot({
        width: marginLeft + marginRight + cell * across.length,
        height: marginTop + marginBottom + height * down.length,
        marginLeft,
        marginRight,
        marginTop,
        marginBottom,
        x: { type: "band", domain: across, padding: 0, round: false, axis: null },
        y: { type: "band", domain: down, padding: 0, round: false, axis: null },
        color: {
          type: below ? "diverging" : "linear",
          scheme: below ? "PuOr" : "Blues",
          reverse: below, // orange below 0, as in the heat map
          domain: below ? [-limit, limit] : [0, limit],
          clamp: true,
          legend: true,
          label: labels.value,
          marginLeft: 16,
          marginRight: 16,
          width: Math.min(340, width),
          ticks: 5,
        } as Plot.ScaleOptions,
        marks: [
          Plot.frame({ fill: ink.band, stroke: null }),
          Plot.cell(shown, { x: "column", y: "row", fill: "value", inset: 0.5 }),
          cell >= NUMBERS_FROM
            ? Plot.text(shown, {
              x: "column",
              y: "row",
              text: ({ value }) => formatNumber(value),
              fontSize: 9,
              fill: ({ value }) => Math.abs(value) > 0.6 * limit ? "#ffffff" : ink.text,
            })
            : null,
          Plot.text(down, {
            y: (name) => name,
            ...label((name) => name),
            frameAnchor: "left",
            textAnchor: "end",
            dx: -5,
          }),
          Plot.text(across.filter((_, i) => i % every === 0), {
            x: (name) => name,
            ...label((name) => name),
            frameAnchor: "top",
            textAnchor: "start",
            lineAnchor: "middle",
            rotate: -90,
            dy: -5,
          }),
        ],
      }),
    }],
    caption: [caption, note].filter(Boolean).join(" "),
    width,
  });
}
