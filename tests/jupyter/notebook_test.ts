import { assert, assertEquals, assertRejects, assertStringIncludes, assertThrows } from "@std/assert";
import type { Fields } from "../../lib/jupyter/messages.ts";
import {
  type CodeCell,
  parseNotebook,
  readNotebook,
  serializeNotebook,
  writeNotebook,
  writeTextFileAtomic,
} from "../../lib/jupyter/notebook.ts";

const code = (fields: Fields = {}): Fields => ({
  cell_type: "code",
  id: "a1",
  metadata: {},
  source: ["const x = 1;\n", "x"],
  execution_count: null,
  outputs: [],
  ...fields,
});
const file = (cells: Fields[], fields: Fields = {}) =>
  JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells, ...fields });

/**
 * What Jupyter itself writes for this notebook (checked with its library nbformat 5.5.0: sorted keys, indent
 * 1, lines).
 */
const AS_JUPYTER_WRITES = `{
 "cells": [
  {
   "cell_type": "markdown",
   "id": "m",
   "metadata": {},
   "source": [
    "# Title\\n",
    "\\n",
    "Text"
   ]
  },
  {
   "cell_type": "code",
   "execution_count": 1,
   "id": "c",
   "metadata": {},
   "outputs": [
    {
     "name": "stdout",
     "output_type": "stream",
     "text": [
      "a\\n",
      "b\\n"
     ]
    },
    {
     "data": {
      "application/json": {
       "a": "1\\n2",
       "b": 2
      },
      "image/png": "iVBORw0KGgo=",
      "image/svg+xml": [
       "<svg>\\n",
       "</svg>"
      ],
      "text/plain": [
       "x"
      ]
     },
     "metadata": {},
     "output_type": "display_data"
    }
   ],
   "source": [
    "x"
   ]
  }
 ],
 "metadata": {},
 "nbformat": 4,
 "nbformat_minor": 5
}
`;

Deno.test("serializeNotebook() writes what Jupyter writes, whatever the order of the keys was", () => {
  assertEquals(serializeNotebook(parseNotebook(AS_JUPYTER_WRITES, "n")), AS_JUPYTER_WRITES);
  const { cells, ...rest } = JSON.parse(AS_JUPYTER_WRITES);
  const reversed = JSON.stringify({
    ...rest,
    cells: cells.map((cell: Fields) => Object.fromEntries(Object.entries(cell).reverse())),
  });
  assertEquals(serializeNotebook(parseNotebook(reversed, "n")), AS_JUPYTER_WRITES);
});

Deno.test("parseNotebook() joins sources and text outputs to strings", () => {
  const notebook = parseNotebook(AS_JUPYTER_WRITES, "n");
  assertEquals(notebook.cells[0].source, "# Title\n\nText");
  const [stream, shown] = (notebook.cells[1] as CodeCell).outputs as Fields[];
  assertEquals(stream.text, "a\nb\n");
  assertEquals(shown.data["image/svg+xml"], "<svg>\n</svg>");
  assertEquals(shown.data["application/json"], { a: "1\n2", b: 2 });
});

Deno.test("parseNotebook() keeps fields that it does not know", () => {
  const text = file([code({ metadata: { tags: ["hide-input"] } })], { metadata: { title: "T" } });
  const written = JSON.parse(serializeNotebook(parseNotebook(text, "n")));
  assertEquals(written.metadata, { title: "T" });
  assertEquals(written.cells[0].metadata, { tags: ["hide-input"] });
});

for (
  const [what, text, message] of [
    ["a truncated file", file([code()]).slice(0, 50), "expected JSON, got 50 characters"],
    ["another format", file([], { nbformat: 3 }), "nbformat_minor: expected 4.5 or a later 4.x, got [3,5]"],
    ["a format that is no number", file([], { nbformat_minor: [{}] }), "or a later 4.x, got [4,[{}]]"],
    ["no cells", file([], { cells: undefined }), "cells: expected an array, got nothing"],
    [
      "an unknown cell type",
      file([code({ cell_type: "heading" })]),
      "cell 1, cell_type: expected markdown, raw or",
    ],
    ["a missing id", file([code({ id: undefined })]), "cell 1, id: expected 1 to 64 letters"],
    ["a repeated id", file([code(), code()]), "cell 2, id: expected an id that no other cell has"],
    [
      "a numeric source",
      file([code({ source: 3 })]),
      "cell 1, source: expected a string or an array of strings, got 3",
    ],
    [
      "a bad count",
      file([code({ execution_count: "1" })]),
      "cell 1, execution_count: expected an integer or null",
    ],
    [
      "missing outputs",
      file([code({ outputs: undefined })]),
      "cell 1, outputs: expected an array, got nothing",
    ],
    [
      "an unknown output",
      file([code({ outputs: [{ output_type: "x" }] })]),
      "cell 1, output 1: expected stream",
    ],
    [
      "a stream without text",
      file([code({ outputs: [{ output_type: "stream", name: "stdout" }] })]),
      "output 1: expected a stream",
    ],
  ] as const
) {
  Deno.test(`parseNotebook() refuses ${what} and names the place`, () => {
    const error = assertThrows(() => parseNotebook(text, "notebooks/x.ipynb"), Error, message);
    assertStringIncludes(error.message, "notebooks/x.ipynb");
  });
}

Deno.test("writeNotebook() then readNotebook() gives the same notebook, and leaves no other file", async () => {
  const dir = await Deno.makeTempDir();
  try {
    const notebook = parseNotebook(AS_JUPYTER_WRITES, "n");
    await writeNotebook(`${dir}/n.ipynb`, notebook);
    assertEquals(await readNotebook(`${dir}/n.ipynb`), notebook);
    assertEquals(await Deno.readTextFile(`${dir}/n.ipynb`), AS_JUPYTER_WRITES);
    assertEquals([...Deno.readDirSync(dir)].length, 1);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("writeTextFileAtomic() that fails keeps the old file and cleans up", async () => {
  const dir = await Deno.makeTempDir();
  try {
    // a folder in the target's place makes the last step, the rename, fail
    await Deno.mkdir(`${dir}/target`);
    await Deno.writeTextFile(`${dir}/target/old`, "old");
    await assertRejects(
      () => writeTextFileAtomic(`${dir}/target`, "new"),
      Error,
      `Writing ${dir}/target (3 char`,
    );
    assertEquals([...Deno.readDirSync(dir)].map(({ name }) => name), ["target"]);
    assertEquals(await Deno.readTextFile(`${dir}/target/old`), "old");
    // and a missing folder makes the first step fail
    await assertRejects(() => writeTextFileAtomic(`${dir}/nowhere/file`, "new"), Error, "as it was before");
    assert(!await Deno.stat(`${dir}/nowhere`).then(() => true, () => false));
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
