// Weights that are a link out of the folders that may be read, as in a Hugging Face cache elsewhere: it is
// said, with what to do.
import { assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { withFolder } from "./small_model.ts";

const mayRun = Deno.permissions.querySync({ name: "run", command: "node" }).state === "granted";

/** Deno.symlink asks for every permission. */
async function link(target: string, path: string): Promise<boolean> {
  const code = "fs.symlinkSync(process.argv[1], process.argv[2])";
  try {
    return (await new Deno.Command("node", { args: ["-e", code, target, path] }).output()).success;
  } catch {
    return false;
  }
}

Deno.test({
  name: "weights that are a link out of what may be read are refused, with what to do",
  ignore: !mayRun || Deno.build.os === "windows",
  fn: () =>
    withFolder(async (folder) => {
      await Deno.mkdir(join(folder, "model"));
      await Deno.writeTextFile(join(folder, "blob"), "abc");
      const path = join(folder, "model", "weights");
      if (!await link(join(folder, "blob"), path)) return console.log("linked_weights_test: no node");
      const lib = new URL("../../lib/", import.meta.url).pathname;
      const script = join(folder, "script.ts");
      await Deno.writeTextFile(
        script,
        `import { DiskFile } from "${lib}platform/disk_file.ts";
         new DiskFile(${JSON.stringify(path)});`,
      );
      const { stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-q", "--no-prompt", "--no-check", `--allow-read=${folder}/model,${lib}`, script],
      }).output();
      assertStringIncludes(
        new TextDecoder().decode(stderr),
        `Cannot use ${path}: it is a link out of the folders`,
      );
    }),
});
