import { assertEquals, assertThrows } from "@std/assert";
import { parseCleanup, readCleanup } from "../../lib/checkpoints/cleanup.ts";
import { dataPath } from "../../lib/checkpoints/data_folder.ts";
import { GELU_4L as config } from "../bench/gelu_4l_config.ts";

const valid = {
  writer: "L0H2",
  cleaners: ["MLP2", "L2H2", "L3H0"],
  patchedLayers: [2, 3],
  source: "measured",
};

Deno.test("parseCleanup() returns writer, cleaners in order of the forward pass, layers and source", () => {
  assertEquals(parseCleanup(valid, config), { ...valid, cleaners: ["L2H2", "MLP2", "L3H0"] });
});

Deno.test("readCleanup() gives the post's nodes for gelu-4l", async () => {
  const cleanup = await readCleanup(dataPath("models/gelu-4l/cleanup.json"), config);
  assertEquals(cleanup.writer, "L0H2");
  assertEquals(cleanup.cleaners, ["L2H2", "L2H3", "L2H4", "L2H5", "L2H6", "L2H7"]);
  assertEquals(cleanup.patchedLayers, [2]);
});

const refusals: [changes: Record<string, unknown>, message: string][] = [
  [{ writer: "H2L0" }, '"H2L0"; a node such as "L0H5"'],
  [{ writer: undefined }, '"writer"'],
  [{ writer: "L4H0" }, "L4H0 does not exist: the model has 4 layers of 8 heads"],
  [{ cleaners: ["L2H8"] }, "L2H8 does not exist"],
  [{ cleaners: [] }, "at least one"],
  [{ cleaners: "L2H2" }, "at least one"],
  [{ cleaners: ["L0H3"] }, "L0H3 does not come after the writer L0H2"],
  [{ cleaners: ["L2H2", "L2H2"] }, "twice"],
  [{ writer: "MLP2", patchedLayers: [3], cleaners: ["L2H2"] }, "does not come after"],
  [{ patchedLayers: [0] }, "layers 1 to 3 can be patched"],
  [{ patchedLayers: [4] }, "layers 1 to 3 can be patched"],
  [{ patchedLayers: [3, 2] }, "ascend"],
  [{ patchedLayers: [] }, "at least one layer"],
  [{ source: undefined }, '"source"'],
];
for (const [changes, message] of refusals) {
  Deno.test(`parseCleanup() refuses ${JSON.stringify(changes)}`, () => {
    assertThrows(() => parseCleanup({ ...valid, ...changes }, config, "cleanup.json"), Error, message);
  });
}
