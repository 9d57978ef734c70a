// What each task really loads: packages that only danfojs-node brings are loaded by data frames in notebooks,
// and by nothing else.
import { assert, assertEquals } from "@std/assert";
import { broughtBy } from "./lock.ts";
import { packagesOf } from "./packages.ts";

const nameOf = (id: string) => id.replace(/(?<=.)@.*$/, "");

Deno.test("scan, census, attribution and verify load nothing that comes through danfojs-node alone", async () => {
  const tables = broughtBy("danfojs-node");
  for (
    const name of ["danfojs-node", "request", "form-data", "xlsx", "node-fetch", "mathjs"]
  ) {
    assert(tables.has(name), name);
  }
  // TensorFlow, 271 MB, is not fetched at all: package.json puts another package in tfjs-node's place
  assert(!tables.has("@tensorflow/tfjs") && !tables.has("@tensorflow/tfjs-core"));
  const found = await packagesOf(["scan", "census", "attribution", "verify", "a notebook with a data frame"]);
  for (const name of ["scan", "census", "attribution", "verify"]) {
    const names = found[name].map(nameOf);
    assertEquals(names.filter((each) => tables.has(each)), [], name);
    assert(names.includes("onnxruntime-node"), `${name}: ${names.join()}`);
  }
  // Texts are read without pictures' packages, and verify draws nothing at all.
  assertEquals(found.verify.map(nameOf).filter((each) => /plot|resvg|linkedom/.test(each)), []);
  // TensorFlow, which danfojs-node asks for, is left out altogether.
  for (const [name, packages] of Object.entries(found)) {
    assertEquals(packages.filter((each) => each.startsWith("@tensorflow/")), [], name);
  }
  const shown = found["a notebook with a data frame"].map(nameOf);
  for (const name of ["danfojs-node", "request", "xlsx"]) assert(shown.includes(name), name);
});
