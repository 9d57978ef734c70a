// A run in an empty home folder leaves nothing there: ONNX Runtime's reports to Microsoft are off. The
// child's environment names no CI, in which the runtime reports nothing anyway.
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What a run of one multiplication writes into its home folder. */
async function written(variables: Record<string, string>): Promise<string[]> {
  const home = await Deno.makeTempDir();
  try {
    const code = `import { NdArray } from ${JSON.stringify(`${ROOT}lib/tensor/nd_array.ts`)};
      import { run } from ${JSON.stringify(`${ROOT}lib/tensor/run.ts`)};
      import { input } from ${JSON.stringify(`${ROOT}lib/tensor/tensor.ts`)};
      const x = input("x", [{ name: "batch", size: "batch" }], { dtype: "float32" });
      console.log((await run({ y: x.mul(2) }, { x: new NdArray(Float32Array.of(21), ["batch"], [1]) })).y.data[0]);`;
    const cached = await new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).output();
    const { denoDir } = JSON.parse(new TextDecoder().decode(cached.stdout));
    const file = join(home, "script.ts");
    await Deno.writeTextFile(file, code);
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-q", "--no-prompt", "--no-check", "--allow-all", `--config=${ROOT}deno.json`, file],
      env: { HOME: home, DENO_DIR: denoDir, PATH: Deno.env.get("PATH") ?? "", ...variables },
      clearEnv: true,
    }).output();
    const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assertEquals(success && decode(stdout).trim(), "42", decode(stderr));
    const names = (await Array.fromAsync(Deno.readDir(home))).map(({ name }) => name);
    return names.filter((name) => name !== "script.ts");
  } finally {
    await Deno.remove(home, { recursive: true });
  }
}

Deno.test({
  name:
    "a run writes nothing into the home folder: the runtime's reports are off, unless somebody turns them on",
  ignore: Deno.build.os !== "linux", // where else the runtime would write is not known here
  async fn() {
    assertEquals(await written({}), []);
    assertEquals(await written({ ORT_DISABLE_TELEMETRY: "0" }), [".cache"], "the test would see it");
  },
});
