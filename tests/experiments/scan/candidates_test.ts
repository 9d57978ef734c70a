// Which nodes are examined, and the reason of each that is not.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { candidates, UNEXAMINED } from "../../../lib/experiments/scan/candidates.ts";
import type { LayerContraction, ScreenedNode } from "../../../lib/experiments/scan/screen.ts";
import { DEFAULT_SETTINGS } from "../../../lib/experiments/scan/settings.ts";

function node(name: string, left: number, changes: Partial<ScreenedNode> = {}): ScreenedNode {
  const control = 0.6, layer = Number(name[1]);
  return {
    name,
    kind: "head",
    layer,
    share: 0.1,
    left,
    low: left - 0.1,
    high: left + 0.1,
    control,
    specific: control - left,
    ...changes,
  };
}

const layer = (n: number, changes: Partial<LayerContraction> = {}): LayerContraction => ({
  layer: n,
  kind: "head",
  left: 0.6,
  low: 0.5,
  high: 0.7,
  ...changes,
});

Deno.test("candidates(): ranked by what is erased of the stream, each passed over with its reason", () => {
  const nodes = [
    node("L0H0", 0.1),
    node("L0H1", 0.4, { share: 0.5 }),
    node("L0H2", 0.58),
    node("L0H3", 0.9),
    node("L0H4", 0.1, { share: 0.001 }),
    node("L0H5", -2, { low: -8, high: 7 }),
    node("L0H6", NaN, { low: NaN, high: NaN, specific: NaN, share: 0 }),
    node("L1H0", 0.1, { share: 0.9 }),
  ];
  const wide = layer(1, { left: 10.25, low: -8, high: 30 });
  const all = candidates(nodes, [layer(0), wide], DEFAULT_SETTINGS);
  assertEquals(all.filter((c) => !c.passedOver).map((c) => c.name), ["L0H1", "L0H0"]);
  const reason = (name: string) => all.find((c) => c.name === name)!.passedOver!;
  assertStringIncludes(
    reason("L0H2"),
    "not 0.075 more of it is missing than of the layer's control: 0.58 and 0.60",
  );
  assertStringIncludes(reason("L0H3"), "protected: 0.90 of it is left, of the layer's control 0.60");
  assertStringIncludes(reason("L0H4"), "0.0010 of the stream's length, less than 0.002");
  assertStringIncludes(reason("L0H5"), "larger than its output: retention from -8.0 to 7.0");
  assertEquals(reason("L0H6"), "it writes nothing");
  assertStringIncludes(reason("L1H0"), "its layer's control says nothing");
  assertEquals(all.length, nodes.length);
});

Deno.test("candidates(): what is left out for its rank alone says so", () => {
  const nodes = Array.from({ length: 5 }, (_, i) => node(`L0H${i}`, 0.1 * i));
  const all = candidates(nodes, [layer(0)], { ...DEFAULT_SETTINGS, examine: 3 });
  assertEquals(all.filter((c) => !c.passedOver).map((c) => c.name), ["L0H0", "L0H1", "L0H2"]);
  assert(all.slice(3).every((c) => c.passedOver!.startsWith(UNEXAMINED)));
});
