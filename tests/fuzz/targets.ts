/**
 * What is fuzzed: for each kind of input some small good ones, how they are damaged, and what is done with
 * the result. A target returns when the input was accepted and everything in it was read; it throws the
 * reader's error, or a WrongAnswer.
 */
import { parseAdversarial } from "../../lib/checkpoints/adversarial.ts";
import { checkpointOf } from "../../lib/checkpoints/checkpoint.ts";
import { parseCleanup } from "../../lib/checkpoints/cleanup.ts";
import { parseModelConfig } from "../../lib/checkpoints/config.ts";
import { elementCount } from "../../lib/checkpoints/dtypes.ts";
import { openGguf } from "../../lib/checkpoints/gguf/gguf_model.ts";
import { HubClient } from "../../lib/checkpoints/hub/client.ts";
import { readJsonObject } from "../../lib/checkpoints/json_file.ts";
import { documents } from "../../lib/checkpoints/prompts/documents.ts";
import { parsePromptSource } from "../../lib/checkpoints/prompts/prompt_source.ts";
import { SafetensorsFile, type TensorFile } from "../../lib/checkpoints/safetensors.ts";
import { encodeSafetensors } from "../../lib/checkpoints/safetensors_write.ts";
import { openSharded } from "../../lib/checkpoints/sharded.ts";
import { tokenizerOf } from "../../lib/checkpoints/tokenizer/tokenizer.ts";
import { TorchFile } from "../../lib/checkpoints/torch/torch_file.ts";
import { parseNotebook, serializeNotebook } from "../../lib/jupyter/notebook.ts";
import { layoutOf } from "../../lib/transformer/families/families.ts";
import { memorySource } from "../checkpoints/memory_source.ts";
import { smallConfigJson, smallModel } from "../checkpoints/small_model.ts";
import { encodeTorch, stateDictPickle } from "../checkpoints/write_torch.ts";
import { randomInt } from "../reference/random.ts";
import {
  ADVERSARIAL,
  CLEANUP,
  configs,
  entries,
  gguf,
  HUB,
  LINES,
  NOTEBOOK,
  parquet,
  safetensors,
  tokenizers,
} from "./inputs.ts";
import { mutateBytes, mutateJson, mutateJsonText, type Random } from "./mutate.ts";
import { check } from "./verdict.ts";

export interface Target {
  /** A damaged input. The same random numbers give the same bytes. */
  make(random: Random): Uint8Array<ArrayBuffer>;
  /** Reads all of it. `folder` is the target's own, and the same for all cases. */
  read(bytes: Uint8Array<ArrayBuffer>, folder: string): Promise<void>;
}

const pick = <T>(random: Random, list: readonly T[]): T => list[randomInt(random, list.length)];
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

async function readAll(file: TensorFile): Promise<void> {
  try {
    for (const [name, { dims, dtype }] of file.tensors) {
      const tensor = await file.read(name);
      check(String(tensor.dims) === String(dims) && tensor.dtype === dtype, `${name}: dims or type changed`);
      check(
        tensor.data.length === elementCount(dims),
        `${name}: ${tensor.data.length} elements for [${dims}]`,
      );
    }
    const checkpoint = checkpointOf(file);
    for (const name of checkpoint.names()) {
      if (!/^(F|BF)/.test(checkpoint.dtype(name))) continue;
      const values = await checkpoint.read(name);
      check(values.every(Number.isFinite), `${name}: a weight that is not finite was taken`);
    }
  } finally {
    file.close();
  }
}

/** A safetensors file whose header is this text. */
function withHeader(header: Uint8Array, data: Uint8Array): Uint8Array<ArrayBuffer> {
  const file = new Uint8Array(8 + header.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(header.length), true);
  file.set(header, 8);
  file.set(data, 8 + header.length);
  return file;
}

export const TARGETS: Readonly<Record<string, Target>> = {
  safetensors: {
    make(random) {
      const file = safetensors();
      if (random() < 0.5) return mutateBytes(file, random);
      const length = Number(new DataView(file.buffer).getBigUint64(0, true));
      const header = JSON.parse(text(file.subarray(8, 8 + length)));
      return withHeader(mutateJsonText(header, random), file.subarray(8 + length));
    },
    read: async (bytes) => await readAll(await SafetensorsFile.from(memorySource(bytes))),
  },
  torch: {
    make(random) {
      if (random() < 0.5) return mutateBytes(encodeTorch(entries()), random);
      // with the right checksum
      return encodeTorch(entries(), mutateBytes(stateDictPickle(entries()), random));
    },
    read: async (bytes) => await readAll(await TorchFile.from(memorySource(bytes))),
  },
  gguf: {
    make: (random) => {
      const file = pick(random, gguf());
      const header = 3000; // where names, types and sizes stand
      const head = mutateBytes(file.subarray(0, header), random);
      const all = new Uint8Array(head.length + file.length - header);
      all.set(head);
      all.set(file.subarray(header), head.length);
      return all;
    },
    async read(bytes, folder) {
      Deno.writeFileSync(`${folder}/a.gguf`, bytes);
      const model = await openGguf(`${folder}/a.gguf`);
      try {
        layoutOf(model.config, "a.gguf");
        if (model.tokenizer) {
          tokenizerOf(model.tokenizer.json, "a.gguf", { settings: model.tokenizer.settings });
        }
        await readAll(model.file);
      } finally {
        model.file.close();
      }
    },
  },
  config: {
    make: (random) => mutateJsonText(pick(random, configs()), random),
    async read(bytes, folder) {
      Deno.writeFileSync(`${folder}/config.json`, bytes);
      const json = await readJsonObject(`${folder}/config.json`);
      const { layout, family } = layoutOf(json, `${folder}/config.json`);
      const { config } = layout;
      for (const key of ["n_layers", "n_heads", "d_model", "d_head", "n_ctx", "d_vocab"] as const) {
        check(Number.isSafeInteger(config[key]) && config[key] > 0, `${key} is ${config[key]}`);
      }
      check(Number.isFinite(config.eps) && config.eps >= 0, `eps is ${config.eps}`);
      check(layout.sources([family.prefix].flat()[0] ?? "", () => true).size > 0, "no weights");
    },
  },
  tokenizer: {
    make: (random) => mutateJsonText(pick(random, tokenizers()), random),
    async read(bytes, folder) {
      Deno.writeFileSync(`${folder}/tokenizer.json`, bytes);
      const json = await readJsonObject(`${folder}/tokenizer.json`);
      const tokenizer = tokenizerOf(json, "tokenizer.json", {
        config: { bos_token_id: 1, model_type: "llama" },
      });
      for (const sample of ["step ① then  ½", "a<|endoftext|>b", "", " 日本 🙂\n"]) {
        const ids = tokenizer.encode(sample, { prependBos: tokenizer.bosId !== undefined });
        check(ids.every((id) => Number.isInteger(id) && id >= 0 && id < tokenizer.size), `ids ${ids}`);
        check(typeof tokenizer.decode(ids) === "string", "decoded to no text");
      }
    },
  },
  parquet: {
    make: (random) => mutateBytes(pick(random, parquet()), random),
    async read(bytes, folder) {
      Deno.writeFileSync(`${folder}/a.parquet`, bytes);
      let count = 0;
      for await (const document of documents(`${folder}/a.parquet`)) {
        const right = document === null || typeof document === "string" ||
          (Array.isArray(document) && document.every((id) => Number.isInteger(id) && id >= 0));
        check(right, `a document that is none: ${String(document)}`);
        if (++count > 100_000) return;
      }
    },
  },
  jsonl: {
    make: (random) => {
      const lines = LINES.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line));
      if (random() < 0.5) return mutateBytes(new TextEncoder().encode(LINES), random);
      const damaged = lines.map((line) =>
        random() < 0.6 ? text(mutateJsonText(line, random)) : JSON.stringify(line)
      );
      return new TextEncoder().encode(damaged.join("\n"));
    },
    async read(bytes, folder) {
      Deno.writeFileSync(`${folder}/a.jsonl`, bytes);
      for await (const document of documents(`${folder}/a.jsonl`)) {
        check(document === null || typeof document === "string", "a document that is no text");
      }
    },
  },
  shards: {
    make: (random) =>
      mutateJsonText({
        metadata: { total_size: 1 },
        weight_map: { a: "1.safetensors", b: "2.safetensors", c: "2.safetensors" },
      }, random),
    async read(bytes, folder) {
      for (const [file, names] of [["1", ["a"]], ["2", ["b", "c"]]] as const) {
        const tensors = names.map((
          name,
        ) => [name, { dtype: "F32" as const, dims: [2], data: new Float32Array(2) }]);
        const path = `${folder}/${file}.safetensors`;
        if (!exists(path)) Deno.writeFileSync(path, encodeSafetensors(Object.fromEntries(tensors)));
      }
      Deno.writeFileSync(`${folder}/model.safetensors.index.json`, bytes);
      await readAll(await openSharded(`${folder}/model.safetensors.index.json`));
    },
  },
  notes: {
    make: (random) =>
      mutateJsonText(
        pick<unknown>(random, [
          CLEANUP,
          ADVERSARIAL,
          { file: "a.safetensors" },
          { builtin: "held-out" },
          smallConfigJson,
        ]),
        random,
      ),
    async read(bytes, folder) {
      Deno.writeFileSync(`${folder}/a.json`, bytes);
      const json = await readJsonObject(`${folder}/a.json`);
      if ("d_model" in json) return void parseModelConfig(json, "a.json");
      if ("file" in json || "builtin" in json) return void parsePromptSource(json, folder, "a.json");
      if ("prompts" in json) {
        const { prompts } = parseAdversarial(json, "a.json");
        return check(
          prompts.every((p) => typeof p.text === "string" && p.text !== ""),
          "a prompt without text",
        );
      }
      const { config } = smallModel(1);
      const { writer, cleaners } = parseCleanup(json, config, "a.json");
      check(
        [writer, ...cleaners].every((node) => /^(L[01]H[012]|MLP[01]|embed|pos_embed)$/.test(node)),
        "no node",
      );
    },
  },
  notebook: {
    make: (random) => mutateJsonText(NOTEBOOK, random),
    read(bytes) {
      const notebook = parseNotebook(text(bytes), "a.ipynb");
      const again = parseNotebook(serializeNotebook(notebook), "a.ipynb");
      check(
        serializeNotebook(again) === serializeNotebook(notebook),
        "it changes when it is written and read",
      );
      return Promise.resolve();
    },
  },
  hub: {
    make: (random) => {
      const [revision, listing] = HUB;
      return new TextEncoder().encode(JSON.stringify([
        random() < 0.5 ? text(mutateJsonText(revision, random)) : JSON.stringify(revision),
        text(mutateJsonText(listing, random)),
        JSON.stringify(mutateJson({ status: 200, headers: { Link: "", "X-Error-Message": "no" } }, random)),
      ]));
    },
    async read(bytes) {
      const [revision, listing, answer] = JSON.parse(text(bytes)) as string[];
      const { status, headers } = (JSON.parse(answer) ?? {}) as {
        status?: unknown;
        headers?: Record<string, unknown>;
      };
      const real = globalThis.fetch;
      globalThis.fetch = (input) => {
        const body = String(input).includes("/revision/") ? revision : listing;
        const code = typeof status === "number" && status >= 200 && status < 600 ? Math.floor(status) : 200;
        const made = new Headers();
        for (const [name, value] of Object.entries(headers ?? {})) {
          try {
            made.set(name, String(value));
          } catch { /* no header can be so */ }
        }
        return Promise.resolve(
          new Response([204, 205, 304].includes(code) ? null : body, { status: code, headers: made }),
        );
      };
      try {
        const settings = { endpoint: "https://hub.invalid", cache: "/nowhere", offline: false };
        const client = new HubClient(settings, { pauseMs: 0, timeoutMs: 1000 });
        const commit = await client.commit({ type: "model", name: "a/b" }, "main");
        check(/^[0-9a-f]{40}$/.test(commit), `the commit is ${commit}`);
        for (const { path, size, hash } of await client.files({ type: "model", name: "a/b" }, commit)) {
          check(
            !path.split("/").includes("..") && size >= 0 && /^[0-9a-f]+$/.test(hash),
            "a file that cannot be",
          );
        }
      } finally {
        globalThis.fetch = real;
      }
    },
  },
};
