// The reference: every public symbol is documented, and takes and returns nothing but public types.
import { assert } from "@std/assert";
import { join } from "node:path";

Deno.test("deno doc --lint lib/mod.ts is clean", async () => {
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", "lib/mod.ts"],
    cwd: join(import.meta.dirname!, ".."),
    env: { NO_COLOR: "1" },
    stdout: "null",
  }).output();
  assert(success, new TextDecoder().decode(stderr));
});
