/**
 * A graphics card's work without a card: SwiftShader, a driver that computes on the processor, as Debian's
 * `chromium` brings it. Where its files are missing this says so in one line.
 */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";

const DRIVER = "/usr/lib/chromium/vk_swiftshader_icd.json", LOADER = "/usr/lib/chromium/libvulkan.so.1";

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

const hasDriver = Deno.build.os === "linux" && isThere(DRIVER) && isThere(LOADER);
if (!hasDriver) console.log("webgpu: not tested, since Debian's chromium with SwiftShader is not there");

/** Runs the process with a driver, or with none at all. */
async function onDevice(
  driver: string,
  args: string[],
): Promise<{ code: number; out: string; err: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--frozen",
      "--no-prompt",
      "--v8-flags=--expose-gc",
      "--allow-read",
      "--allow-env",
      "--allow-sys",
      "--allow-ffi",
      new URL("webgpu_process.ts", import.meta.url).pathname,
      ...args,
    ],
    env: { VK_ICD_FILENAMES: driver, VK_DRIVER_FILES: driver, NO_COLOR: "1" },
    stdout: "piped",
    stderr: "piped",
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: text(stdout), err: text(stderr) };
}

Deno.test({
  name: "webgpu: operations, Figures 1 to 3, retention, attribution and scan, on the card alone, within 1e-3",
  ignore: !hasDriver,
  async fn() {
    const { code, out, err } = await onDevice(DRIVER, [LOADER]);
    assertEquals(code, 0, err);
    const { refused, collected, ...differences } = JSON.parse(out.trim().split("\n").at(-1)!);
    // The runtime's own list of what runs where: a graph of which one step is left to the processor is
    // refused.
    assertMatch(refused, /assigned to the default CPU EP/);
    assertEquals(collected, { sent: 3, disposed: 2 });
    assert(Object.keys(differences).length >= 29, `measured: ${Object.keys(differences)}`);
    for (const [what, difference] of Object.entries(differences)) {
      assert(typeof difference === "number" && difference < 1e-3, `${what}: ${difference}`);
    }
    // Of what scatters most, far less than that: numbers of the embedded model differ in the sixth digit.
    assert(differences["embedded model"] < 1e-4, differences["embedded model"]);
  },
});

Deno.test({
  name: "webgpu on a machine without a driver: one error, which says what was asked for and what to do",
  ignore: Deno.build.os !== "linux", // elsewhere a card cannot be hidden from a process
  async fn() {
    const { code, out, err } = await onDevice("/nowhere/driver.json", []);
    assertEquals(code, 1, out + err);
    const said = err.split("\n").filter((line) => line.startsWith("error: "));
    assertEquals(said.length, 1, err);
    for (
      const part of [`device "webgpu" was asked for and did not start`, "lists cpu", `Take device "cpu"`]
    ) {
      assertStringIncludes(said[0], part);
    }
  },
});
