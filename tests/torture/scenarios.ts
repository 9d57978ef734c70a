/**
 * What is disturbed: the tasks as users start them, on small inputs, and a download from a server on this
 * machine. A new one is one entry.
 */
import { writeSafetensors } from "../../lib/checkpoints/safetensors_write.ts";
import { HubServer } from "../checkpoints/hub/hub_server.ts";
import { smallModel, writeModelFolder } from "../checkpoints/small_model.ts";
import { randomInt, randomSource } from "../reference/random.ts";

export type Fault = "SIGTERM" | "SIGKILL" | "kernel" | "disk";

export interface Scenario {
  faults: readonly Fault[];
  /** Arguments of Deno. `out` is the folder for results. */
  args(out: string): string[];
  env?(out: string): Record<string, string>;
  /** What its runs need besides, made once before the first of them. */
  prepare?(): Promise<void>;
}

export interface Project extends AsyncDisposable {
  /** A copy of the project with notebooks of its own, and a model. */
  folder: string;
  scenarios: Record<string, Scenario>;
}

const root = new URL("../../", import.meta.url).pathname;

const NOTEBOOKS: Record<string, string[]> = {
  fig1_drawn: [
    `import { fig1 } from "../lib/figures/fig1.ts";
import { show } from "../lib/figures/show.ts";`,
    `const rows = ["resid_pre0", "resid_mid0", "resid_post0"].map((location, i) => (
  { writer: "L0H0", location, run: "clean", median: i, low: i - 1, high: i + 1, n: 9 }
));
await show(fig1(rows, { writer: "L0H0" }), { name: "fig1", rows });`,
  ],
  fig2_written: [
    `const out = Deno.env.get("CLEANUP_LENS_OUT");`,
    `for (let i = 0; i < 20; i++) {
  Deno.writeTextFileSync(out + "/part" + i + ".json", "[" + "1,".repeat(20_000) + "1]");
  await new Promise((resolve) => setTimeout(resolve, 10));
}`,
  ],
};

/** Sets everything up in `folder`. */
export async function makeProject(folder: string): Promise<Project> {
  await copy("lib", folder);
  await copy("data/expected", folder); // a census names what was published
  for (const file of ["deno.json", "deno.lock", "package.json"]) {
    await Deno.copyFile(`${root}${file}`, `${folder}/${file}`);
  }
  await Deno.mkdir(`${folder}/notebooks`);
  for (const [name, sources] of Object.entries(NOTEBOOKS)) {
    await Deno.writeTextFile(`${folder}/notebooks/${name}.ipynb`, notebook(name, sources));
  }
  const model = smallModel(7, { n_ctx: 16 });
  await writeModelFolder(`${folder}/model`, model);
  const random = randomSource(3);
  const tokens = Int32Array.from({ length: 24 * 16 }, () => randomInt(random, model.config.d_vocab));
  await writeSafetensors(`${folder}/prompts.safetensors`, {
    tokens: { dims: [24, 16], dtype: "I32", data: tokens },
  });
  const server = new HubServer(servedModel(folder));
  const shards = `${folder}/shards-of-one`;
  server.pieceMs = 4;
  const task = (name: string, ...args: string[]) => [
    ...["run", "--frozen", "--no-prompt", "--allow-read=.", "--allow-write=out", "--allow-env"],
    ...[`--allow-run=${Deno.execPath()}`, "lib/cli/start.ts", name, ...args],
  ];
  const given = ["model", "--prompts", "prompts.safetensors"];
  const shard = (index: number, out: string) =>
    task("scan", ...given, "--out", out, "--examine", "2", "--shard", `${index}/1`);
  return {
    folder,
    scenarios: {
      figures: {
        faults: ["SIGTERM", "SIGKILL", "kernel", "disk"],
        args: (out) => task("figures", "--out", out),
      },
      scan: {
        faults: ["SIGTERM", "SIGKILL", "disk"],
        args: (out) => task("scan", ...given, "--out", out, "--examine", "2"),
      },
      shard: {
        faults: ["SIGTERM", "SIGKILL", "disk"],
        args: (out) => shard(0, out),
      },
      merge: {
        faults: ["SIGTERM", "SIGKILL", "disk"],
        async prepare() {
          const { success } = await new Deno.Command(Deno.execPath(), {
            args: shard(0, shards),
            cwd: folder,
            env: { INIT_CWD: folder, NO_COLOR: "1" },
            stdout: "null",
            stderr: "null",
          }).output();
          if (!success) throw new Error("the shard that is to be merged could not be measured");
        },
        args: (out) => task("scan", "merge", shards, "--out", out),
      },
      census: {
        faults: ["SIGTERM", "SIGKILL", "disk"],
        args: (out) =>
          task("census", ...given, "--out", out, "--examine", "2", "--early", "1", "--repair", "1"),
      },
      attribution: {
        faults: ["SIGTERM", "SIGKILL", "disk"],
        args: (out) => task("attribution", ...given, "--out", out, "--most", "1", "--rotations", "1"),
      },
      download: {
        faults: ["SIGTERM", "SIGKILL", "disk"],
        args: () => [
          "run",
          "--frozen",
          "--no-prompt",
          "-A",
          `${root}tests/checkpoints/hub/hub_process.ts`,
          "some/body",
        ],
        env: (out) => ({ HF_HOME: out, HF_ENDPOINT: server.endpoint }),
      },
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

function servedModel(folder: string) {
  const files = Object.fromEntries(
    ["config.json", "model.safetensors"].map((name) => [name, Deno.readFileSync(`${folder}/model/${name}`)]),
  );
  // Long enough for a moment within the transfer: 100 pieces.
  const filler = new Uint8Array(400_000);
  return { id: "models/some/body", commit: "c".repeat(40), files: { ...files, "tokenizer.json": filler } };
}

function notebook(name: string, sources: string[]): string {
  const code = (source: string, i: number) => ({
    cell_type: "code",
    id: `c${i}`,
    metadata: {},
    source,
    execution_count: null,
    outputs: [],
  });
  const cells = [{ cell_type: "markdown", id: "m", metadata: {}, source: `# ${name}` }, ...sources.map(code)];
  return JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: {}, cells });
}

async function copy(name: string, to: string): Promise<void> {
  await Deno.mkdir(`${to}/${name}`, { recursive: true });
  for await (const entry of Deno.readDir(`${root}${name}`)) {
    if (entry.isDirectory) await copy(`${name}/${entry.name}`, to);
    else await Deno.copyFile(`${root}${name}/${entry.name}`, `${to}/${name}/${entry.name}`);
  }
}
