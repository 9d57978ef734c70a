// Weights that are read from their file while a scan runs, and that file gone or another in the middle of it.
import { assertEquals, assertRejects } from "@std/assert";
import type { Part } from "../../../lib/experiments/retention/sums.ts";
import { keptScan, type ScanKeeper } from "../../../lib/experiments/scan/scan.ts";
import { loadModel } from "../../../lib/transformer/load.ts";
import { withFolder } from "../../checkpoints/small_model.ts";
import { plantedPrompts, writePlanted } from "./planted/kinds.ts";

Deno.test("a weights file that goes in the middle of a scan: one error, and the scan goes on when it is back", async () => {
  await withFolder(async (folder) => {
    await writePlanted(folder, "pair", 7);
    const path = `${folder}/model.safetensors`, away = `${folder}/away`;
    const model = await loadModel(folder, { weights: "file" }), prompts = plantedPrompts(7);
    const settings = { examine: 2, rotations: 2 };
    const whole = await keptScan(model, prompts, { settings });

    const kept = new Map<string, Part>();
    const keeper: ScanKeeper = {
      load: ({ next }) => Promise.resolve(kept.get(next!.pass)),
      save: (pass, part) => void kept.set(pass, part),
      done: (pass, part) => void kept.set(pass, part),
    };
    for (const pass of [/^screening/, /^examining/, /^attribution/]) {
      const onPass = (name: string) => pass.test(name) && Deno.renameSync(path, away);
      await assertRejects(
        () => keptScan(model, prompts, { settings, onPass }, keeper),
        Error,
        `${Deno.realPathSync(folder)}/model.safetensors is gone: the weights are read from it`,
      );
      Deno.copyFileSync(away, path);
      await assertRejects(
        () => keptScan(model, prompts, { settings }, keeper),
        Error,
        "was changed or replaced",
      );
      Deno.renameSync(away, path);
    }
    const result = await keptScan(model, prompts, { settings }, keeper);
    assertEquals(JSON.stringify(result), JSON.stringify(whole));
  });
});
