// Where a task is to write and cannot, it says why in words, before any work.
import { assertRejects, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { prepareFolder } from "../../lib/cli/out_folder.ts";
import { canMakeOddFiles, link } from "../checkpoints/odd_files.ts";
import { withFolder } from "../checkpoints/small_model.ts";

const advice = "Give another folder with --out, or make room there.";

Deno.test("prepareFolder() says what is in the way", () =>
  withFolder(async (folder) => {
    const file = join(folder, "file");
    await Deno.writeTextFile(file, "");
    await Deno.mkdir(join(folder, "report.html"));
    const refused = (path: string, why: string, files?: string[]) =>
      assertRejects(() => prepareFolder(path, files), Error, `cannot write to ${path}: ${why} ${advice}`);
    await refused(file, "there is a file of that name.");
    await refused(join(file, "x"), "a part of its path is a file, where a folder was expected.");
    await refused(
      folder,
      "report.html is a folder there, where a file is to be written.",
      ["report.html"],
    );
    if (canMakeOddFiles) {
      await link("loop", join(folder, "loop"));
      await refused(join(folder, "loop", "x"), "it is a link that leads back to itself.");
    }
    await assertRejects(
      () => prepareFolder(join(folder, "x".repeat(300))),
      Error,
      "its name is longer than the system allows.",
    );
  }));

Deno.test({
  name: "prepareFolder() says what Deno opens to no task",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    withFolder(async (folder) => {
      const lib = new URL("../../lib/cli/out_folder.ts", import.meta.url);
      await Deno.writeTextFile(
        join(folder, "script.ts"),
        `import { prepareFolder } from "${lib}"; await prepareFolder("/proc/x");`,
      );
      const { stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-q", "--no-check", "--allow-read", "--allow-write=/proc/x", join(folder, "script.ts")],
      }).output();
      assertStringIncludes(
        new TextDecoder().decode(stderr),
        "cannot write to /proc/x: Deno opens what belongs to the system itself (/proc, /sys, devices) to no task.",
      );
    }),
});
