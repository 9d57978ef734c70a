// The reference: every public symbol is documented, takes and returns nothing but public types, and what can
// be called has an example, which `deno task test` runs with all others in doc comments.
import { assert, assertEquals, assertGreater } from "@std/assert";
import { join } from "node:path";

async function deno(...args: string[]) {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: join(import.meta.dirname!, ".."),
    env: { NO_COLOR: "1" },
  }).output();
  const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  return { success, out, err };
}

Deno.test("deno doc --lint lib/mod.ts is clean", async () => {
  const { success, err } = await deno("doc", "--lint", "lib/mod.ts");
  assert(success, err);
});

interface Declaration {
  kind: string;
  jsDoc?: { tags?: { kind: string; doc?: string }[] };
}

/** Whether it can be called and no example of it runs. */
const lacksExample = ({ kind, jsDoc }: Declaration) =>
  (kind === "function" || kind === "class") &&
  !jsDoc?.tags?.some((tag) => tag.kind === "example" && /^```ts\n/m.test(tag.doc ?? ""));

Deno.test("lacksExample() asks functions and classes for an example, and does not take one that is not run", () => {
  const tags = (doc: string) => ({ tags: [{ kind: "example", doc }] });
  assert(lacksExample({ kind: "function" }));
  assert(lacksExample({ kind: "class", jsDoc: { tags: [{ kind: "throws" }] } }));
  assert(lacksExample({ kind: "function", jsDoc: tags("```ts ignore\nf();\n```") }));
  assert(!lacksExample({ kind: "function", jsDoc: tags("```ts\nf();\n```") }));
  assert(!lacksExample({ kind: "interface" }));
});

Deno.test("every public function and class has an example that runs", async () => {
  const { success, out, err } = await deno("doc", "--json", "lib/mod.ts");
  assert(success, err);
  const { nodes } = JSON.parse(out) as {
    nodes: Record<string, { symbols: { name: string; declarations: Declaration[] }[] }>;
  };
  const symbols = Object.values(nodes).flatMap((module) => module.symbols);
  const called = symbols.filter(({ declarations }) =>
    declarations.some(({ kind }) => kind === "function" || kind === "class")
  );
  assertGreater(called.length, 100);
  const without = called.filter(({ declarations }) => declarations.every(lacksExample));
  assertEquals(without.map(({ name }) => name), []);
});
