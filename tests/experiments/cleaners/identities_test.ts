// Parts add up to the response that retention() measures, in every family; singular directions are those
// of W_OV.
import { assert, assertAlmostEquals, assertEquals } from "@std/assert";
import { cleanersInDetail } from "../../../lib/experiments/cleaners/cleaners.ts";
import { retention } from "../../../lib/experiments/retention/retention.ts";
import { singularDirections } from "../../../lib/metrics/singular_directions.ts";
import { laterNodes } from "../../../lib/metrics/later_nodes.ts";
import { Random } from "../../../lib/stats/random.ts";
import { loadModel, promptsFor } from "../../../lib/transformer/load.ts";
import { randomPrompts } from "../../transformer/models.ts";

Deno.test("of the embedded model: a cleaner's parts add up to its response, and so do its positions", async () => {
  const model = await loadModel(), prompts = await promptsFor(model, { count: 4, length: 40 });
  const options = { writer: "L1H5", rotations: 2 };
  const { responses } = await retention(model, prompts, options);
  const { cleaners, lens } = await cleanersInDetail(model, prompts, {
    ...options,
    cleaners: ["L2H4", "L3H1", "MLP2", "MLP3"],
  });
  for (const { node, response, control } of cleaners) {
    const ratio = (run: string) => responses.find((row) => row.node === node && row.run === run)!.ratio;
    assertAlmostEquals(response.value, ratio("writer"), 1e-5, node);
    assertAlmostEquals(control.value, ratio("control"), 1e-5, node); // both draws write as long a vector
  }
  const [first] = lens;
  for (const { value } of [first.stream, first.logits, first.size]) assertAlmostEquals(value, 1, 1e-5);
});

Deno.test("of other families, gated, grouped-query and with norms after the branches: the same", async () => {
  const families = new URL("../../reference/families/", import.meta.url).pathname;
  for (const name of ["smollm", "gemma2", "olmo2", "pythia"]) {
    const model = await loadModel(families + name, { onNote: () => {} });
    const prompts = randomPrompts(model, 3, 3, Math.min(10, model.config.n_ctx));
    const cleaners = laterNodes(model.config, "L0H0").slice(-3).map(({ name }) => name);
    const options = { writer: "L0H0", rotations: 2 };
    const { responses } = await retention(model, prompts, options);
    const found = await cleanersInDetail(model, prompts, { ...options, cleaners, most: 2 });
    for (const { node, response } of found.cleaners) {
      const { ratio } = responses.find((row) => row.node === node && row.run === "writer")!;
      assertAlmostEquals(response.value, ratio, 1e-4 * Math.max(1, Math.abs(ratio)), `${name} ${node}`);
    }
    assertEquals(
      found.neurons.every(({ gateOut }) => (gateOut !== undefined) === (model.config.gated_mlp === true)),
      true,
    );
  }
});

Deno.test("singularDirections(): σ u vᵀ add up to W_V W_O, with orthonormal v, also where W_O has no full rank", () => {
  const random = new Random(4), n = 3, d = 7;
  const draw = () => Float64Array.from({ length: n * d }, () => random.normal());
  const V = draw(), O = draw(); // W_V as [d, n], W_O as [n, d]
  for (const rank of [3, 2]) {
    if (rank === 2) { for (let m = 0; m < d; m++) O[2 * d + m] = O[m] - 2 * O[d + m]; }
    const sum = (of: (m: number) => number) =>
      Array.from({ length: d }, (_, m) => of(m)).reduce((a, b) => a + b);
    const table = (of: (i: number, j: number, m: number) => number) =>
      Float64Array.from({ length: n * n }, (_, at) => sum((m) => of(Math.floor(at / n), at % n, m)));
    const { values, cosines, S, T } = singularDirections(
      table((i, j, m) => O[i * d + m] * O[j * d + m]),
      table((i, j, m) => V[m * n + i] * V[m * n + j]),
      table((i, j, m) => O[i * d + m] * V[m * n + j]),
      n,
    );
    const along = (matrix: ArrayLike<number>, k: number, of: (i: number) => number) =>
      [0, 1, 2].reduce((total, i) => total + matrix[i * n + k] * of(i), 0);
    const v = (k: number, m: number) => along(S, k, (i) => O[i * d + m]);
    const u = (k: number, m: number) => along(T, k, (i) => V[m * n + i]) / values[k];
    for (let a = 0; a < d; a++) {
      for (let b = 0; b < d; b++) {
        const product = [0, 1, 2].reduce((total, i) => total + V[a * n + i] * O[i * d + b], 0);
        const sigmas = Array.from({ length: rank }, (_, k) => values[k] * u(k, a) * v(k, b)).reduce((x, y) =>
          x + y
        );
        assertAlmostEquals(sigmas, product, 1e-5);
      }
    }
    for (let k = 0; k < rank; k++) {
      assertAlmostEquals(sum((m) => v(k, m) ** 2), 1, 1e-5);
      assertAlmostEquals(sum((m) => u(k, m) * v(k, m)), cosines[k], 1e-5);
    }
    assertAlmostEquals(sum((m) => v(0, m) * v(1, m)), 0, 1e-5);
    assert(values[0] > values[1] && values[1] > values[2] - 1e-9);
    if (rank === 2) assertAlmostEquals(values[2], 0, 1e-4);
  }
});
