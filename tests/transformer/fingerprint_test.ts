/** What tells models apart, and what their weights take, where these stay in their file. */
import { assert, assertEquals } from "@std/assert";
import { GgufFile } from "../../lib/checkpoints/gguf/gguf_file.ts";
import { weightBytes } from "../../lib/cli/scan_cost.ts";
import { weightDigests } from "../../lib/transformer/fingerprint.ts";
import { loadModel } from "../../lib/transformer/load.ts";
import { param } from "../../lib/tensor/tensor.ts";
import { Model } from "../../lib/transformer/model.ts";
import { NO_STEPS } from "../../lib/transformer/processing.ts";
import { Parameters } from "../../lib/transformer/weights.ts";
import { folderOf } from "./families/recorded.ts";

const QUANTISED = new URL("../checkpoints/data/gguf/llama-Q8_0.gguf", import.meta.url).pathname;
const inFile = (path: string, processing?: false) =>
  loadModel(path, { weights: "file", processing, onNote: () => {} });
/** Names of the weights that differ. */
async function differing(a: Model, b: Model): Promise<string[]> {
  const others = new Set(await weightDigests(b));
  return (await weightDigests(a)).filter((line) => !others.has(line)).map((line) => line.split(" ")[0]);
}

Deno.test("a quantised tensor of another value is another model", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const bytes = await Deno.readFile(QUANTISED), file = await GgufFile.open(QUANTISED);
    const { offset, quantisation } = file.tensors.get("blk.0.ffn_gate.weight")!;
    file.close();
    assert(quantisation);
    bytes[offset + 2] ^= 0x40; // the first number, after its block's scale
    await Deno.writeFile(`${folder}/other.gguf`, bytes);
    const model = await inFile(QUANTISED);
    assertEquals(await differing(model, await inFile(`${folder}/other.gguf`)), ["blocks.0.mlp.W_gate"]);
    assertEquals(await differing(model, await inFile(QUANTISED)), []);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("weights that were processed otherwise are others, read from the same places", async () => {
  const [folded, plain] = [await inFile(folderOf("gpt2")), await inFile(folderOf("gpt2"), false)];
  assert((await differing(folded, plain)).includes("blocks.0.attn.W_O")); // centred, nothing else
});

Deno.test("arrays within expressions take memory too, and one that several share takes it once", async () => {
  const { config } = await loadModel();
  const array = param("W", new Float32Array(6), [{ name: "d_model", size: 6 }]);
  const params = new Parameters(new Map([["a", array.mul(2)], ["b", array.add(1)]]));
  const model = new Model({ name: "made", config, weights: params, processing: NO_STEPS });
  assertEquals(weightBytes(model), 24);
});
