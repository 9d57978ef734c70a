// Links are followed, wherever they lead: a model in a Hugging Face cache consists of links to ../../blobs,
// which lie outside of a snapshot that is named on the command line.
import { assertEquals } from "@std/assert";
import { join } from "node:path";
import { canMakeOddFiles, link } from "./odd_files.ts";
import { smallModel, withFolder, writeModelFolder } from "./small_model.ts";

const root = new URL("../../", import.meta.url).pathname;

const script = (folder: string) => `
import { openModelFolder } from "${root}lib/checkpoints/model_folder.ts";
import { DiskFile } from "${root}lib/platform/disk_file.ts";
const { checkpoint, tokenizer } = await openModelFolder(${JSON.stringify(folder)});
const weights = await checkpoint.read("embed.W_E");
const lying = new DiskFile(checkpoint.path); // as the runtime is given it
lying.mustBeUnchanged();
console.log(weights.length, tokenizer.bosId !== undefined, lying.read(8, 1)[0]);
checkpoint.close();`;

Deno.test({
  name: "a Hugging Face snapshot is read whole by a task that may read the snapshot alone",
  ignore: !canMakeOddFiles,
  fn: () =>
    withFolder(async (folder) => {
      const [blobs, snapshot] = [join(folder, "blobs"), join(folder, "snapshots", "0123")];
      await writeModelFolder(blobs, smallModel(3));
      await Deno.copyFile(`${root}data/models/tiny-gelu-4l/tokenizer.json`, join(blobs, "tokenizer.json"));
      await Deno.mkdir(snapshot, { recursive: true });
      for (const name of ["config.json", "model.safetensors", "tokenizer.json"]) {
        await link(`../../blobs/${name}`, join(snapshot, name));
      }
      await Deno.writeTextFile(join(folder, "script.ts"), script(snapshot));
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "-q", "--frozen", "--no-prompt", "--no-check", `--config=${root}deno.json`],
          ...[`--allow-read=${snapshot}`, join(folder, "script.ts")],
        ],
      }).output();
      const [out, err] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
      assertEquals([out, err], [`${17 * 10} true ${"{".charCodeAt(0)}\n`, ""]);
    }),
});
