import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { runFigures, selectNotebooks } from "../../lib/cli/figures.ts";
import { CellError } from "../../lib/jupyter/execute.ts";
import { readNotebook } from "../../lib/jupyter/notebook.ts";

const quiet = { write: () => {}, isTerminal: false, columns: 80 };

function notebookText(...sources: string[]): string {
  const cells = sources.map((source, i) =>
    source.startsWith("#")
      ? { cell_type: "markdown", id: `m${i}`, metadata: {}, source }
      : { cell_type: "code", id: `c${i}`, metadata: {}, source, execution_count: null, outputs: [] }
  );
  return JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells });
}

/** A cell that writes files, given as name → text, into the folder that `task figures` names. */
const writes = (files: Record<string, string>) =>
  Object.entries(files).map(([name, text]) =>
    `Deno.writeTextFileSync(Deno.env.get("CLEANUP_LENS_OUT") + "/${name}", ${JSON.stringify(text)});`
  ).join("\n");

const SVG = `<svg xmlns="http://www.w3.org/2000/svg" aria-label="A dot"></svg>`;

/** A folder with notebooks/, and out/ as the runs leave it. */
async function withNotebooks(
  notebooks: Record<string, string>,
  use: (project: {
    run: (options?: Partial<Parameters<typeof runFigures>[0]>) => Promise<string[]>;
    put: (name: string, text: string) => Promise<void>;
    out: () => string[];
    read: (path: string) => Promise<string>;
    dir: string;
  }) => Promise<void>,
) {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${dir}/notebooks`);
    const put = (name: string, text: string) => Deno.writeTextFile(`${dir}/notebooks/${name}.ipynb`, text);
    for (const [name, text] of Object.entries(notebooks)) await put(name, text);
    await use({
      run: (options) =>
        runFigures({ notebooksDir: `${dir}/notebooks`, outDir: `${dir}/out`, progress: quiet, ...options }),
      put,
      out: () => [...Deno.readDirSync(`${dir}/out`)].map(({ name }) => name).sort(),
      read: (path) => Deno.readTextFile(`${dir}/${path}`),
      dir,
    });
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("selectNotebooks() takes the post's, all of the project's, or what is named; fig1 is not fig10", async () => {
  const empty = notebookText();
  const all = {
    "fig10_x": empty,
    "fig2_b": empty,
    "fig1_a": empty,
    "00_start": empty,
    "scratch": empty,
    "role": empty,
    "role_of_mine": empty,
  };
  await withNotebooks(all, async ({ dir }) => {
    const select = (...names: string[]) => selectNotebooks(`${dir}/notebooks`, names);
    const ofThePost = ["00_start", "fig1_a", "fig2_b", "fig10_x"];
    assertEquals(await select(), ofThePost);
    assertEquals(await selectNotebooks(`${dir}/notebooks`, "all"), [...ofThePost, "role"]);
    assertEquals(await select("fig1"), ["fig1_a"]);
    assertEquals(await select("fig2_b.ipynb", "fig1_a"), ["fig1_a", "fig2_b"]);
    assertEquals(await select("scratch"), ["scratch"]);
    assertEquals(await select("notebooks/fig1_a.ipynb"), ["fig1_a"]);
    for (const nothing of ["", "notebooks/"]) {
      await assertRejects(() => select(nothing), Error, `begins with "${nothing}"`);
    }
    await assertRejects(() => select("fig1", "fig3"), Error, `begins with "fig3"`);
  });
  await withNotebooks({ scratch: empty }, async ({ dir }) => {
    await assertRejects(() => selectNotebooks(`${dir}/notebooks`, []), Error, "found scratch");
    await assertRejects(() => selectNotebooks(`${dir}/notebooks`, "all"), Error, "found scratch");
  });
});

Deno.test("runFigures() leaves notebooks, figures, rows and a page; not the notebooks folder, nor other files", async () => {
  const fig1 = notebookText(
    "# Figure 1\n\nThe claim.",
    writes({ "fig1.svg": SVG, "fig1.json": "[1]" }),
    "6 * 7",
  );
  await withNotebooks({ "00_start": notebookText("# Start"), "fig1_dot": fig1 }, async (project) => {
    assertEquals(await project.run(), ["00_start", "fig1_dot"]);
    assertEquals(project.out(), ["00_start.ipynb", "fig1.json", "fig1.svg", "fig1_dot.ipynb", "index.html"]);
    assertEquals(await project.read("out/fig1.svg"), SVG);
    assertEquals(await project.read("notebooks/fig1_dot.ipynb"), fig1);
    const executed = await readNotebook(`${project.dir}/out/fig1_dot.ipynb`);
    assertEquals(executed.metadata.cleanup_lens.files, ["fig1.json", "fig1.svg"]);
    assertStringIncludes(JSON.stringify(executed.cells[2]), '"text/plain":"42"');
    const page = await project.read("out/index.html");
    for (const part of ["Figure 1", "The claim.", `alt="A dot"`, `href="./fig1.json"`, "Start"]) {
      assertStringIncludes(page, part);
    }
  });
});

Deno.test("runFigures() does not write over the notebooks that it reads", async () => {
  await withNotebooks({ "fig1": notebookText("# F", "1") }, async (project) => {
    const before = await project.read("notebooks/fig1.ipynb");
    for (const outDir of [`${project.dir}/notebooks`, `${project.dir}/out/../notebooks/`]) {
      await assertRejects(() => project.run({ outDir }), Error, "where the notebooks lie");
    }
    assertEquals(await project.read("notebooks/fig1.ipynb"), before);
  });
});

Deno.test("runFigures() with inPlace also writes the executed notebook back, without traces of the run", async () => {
  await withNotebooks({ "fig1": notebookText("# F", "6 * 7") }, async (project) => {
    await project.run({ inPlace: true });
    const first = await project.read("notebooks/fig1.ipynb");
    assertStringIncludes(first, `"execution_count": 1`);
    assert(!first.includes("cleanup_lens") && !first.includes(project.dir));
    await project.run({ inPlace: true });
    assertEquals(await project.read("notebooks/fig1.ipynb"), first); // the same run gives the same bytes
  });
});

Deno.test("runFigures() with inPlace keeps every figure's rows, and renews the pictures that are there", async () => {
  const files = { "fig1.json": "[1]", "fig1.png": "new", "fig2.png": "new" };
  await withNotebooks({ "fig1": notebookText("# F", writes(files)) }, async (project) => {
    const committed = { rows: `${project.dir}/rows`, pictures: `${project.dir}/pictures` };
    for (const folder of Object.values(committed)) await Deno.mkdir(folder);
    await Deno.writeTextFile(`${committed.pictures}/fig1.png`, "old");
    await project.run({ committed });
    assertEquals(await project.read("pictures/fig1.png"), "old", "not without inPlace");
    await project.run({ inPlace: true, committed });
    assertEquals(await project.read("rows/fig1.json"), "[1]");
    assertEquals(await project.read("pictures/fig1.png"), "new");
    assertEquals([...Deno.readDirSync(committed.pictures)].map(({ name }) => name), ["fig1.png"]);
  });
});

Deno.test("runFigures(): a failing cell leaves out/ and the notebook as they were", async () => {
  const good = notebookText("# F", writes({ "fig1.svg": SVG, "fig1.json": "[1]" }));
  const bad = notebookText(
    "# F",
    writes({ "fig1.svg": "half", "fig1.json": "[2]" }),
    "throw new Error('boo')",
  );
  await withNotebooks({ "fig1": good, "fig2": notebookText("# G", "1") }, async (project) => {
    await project.run({ names: ["fig1"] });
    const before = await Promise.all(project.out().map((name) => project.read(`out/${name}`)));
    await project.put("fig1", bad);
    const error = await assertRejects(() => project.run({ inPlace: true, kernels: 1 }), CellError);
    assertStringIncludes(error.message, "fig1, cell 3 failed:\n  | throw new Error('boo')\nError: boo");
    // and fig2 did not run
    assertEquals(project.out(), ["fig1.ipynb", "fig1.json", "fig1.svg", "index.html"]);
    assertEquals(await Promise.all(project.out().map((name) => project.read(`out/${name}`))), before);
    assertEquals(await project.read("notebooks/fig1.ipynb"), bad);
  });
});

Deno.test("runFigures(): a dead kernel, a write that fails and a hanging cell are one error each, nothing half-written", async () => {
  const write = writes({ "fig1.json": "[1]" });
  for (
    const [source, message] of [
      [`${write}\nDeno.exit(1);`, "exit code 1"],
      [`${write}\nDeno.kill(Deno.pid, "SIGKILL"); await new Promise(() => {});`, "killed by SIGKILL"],
      [
        `${write}\nDeno.writeTextFileSync(Deno.env.get("CLEANUP_LENS_OUT") + "/no/fig1.svg", "");`,
        "No such file",
      ],
      [`${write}\nwhile (true) {}`, "longer than 2 s"],
    ]
  ) {
    await withNotebooks({ "fig1": notebookText("# F", source) }, async (project) => {
      await assertRejects(() => project.run({ cellTimeoutMs: 2000 }), CellError, message);
      assertEquals(project.out(), []);
    });
  }
});

Deno.test("runFigures(): notebooks that were finished before a failure stay, and stay on the page", async () => {
  const good = notebookText("# Good figure", writes({ "fig1.svg": SVG }));
  const bad = notebookText("# Bad figure", "throw new Error('boo')");
  await withNotebooks({ "fig1": good, "fig2": bad }, async (project) => {
    await assertRejects(() => project.run(), CellError, "fig2, cell 2");
    assertEquals(project.out(), ["fig1.ipynb", "fig1.svg", "index.html"]);
    const page = await project.read("out/index.html");
    assertStringIncludes(page, "Good figure");
    assert(!page.includes("Bad figure"));
  });
});

Deno.test("runFigures(): notebooks run side by side, what runs beside a failure is finished, nothing new begins", async () => {
  // each waits until the other runs
  const meets = (own: string, other: string) =>
    `Deno.writeTextFileSync("${own}", "");
while (!Deno.readDirSync(".").some(({ name }) => name === "${other}")) await new Promise((r) => setTimeout(r, 20));`;
  const bad = notebookText("# F", meets("a", "b"), "throw new Error('boo')");
  const good = notebookText("# G", meets("b", "a"), "await new Promise((r) => setTimeout(r, 500))");
  const notebooks = { "fig1": bad, "fig2": good, "fig3": notebookText("# H", "1") };
  await withNotebooks(notebooks, async (project) => {
    await assertRejects(() => project.run({ kernels: 2, cellTimeoutMs: 60_000 }), CellError, "fig1, cell 3");
    assertEquals(project.out(), ["fig2.ipynb", "index.html"]);
    assertStringIncludes(await project.read("out/index.html"), "G");
  });
});

Deno.test("runFigures() removes the files that only a notebook's previous run wrote", async () => {
  await withNotebooks(
    { "fig1": notebookText("# F", writes({ "old.svg": SVG, "same.svg": SVG })) },
    async (project) => {
      await project.run();
      await Deno.writeTextFile(`${project.dir}/out/mine.txt`, "not of this run");
      await project.put("fig1", notebookText("# F", writes({ "same.svg": SVG, "new.svg": SVG })));
      await project.run();
      assertEquals(project.out(), ["fig1.ipynb", "index.html", "mine.txt", "new.svg", "same.svg"]);
    },
  );
});

Deno.test("runFigures(): a broken notebook is named with what is wrong, before any kernel starts", async () => {
  await withNotebooks({ "fig1": notebookText("# F").slice(0, 40) }, async (project) => {
    const error = await assertRejects(() => project.run(), Error, "expected JSON");
    assertStringIncludes(error.message, "notebooks/fig1.ipynb");
    assertEquals(project.out(), []);
  });
});

/**
 * Runs figures.ts as a process, kills it while its cell runs, and returns its notebooks folder's state and
 * the kernel's id.
 */
async function killed(
  signal: Deno.Signal,
  use: (dir: string, code: number, kernel: number) => Promise<void>,
) {
  const cell = `Deno.writeTextFileSync(Deno.env.get("CLEANUP_LENS_OUT") + "/pid.json", String(Deno.pid));
await new Promise(() => {});`;
  await withNotebooks({ "fig1": notebookText("# F", cell) }, async ({ dir }) => {
    const code = `import { runFigures } from "${new URL("../../lib/cli/figures.ts", import.meta.url)}";
import { onInterrupt } from "${new URL("../../lib/cli/signals.ts", import.meta.url)}";
const stop = onInterrupt();
await runFigures({ notebooksDir: "${dir}/notebooks", outDir: "${dir}/out", signal: stop.signal })
  .catch(() => Deno.exit(stop.exitCode));`;
    await Deno.writeTextFile(`${dir}/run.ts`, code);
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", `--config=${config}`, `${dir}/run.ts`],
      stdout: "null",
      stderr: "null",
    }).spawn();
    const find = () => {
      try {
        const [partial] = [...Deno.readDirSync(`${dir}/out`)].filter((e) => e.isDirectory);
        return Number(Deno.readTextFileSync(`${dir}/out/${partial.name}/pid.json`));
      } catch {
        return 0;
      }
    };
    while (find() === 0) await new Promise((resolve) => setTimeout(resolve, 20));
    const kernel = find();
    process.kill(signal);
    await use(dir, (await process.status).code, kernel);
  });
}

/**
 * Whether a process lives, a moment after it was ended. Looked at from outside: Deno reads /proc with every
 * permission alone.
 */
async function lives(pid: number): Promise<boolean> {
  const look =
    `try { console.log(Deno.readTextFileSync("/proc/${pid}/stat")); } catch { console.log("none"); }`;
  for (let i = 0; i < 20; i++) {
    const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", look] }).output();
    const stat = new TextDecoder().decode(stdout);
    if (stat.startsWith("none") || stat.includes(") Z ")) return false;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return true;
}

for (const [signal, expected] of [["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  Deno.test({
    name: `figures that get ${signal} end their kernel and leave no partial folder`,
    ignore: Deno.build.os !== "linux",
    fn: () =>
      killed(signal, async (dir, code, kernel) => {
        assertEquals(code, expected);
        assertEquals([...Deno.readDirSync(`${dir}/out`)], []);
        assertEquals(await lives(kernel), false);
      }),
  });
}

Deno.test({
  name: "figures that are killed without notice: the next run ends the kernel and removes what was left",
  ignore: Deno.build.os !== "linux",
  fn: () =>
    killed("SIGKILL", async (dir, _code, kernel) => {
      assertEquals([...Deno.readDirSync(`${dir}/out`)].length, 2); // the folder and its lock
      assertEquals(await lives(kernel), true);
      await Deno.writeTextFile(`${dir}/notebooks/fig1.ipynb`, notebookText("# F", "1"));
      await runFigures({ notebooksDir: `${dir}/notebooks`, outDir: `${dir}/out`, progress: quiet });
      assertEquals([...Deno.readDirSync(`${dir}/out`)].map(({ name }) => name).sort(), [
        "fig1.ipynb",
        "index.html",
      ]);
      assertEquals(await lives(kernel), false);
    }),
});

Deno.test("Two runs at once leave each other's partial folders alone", async () => {
  await withNotebooks(
    { "fig1": notebookText("# F", "await new Promise((r) => setTimeout(r, 1000)); 1") },
    async (project) => {
      const first = project.run();
      await new Promise((resolve) => setTimeout(resolve, 600));
      await project.run();
      assertEquals(await first, ["fig1"]);
      assertEquals(project.out(), ["fig1.ipynb", "index.html"]);
    },
  );
});

Deno.test("runFigures() that is aborted ends with the reason and keeps out/ whole", async () => {
  await withNotebooks(
    { "fig1": notebookText("# F", writes({ "fig1.json": "[1]" }), "while (true) {}") },
    async (project) => {
      const controller = new AbortController();
      setTimeout(() => controller.abort(new Error("enough")), 1000);
      await assertRejects(() => project.run({ signal: controller.signal }), Error, "enough");
      assertEquals(project.out(), []);
    },
  );
});
