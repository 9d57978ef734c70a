// Patches of MLP cleaners against patches of the residual stream that they read, and what each variant leaves of the writer.
import { assert, assertAlmostEquals } from "@std/assert";
import { inputPatch } from "../../lib/metrics/input_patch.ts";
import { run } from "../../lib/tensor/run.ts";
import { feed } from "../../lib/transformer/model.ts";
import { randomPrompts, relativeError, small } from "../transformer/models.ts";

for (const normalization of ["LN", "RMS"]) {
  Deno.test(`inputPatch() of an MLP, ${normalization}: as if the writer were taken out of the stream before ln2`, async () => {
    const { model } = small(21, { normalization });
    const clean = model.forward();
    const writer = clean.node("L0H1");
    const scale = "blocks.1.ln2.hook_scale";
    const without = { "blocks.1.hook_resid_mid": (x: typeof writer) => x.sub(writer) };
    const out = (hooks: Parameters<typeof model.forward>[0]) =>
      model.forward(hooks).hook("blocks.1.hook_mlp_out");
    const values = await run({
      frozen: out({ hooks: inputPatch(clean, ["MLP1"], writer, "frozen") }),
      frozenStream: out({ hooks: { ...without, [scale]: () => clean.hook(scale) } }),
      unfrozen: out({ hooks: inputPatch(clean, ["MLP1"], writer, "unfrozen") }),
      unfrozenStream: out({ hooks: without }),
      clean: clean.hook("blocks.1.hook_mlp_out"),
    }, feed(randomPrompts(model, 22, 3, 9)));
    assert(relativeError(values.frozen.data, values.frozenStream.data) < 1e-5);
    assert(relativeError(values.unfrozen.data, values.unfrozenStream.data) < 1e-5);
    assert(relativeError(values.frozen.data, values.clean.data) > 1e-2, "the patch changes something");
  });
}

Deno.test("inputPatch() leaves Q, K and other layers; the direction variant leaves nothing along the writer", async () => {
  const { model } = small(23);
  const clean = model.forward();
  const writer = clean.node("L0H1"), random = clean.node("MLP0");
  const run1 = (variant: "direction" | "control" | "frozen") =>
    model.forward({ hooks: inputPatch(clean, ["L1H0"], writer, variant, random) });
  const [direction, control] = [run1("direction"), run1("control")];
  const read = direction.hook("blocks.1.hook_v_input").select("head", 0);
  const taken = clean.hook("blocks.1.hook_resid_pre").sub(
    control.hook("blocks.1.hook_v_input").select("head", 0),
  );
  const values = await run({
    along: read.dot(writer, "d_model").div(writer.sumSquares("d_model")),
    length: taken.sumSquares("d_model").div(writer.sumSquares("d_model")),
    q: direction.hook("blocks.1.attn.hook_q"),
    cleanQ: clean.hook("blocks.1.attn.hook_q"),
    before: direction.hook("blocks.0.hook_resid_post"),
    cleanBefore: clean.hook("blocks.0.hook_resid_post"),
  }, feed(randomPrompts(model, 24, 3, 9)));
  values.along.data.forEach((x) => assertAlmostEquals(x, 0, 1e-4));
  values.length.data.forEach((x) => assertAlmostEquals(x, 1, 1e-4));
  assert(relativeError(values.q.data, values.cleanQ.data) < 1e-6);
  assert(relativeError(values.before.data, values.cleanBefore.data) < 1e-6);
});
