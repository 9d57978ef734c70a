/** show() and table() outside a notebook: what is saved, and what a terminal sees. */
import * as Plot from "@observablehq/plot";
import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import { rowsAsJson, show } from "../../lib/figures/show.ts";
import { frame, table } from "../../lib/figures/table.ts";
import { plot } from "../../lib/figures/theme.ts";

const figure = () => plot({ width: 200, height: 100, marks: [Plot.dot([[1, 2]])] });

async function printed(run: () => Promise<unknown>): Promise<string> {
  const log = console.log, lines: string[] = [];
  console.log = (...values: unknown[]) => lines.push(values.join(" "));
  try {
    await run();
  } finally {
    console.log = log;
  }
  return lines.join("\n");
}

Deno.test("show() saves SVG, PNG and rows, whole, and prints the figure's title", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const rows = [{ node: "L0H2", median: 1 / 3 }, { node: "L0H3", median: -1234567.89 }];
    const text = await printed(() => show(figure(), { name: "fig9", rows, folder, alt: "one dot" }));
    assertEquals(text, "one dot");
    const names = [...Deno.readDirSync(folder)].map((entry) => entry.name).sort();
    assertEquals(names, ["fig9.json", "fig9.png", "fig9.svg"], "and no temporary file");
    assertStringIncludes(await Deno.readTextFile(`${folder}/fig9.svg`), `aria-label="one dot"`);
    const png = await Deno.readFile(`${folder}/fig9.png`);
    assertEquals([...png.slice(1, 4)], [80, 78, 71]);
    const json = await Deno.readTextFile(`${folder}/fig9.json`);
    assertEquals(json, `[\n{"node":"L0H2","median":0.333333},\n{"node":"L0H3","median":-1234570}\n]\n`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("show() refuses a name that is no file name, and a folder that is not there", async () => {
  await assertRejects(() => show(figure(), { name: "../fig1" }), Error, `got the name "../fig1"`);
  await assertRejects(
    () => show(figure(), { name: "fig1", folder: "/no/such/folder" }),
    Error,
    "/no/such/folder/fig1.svg",
  );
});

Deno.test("rowsAsJson() writes what is no list as it is, and no NaN", () => {
  assertEquals(rowsAsJson({ a: 1.23456789 }), `{\n "a": 1.23457\n}\n`);
  assertEquals(rowsAsJson([{ a: NaN }]), `[\n{"a":null}\n]\n`);
});

Deno.test("table() shows the columns asked for, rounded", async () => {
  const rows = [{ node: "L0H2", median: 0.12345, n: 300 }, { node: "<MLP0>", median: -2, n: 7 }];
  const text = await printed(() => table(rows, { columns: ["node", "median"], digits: 2 }));
  assertEquals(text, "node    median\nL0H2    0.12\n<MLP0>  -2");
  const data = await frame(rows, { columns: { node: "where", n: "positions" } });
  assertEquals(data.columns, ["where", "positions"]);
});

Deno.test("table() shows spaces that HTML would drop, and line breaks", async () => {
  const rows = [{ answer: " params" }, { answer: "params" }, { answer: "\n" }, { answer: "\n   " }, {
    answer: "a b",
  }];
  const text = await printed(() => table(rows));
  assertEquals(text.split("\n").map((line) => line.trim()), [
    "answer",
    "␣params",
    "params",
    "\\n",
    "\\n␣␣␣",
    "a b",
  ]);
});

Deno.test("table() leaves rows out beyond the limit and says so", async () => {
  const rows = Array.from({ length: 30 }, (_, i) => ({ i }));
  const text = await printed(() => table(rows, { limit: 5 }));
  assertEquals(text.split("\n").length, 1 + 5 + 1);
  assert(text.endsWith("and 25 more rows"), text);
});

Deno.test("frame() says what it cannot make a table of", async () => {
  await assertRejects(() => frame([]), Error, "got no rows");
  await assertRejects(
    () => frame(Promise.resolve([]) as unknown as []),
    Error,
    'put "await" before what makes it',
  );
  await assertRejects(() => frame(undefined as unknown as []), Error, "table: got undefined");
  await assertRejects(() => frame([{ a: 1 }], { columns: ["b"] }), Error, `no row has "b"; the fields are a`);
});

Deno.test("frame(): what a notebook asks of a DataFrame works without TensorFlow, and what needs it says so", async () => {
  const rows = [["L0H2", 1, 0.25], ["L0H3", 1, 0.5], ["L0H2", 3, 1]].map(([node, n, median]) => ({
    node,
    n,
    median,
  }));
  const data = await frame(rows);
  assertEquals(data.shape, [3, 3]);
  const sums = data.groupby(["node"]).col(["n"]).sum();
  assertEquals(sums.values, [["L0H2", 4], ["L0H3", 1]]);
  assertEquals(data.query(data.column("median").gt(0.3)).column("node").values, ["L0H3", "L0H2"]);
  assertEquals(data.sortValues("median", { ascending: false }).column("median").values, [1, 0.5, 0.25]);
  const described = data.describe();
  const mean = described.index.indexOf("mean");
  assertEquals(described.column("n").values[mean], 5 / 3);
  assertThrows(
    () => data.loc({ columns: ["n"] }).add(data.loc({ columns: ["n"] })),
    Error,
    "computes with TensorFlow",
  );
});
