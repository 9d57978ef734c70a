import { assertEquals, assertRejects } from "@std/assert";
import { display, inNotebook } from "../../lib/jupyter/display.ts";
import { Kernel } from "../../lib/jupyter/kernel.ts";
import type { Fields } from "../../lib/jupyter/messages.ts";

const MODULE = new URL("../../lib/jupyter/display.ts", import.meta.url).href;

Deno.test("display() in a kernel shows the whole bundle, and replaces it by id", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await using kernel = await Kernel.start({ cwd: dir, runtimeDir: dir, env: { NO_COLOR: "1" } });
    const first = await kernel.execute(`import { display, inNotebook } from "${MODULE}"; inNotebook()`);
    assertEquals((first.outputs as Fields[])[0].data["text/plain"], "true");

    const bundle = { "text/plain": "a dot", "image/svg+xml": "<svg/>", "image/png": "iVBORw0KGgo=" };
    const { outputs } = await kernel.execute(`await display(${JSON.stringify(bundle)})`);
    assertEquals(outputs, [{ output_type: "display_data", data: bundle, metadata: {} }]);

    const metadata = { "image/png": { alt: "one dot" } };
    const told = await kernel.execute(
      `await display(${JSON.stringify(bundle)}, ${JSON.stringify({ metadata })})`,
    );
    assertEquals(told.outputs, [{ output_type: "display_data", data: bundle, metadata }]);

    const { outputs: replaced } = await kernel.execute(`
      await display({ "text/plain": "0 %" }, { id: "bar" });
      await display({ "text/plain": "50 %" }, { id: "bar", update: true });
      console.log("between");
      await display({ "text/plain": "100 %" }, { id: "bar", update: true });`);
    assertEquals((replaced as Fields[]).map((output) => output.data?.["text/plain"] ?? output.text), [
      "100 %",
      "between\n",
    ]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("display() refuses what the kernel would lose", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await using kernel = await Kernel.start({ cwd: dir, runtimeDir: dir, env: { NO_COLOR: "1" } });
    const show = (size: number) =>
      `import { display } from "${MODULE}"; await display({ "text/plain": "x".repeat(${size}) });`;
    const { outputs: [kept] } = await kernel.execute(show(7e6));
    assertEquals((kept as Fields).data["text/plain"].length, 7e6);
    const { outputs: [refused] } = await kernel.execute(show(9e6));
    assertEquals(
      (refused as Fields).evalue,
      "display(): got 9.0 MB in one output; the kernel loses what is larger than 8 MB. " +
        "Show less at once, or write it to a file.",
    );
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("display() outside a kernel prints text/plain, or nothing", async () => {
  assertEquals(inNotebook(), false);
  const printed: unknown[] = [];
  const log = console.log;
  console.log = (...args) => void printed.push(...args);
  try {
    await display({ "text/plain": "a dot", "image/png": "…" });
    await display({ "image/png": "…" });
  } finally {
    console.log = log;
  }
  assertEquals(printed, ["a dot"]);
});

Deno.test("display() refuses an update without an id", async () => {
  await assertRejects(() => display({ "text/plain": "x" }, { update: true }), Error, "needs the id");
});
