// The kernel that `deno task kernel` installs: where, what stands in it, that it stays when npm's cache is
// cleared, and that an interrupt as a message, which it asks for, ends a loop and keeps the values.
import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { join } from "node:path";
import { Kernel } from "../../lib/jupyter/kernel.ts";
import { installKernel, isInCache, kernelsFolder, kernelSpec } from "../../lib/jupyter/spec.ts";

const env = (values: Record<string, string>) => (name: string) => values[name];

Deno.test("kernelsFolder() is Jupyter's own on each system, and JUPYTER_DATA_DIR's where that is set", () => {
  const home = { HOME: "/home/a" };
  assertEquals(kernelsFolder("linux", env(home)), "/home/a/.local/share/jupyter/kernels");
  assertEquals(kernelsFolder("linux", env({ ...home, XDG_DATA_HOME: "/data" })), "/data/jupyter/kernels");
  assertEquals(kernelsFolder("darwin", env(home)), "/home/a/Library/Jupyter/kernels");
  assertEquals(
    kernelsFolder("windows", env({ APPDATA: "/r", USERPROFILE: "/u" })),
    join("/r", "jupyter", "kernels"),
  );
  assertEquals(kernelsFolder("windows", env({ USERPROFILE: "/u" })), "/u/AppData/Roaming/jupyter/kernels");
  assertEquals(kernelsFolder("linux", env({ ...home, JUPYTER_DATA_DIR: "/j" })), "/j/kernels");
  assertThrows(() => kernelsFolder("linux", env({})), Error, "Set JUPYTER_DATA_DIR");
});

Deno.test("isInCache() knows npx's folder, with either slash", () => {
  assert(isInCache("/root/.npm/_npx/7a40be787520bede/node_modules/deno/deno"));
  assert(isInCache("C:\\Users\\a\\AppData\\Local\\npm-cache\\_npx\\7a\\node_modules\\deno\\deno.exe"));
  assert(!isInCache("/usr/local/lib/node_modules/deno/deno"));
});

Deno.test("kernelSpec() starts Deno, asks for messages as interrupts, and names DENO_DIR where it is not the usual", () => {
  const spec = kernelSpec("/a/deno");
  assertEquals(spec.argv, ["/a/deno", "jupyter", "--kernel", "--conn", "{connection_file}"]);
  assertEquals([spec.interrupt_mode, spec.env], ["message", {}]);
  assertEquals(kernelSpec("/a/deno", "/stick/cache").env, { DENO_DIR: "/stick/cache" });
});

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "cleanup-lens-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("installKernel() keeps a Deno that lies in npx's cache: it is there when the cache is cleared", () =>
  inFolder(async (folder) => {
    const cached = join(folder, "_npx", "1", "deno"), kernels = join(folder, "kernels");
    await Deno.mkdir(join(cached, ".."), { recursive: true });
    await Deno.writeTextFile(cached, "program");
    const { deno } = await installKernel(kernels, cached);
    await Deno.remove(join(folder, "_npx"), { recursive: true });
    assertEquals(await Deno.readTextFile(deno), "program");
    const spec = JSON.parse(await Deno.readTextFile(join(kernels, "deno", "kernel.json")));
    assertEquals(spec.argv[0], deno);

    // A newer one takes its place; the same one is left as it is, since it may be running.
    await Deno.mkdir(join(cached, ".."), { recursive: true });
    await Deno.writeTextFile(cached, "newer program");
    await installKernel(kernels, cached);
    assertEquals(await Deno.readTextFile(deno), "newer program");
    const { mtime } = await Deno.stat(deno);
    await installKernel(kernels, cached);
    assertEquals((await Deno.stat(deno)).mtime, mtime);
  }));

Deno.test("installKernel() names an installed Deno where it is, and says what to do where it cannot write", () =>
  inFolder(async (folder) => {
    const kernels = join(folder, "kernels");
    assertEquals((await installKernel(kernels, "/usr/local/bin/deno")).deno, "/usr/local/bin/deno");
    const cached = join(folder, "_npx", "deno");
    await Deno.mkdir(join(folder, "_npx"));
    await Deno.writeTextFile(cached, "program");
    await Deno.mkdir(join(kernels, "deno", "deno", "in the way"), { recursive: true });
    await assertRejects(() => installKernel(kernels, cached), Error, "Shut down all Deno kernels");
  }));

Deno.test("an interrupt as a message ends a loop, and the kernel keeps its values", () =>
  inFolder(async (folder) => {
    await using kernel = await Kernel.start({ cwd: folder, runtimeDir: folder });
    await kernel.execute("const kept = 42;");
    const loop = kernel.execute("while (true) {}");
    await new Promise((resolve) => setTimeout(resolve, 500));
    await kernel.interrupt();
    assertEquals((await loop).status, "error");
    const { outputs: [shown] } = await kernel.execute("console.log(kept)");
    assert(shown.output_type === "stream");
    assertEquals(shown.text, "42\n");
  }));
