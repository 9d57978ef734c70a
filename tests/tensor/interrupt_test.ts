// A signal of the system, not an abort from the same program, ends a run: it has to come through between two
// batches.
import { assert } from "@std/assert";

Deno.test({
  name: "SIGINT ends a run at the next batch, not when all batches are done",
  ignore: Deno.build.os === "windows", // a process cannot be sent SIGINT there
  async fn() {
    const process = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--allow-read",
        "--allow-env",
        "--allow-sys",
        "--allow-ffi",
        new URL("interrupt_process.ts", import.meta.url).pathname,
      ],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let said = "";
    for await (const text of process.stdout.pipeThrough(new TextDecoderStream())) {
      if (said === "" && text.includes("ready")) process.kill("SIGINT");
      said += text;
    }
    await process.stderr.cancel();
    await process.status;
    const [, ended] = said.trim().split("\n");
    const batches = Number(/^interrupted after (\d+) batches$/.exec(ended)?.[1]);
    assert(batches <= 3, said); // sent after the first of ten
  },
});
