// The whole way of gelu-4l at its own size, on few and short prompts; `deno task bench:full-size` takes all
// 300 × 1024 tokens.
import { assert, assertEquals, assertGreater, assertLess } from "@std/assert";

Deno.test("a checkpoint of gelu-4l's size goes through load, processing and Figures 1 to 5 within 1.5 GB beyond the weights", async () => {
  const temporary = Deno.makeTempDirSync();
  try {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--frozen",
        "--cached-only",
        "--no-prompt",
        "--allow-read",
        "--allow-ffi",
        `--allow-write=${temporary}`,
        `--allow-run=${Deno.execPath()}`,
        `${import.meta.dirname}/full_size.ts`,
        "--json",
        "--prompts=3",
        "--length=192",
        `--folder=${temporary}`,
      ],
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals(code, 0, new TextDecoder().decode(stderr));
    const report = JSON.parse(new TextDecoder().decode(stdout));
    // Figure 1: 9 locations × 8 heads. Figure 2: 37 nodes and the sum. Figure 3: 9 locations, 8 heads and the
    // sum, each in two runs. Figure 4: two heads on each of four prompts. Figure 5: a row for each token.
    assertEquals(report.rows, 72 + 38 + 18 + 18 + 8 + 3 * 192);
    // gelu-4l's number of parameters, less the weights and biases of its 9 LayerNorms, which are folded.
    assertEquals(report["parameters after processing"], 62_555_136 - 9 * 2 * 512);
    assertGreater(report["peak beyond the weights, GB"], 0);
    assertLess(report["peak beyond the weights, GB"], 1.5);
    assert([...Deno.readDirSync(temporary)].length === 0, "the checkpoint was left behind");
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
});
