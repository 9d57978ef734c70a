// grid(): cells, labels and colours of a table of values.
import { assert, assertEquals, assertThrows } from "@std/assert";
import { grid } from "../../lib/figures/grid.ts";
import { toSvg } from "../../lib/figures/svg.ts";
import { assertSound } from "./svg_checks.ts";

const labels = { row: "from", column: "to", value: "attention" };

/** A triangle, as attention has it. */
const triangle = (size: number, value = (row: number, column: number) => 1 / (1 + row - column)) =>
  Array.from({ length: size }, (_, row) =>
    Array.from({ length: row + 1 }, (_, column) => ({
      row: `${row}: a`,
      column: `${column}: a`,
      value: value(row, column),
    }))).flat();

Deno.test("grid() draws every value in its cell, rows and columns in the order in which they come", () => {
  const drawing = assertSound(toSvg(grid(triangle(3), { title: "t", labels, limit: 1 })));
  for (const word of ["0: a", "1: a", "2: a", "1.00", "0.50", "0.33"]) {
    assert(drawing.words.includes(word), word);
  }
  assertEquals(drawing.count("cell"), 6);
});

Deno.test("grid() is sound for one cell, for a context of 256, and for labels of every kind", () => {
  assertSound(toSvg(grid(triangle(1), { title: "t", labels })));
  assertSound(toSvg(grid(triangle(256), { title: "t", labels })));
  const odd = ["0:\n", "1:  ", "2:<|BOS|>", "3:\u{1F600}", "4:&<>"];
  const rows = odd.map((column, i) => ({ row: "resid_mid0", column, value: i }));
  assertSound(toSvg(grid(rows, { title: "t", labels })));
});

Deno.test("grid() diverges where a value is below 0, and begins white where none is", () => {
  const fillOf = (value: number) => {
    const rows = [{ row: "a", column: "b", value }, { row: "a", column: "c", value: 1 }];
    const drawing = assertSound(toSvg(grid(rows, { title: "t", labels, limit: 1 })));
    return drawing.marks("cell")[0].children[0].getAttribute("fill");
  };
  assertEquals(fillOf(0), "rgb(247, 251, 255)"); // where d3-scale-chromatic's Blues begin
  assertEquals(fillOf(-1), "rgb(127, 59, 8)"); // PuOr's orange end
});

Deno.test("grid() leaves empty what is no finite number, and refuses to draw nothing", () => {
  const rows = [{ row: "a", column: "b", value: NaN }, { row: "a", column: "c", value: 1 }];
  assert(assertSound(toSvg(grid(rows, { title: "t", labels }))).words.includes("1 of 2 rows"));
  assertThrows(() => grid([], { title: "t", labels }), Error, "Drawing the grid failed: got no rows");
  assertThrows(
    () => grid(rows.slice(0, 1), { title: "t", labels }),
    Error,
    "none of 1 rows has finite value",
  );
});
