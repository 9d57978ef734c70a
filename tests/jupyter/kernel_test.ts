// Each habit of the kernel that lib/jupyter/kernel.ts lists is met here with the real kernel.
import { assert, assertEquals, assertGreater, assertRejects, assertStringIncludes } from "@std/assert";
import { Kernel, KernelTimeoutError } from "../../lib/jupyter/kernel.ts";
import type { Fields } from "../../lib/jupyter/messages.ts";
import { KernelDiedError } from "../../lib/jupyter/process.ts";

async function withKernel(use: (kernel: Kernel, dir: string) => Promise<void>, env?: Record<string, string>) {
  const dir = await Deno.makeTempDir();
  try {
    await using kernel = await Kernel.start({ cwd: dir, runtimeDir: dir, env: { NO_COLOR: "1", ...env } });
    await use(kernel, dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const outputsOf = async (kernel: Kernel, code: string) => (await kernel.execute(code)).outputs as Fields[];

Deno.test("Kernel.execute() gives result, streams, count and the state of earlier cells", () =>
  withKernel(async (kernel) => {
    assertEquals(await kernel.execute("const x = 20; x + 1"), {
      status: "ok",
      executionCount: 1,
      outputs: [{
        output_type: "execute_result",
        execution_count: 1,
        data: { "text/plain": "21" },
        metadata: {},
      }],
    });
    const { executionCount, outputs } = await kernel.execute("console.log(x); console.error('e'); undefined");
    assertEquals(executionCount, 2);
    assertEquals(outputs.map((output: Fields) => [output.name, output.text]), [
      ["stdout", "20\n"],
      ["stderr", "e\n"],
    ]);
  }));

Deno.test("Kernel: the first cell's outputs of a fresh kernel are seen (slow joiner)", async () => {
  for (let i = 0; i < 4; i++) {
    await withKernel(async (kernel) => {
      assertEquals(await outputsOf(kernel, "console.log('first')"), [
        { output_type: "stream", name: "stdout", text: "first\n" },
      ]);
    });
  }
});

Deno.test("Kernel: no output of 100 cells is lost, no reply is missing (outputs after idle, stalls)", () =>
  withKernel(async (kernel) => {
    for (let i = 0; i < 100; i++) {
      const code = `for (let k = 0; k < 20; k++) console.log(k); ${i}`;
      const { outputs } = await kernel.execute(code, { timeoutMs: 20_000 });
      const [stream, result] = outputs as Fields[];
      assertEquals(
        stream.text,
        Array.from({ length: 20 }, (_, k) => `${k}\n`).join(""),
        `streams of cell ${i}`,
      );
      assertEquals(result?.data["text/plain"], `${i}`, `result of cell ${i}`);
    }
  }));

Deno.test("Kernel: an exception, a syntax error and an import that does not resolve are error outputs", () =>
  withKernel(async (kernel) => {
    for (
      const [code, expected] of [
        ["throw new TypeError('boo')", "boo"],
        ["let = ;", "Execution failed"],
        ["import { x } from './is_not_there.ts'; x", "is_not_there"],
        ["import x from 'no-such-bare-name'; x", ""],
      ]
    ) {
      const { status, outputs } = await kernel.execute(code);
      assertEquals(status, "error", code);
      const errors = (outputs as Fields[]).filter(({ output_type }) => output_type === "error");
      assertEquals(errors.length, 1, code);
      assertStringIncludes(errors[0].evalue, expected);
      assertGreater(errors[0].traceback.length, 0);
    }
    assertEquals((await kernel.execute("1")).status, "ok"); // and the kernel goes on
  }));

Deno.test("Kernel: Deno.exit in a cell is a KernelDiedError with the exit code", () =>
  withKernel(async (kernel) => {
    await assertRejects(() => kernel.execute("Deno.exit(3)"), KernelDiedError, "exit code 3");
    await assertRejects(() => kernel.execute("1"), KernelDiedError, "exit code 3");
  }));

Deno.test("Kernel: a kernel that is killed is a KernelDiedError with the signal", () =>
  withKernel(async (kernel) => {
    const code = "Deno.kill(Deno.pid, 'SIGKILL'); await new Promise(() => {})";
    await assertRejects(() => kernel.execute(code), KernelDiedError, "killed by SIGKILL");
  }));

Deno.test("Kernel: a busy loop is interrupted when its time is over, and the kernel goes on", () =>
  withKernel(async (kernel) => {
    await kernel.execute("const kept = 7");
    await assertRejects(
      () => kernel.execute("while (true) {}", { timeoutMs: 1000 }),
      KernelTimeoutError,
      "longer than 1 s. It was interrupted.",
    );
    assertEquals((await outputsOf(kernel, "kept"))[0].data["text/plain"], "7");
  }));

Deno.test("Kernel: a cell that waits for ever does not react to an interrupt, so its kernel is ended", () =>
  withKernel(async (kernel) => {
    await assertRejects(
      () => kernel.execute("await new Promise(() => {})", { timeoutMs: 100 }),
      KernelTimeoutError,
      "its kernel was ended",
    );
    await assertRejects(() => kernel.execute("1"), KernelDiedError, "SIGKILL");
  }));

Deno.test("Kernel.execute() ends with its signal's reason", () =>
  withKernel(async (kernel) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error("enough")), 200);
    await assertRejects(
      () => kernel.execute("while (true) {}", { signal: controller.signal }),
      Error,
      "enough",
    );
    await assertRejects(() => kernel.execute("1", { signal: controller.signal }), Error, "enough");
    assertEquals((await kernel.execute("1")).status, "ok");
  }));

Deno.test("Kernel: a cell that asks for input gets none and does not hang", () =>
  withKernel(async (kernel) => {
    assertEquals((await kernel.execute("prompt('name?')", { timeoutMs: 20_000 })).status, "ok");
  }));

Deno.test("Kernel: env and cwd are what the caller says, TypeScript runs, outputs arrive while the cell runs", () =>
  withKernel(async (kernel, dir) => {
    const code = "const both: string[] = [Deno.env.get('LENS_TEST')!, Deno.cwd()]; both.join()";
    const [result] = await outputsOf(kernel, code);
    assertEquals(result.data["text/plain"], `"here,${await Deno.realPath(dir)}"`);

    const first = Promise.withResolvers<string>();
    const running = kernel.execute(
      "console.log('early'); await new Promise((r) => setTimeout(r, 1500)); 'late'",
      {
        onOutput: (outputs) => first.resolve((outputs as Fields[])[0].text),
      },
    );
    const winner = await Promise.race([running.then(() => "the cell ended first"), first.promise]);
    assertEquals(winner, "early\n");
    await running;
  }, { LENS_TEST: "here" }));

Deno.test("Kernel: the connection file is private, and gone with the kernel", async () => {
  const dir = await Deno.makeTempDir();
  const files = () => [...Deno.readDirSync(dir)].map(({ name }) => name);
  try {
    const kernel = await Kernel.start({ cwd: dir, runtimeDir: dir });
    assertEquals(files().length, 1);
    const { mode } = await Deno.stat(`${dir}/${files()[0]}`);
    if (Deno.build.os !== "windows") assertEquals(mode! & 0o777, 0o600);
    await kernel.shutdown();
    await kernel.shutdown(); // a second time does nothing
    assertEquals(files(), []);
    await assertRejects(() => kernel.execute("1"), KernelDiedError);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("Kernel.start() goes on when another program has taken one of its ports", async () => {
  await using server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    () => new Response(),
  );
  const { listen } = Deno, dir = await Deno.makeTempDir();
  let asked = 0;
  Deno.listen = ((options: Deno.TcpListenOptions) => {
    const listener = listen(options);
    if (++asked !== 2) return listener; // the second port of the first connection is iopub's
    listener.close();
    return { addr: server.addr, close: () => {} };
  }) as typeof Deno.listen;
  try {
    await using kernel = await Kernel.start({ cwd: dir, runtimeDir: dir });
    assertEquals((await kernel.execute("1")).status, "ok");
    assertEquals(asked, 10);
  } finally {
    Deno.listen = listen;
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("Kernel.start() that cannot write its connection file says so; one that is aborted leaves nothing", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await assertRejects(
      () => Kernel.start({ cwd: dir, runtimeDir: `${dir}/missing` }),
      Error,
      "writing its connection file failed",
    );
    const signal = AbortSignal.abort(new Error("not now"));
    await assertRejects(() => Kernel.start({ cwd: dir, runtimeDir: dir, signal }), Error, "not now");
    await assertRejects(
      () => Kernel.start({ cwd: dir, runtimeDir: dir, startTimeoutMs: 1 }),
      KernelTimeoutError,
      "no answer within 0.001 s",
    );
    assertEquals([...Deno.readDirSync(dir)], []);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("Kernel: with a frozen lock file, a cell imports what the lock lists and cannot change the lock", async () => {
  const root = new URL("../../", import.meta.url);
  const config = JSON.parse(await Deno.readTextFile(new URL("deno.json", root)));
  const lock = await Deno.readTextFile(new URL("deno.lock", root));
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(
      `${dir}/deno.json`,
      JSON.stringify({ ...config, lock: { path: "deno.lock", frozen: true } }),
    );
    await Deno.writeTextFile(`${dir}/deno.lock`, lock);
    await Deno.copyFile(new URL("package.json", root), `${dir}/package.json`); // part of what the lock locks
    await using kernel = await Kernel.start({ cwd: dir, runtimeDir: dir, env: { NO_COLOR: "1" } });
    const listed = await kernel.execute("import { rgb } from 'd3-color'; rgb(1, 2, 3).formatHex()");
    assertEquals((listed.outputs as Fields[])[0]?.data?.["text/plain"], '"#010203"');
    assert(!lock.includes("d3-octree@"), "the test needs a package that the lock does not list");
    assertEquals((await kernel.execute("import x from 'npm:d3-octree@1.1.0'; x")).status, "error");
    assertEquals(await Deno.readTextFile(`${dir}/deno.lock`), lock);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
