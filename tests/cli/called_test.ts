import { assertEquals } from "@std/assert";
import { called } from "../../lib/cli/called.ts";

Deno.test("called(): a task in a checkout, npx in npm's package, the registry's address over HTTP", () => {
  assertEquals(called("scan"), "deno task scan");
  assertEquals(
    called("scan", "file:///home/me/node_modules/cleanup-lens/lib/cli/called.js"),
    "npx cleanup-lens scan",
  );
  assertEquals(
    called("verify", "https://jsr.io/@cleanup-lens/cleanup-lens/0.1.0/lib/cli/called.ts"),
    "deno run -A jsr:@cleanup-lens/cleanup-lens/verify",
  );
});
