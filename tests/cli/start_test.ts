// The tasks as they are started: each with permissions of its own, which follow its arguments and the
// environment.
import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { join } from "node:path";
import { flagsOf, type Start, TASKS } from "../../lib/cli/permissions.ts";
import { passing } from "../../lib/cli/start.ts";
import { withFolder } from "../checkpoints/small_model.ts";
import { taskCommand } from "../task_command.ts";

const root = new URL("../../", import.meta.url).pathname.replace(/\/$/, "");

const start = (args: string[], variables: Record<string, string> = {}): Start => ({
  root: "/p",
  cwd: "/p/sub",
  args,
  env: (name) => ({ HOME: "/h", ...variables })[name],
  execPath: "/bin/deno",
});

Deno.test("Permissions: a model's folder and prompts are read from where the user stands, --out is written to", () => {
  const { read, write, net, run, ffi } = TASKS.scan(
    start(["../m", "--prompts", "t.txt", "--out=/o", "--q", "0.1"]),
  );
  for (const path of ["/p", "/p/m", "/p/sub/t.txt", "/o", "/h/.cache/huggingface"]) {
    assertEquals((read as string[]).includes(path), true, path);
  }
  assertEquals(write, ["/o", "/h/.cache/huggingface"]);
  assertEquals([net, run, ffi], [["huggingface.co", "*.hf.co"], [], true]);
});

Deno.test("Permissions: what an option is given as text is no path, and a comma in it is nothing to Deno", () => {
  const given = start(["m", "--text", "/etc", "--answers= a, b", "--nodes", "L0H0,MLP1", "--prompts", "t"]);
  const { read } = TASKS.attribution(given);
  assertEquals(["/etc", "/p/sub/L0H0,MLP1"].filter((path) => (read as string[]).includes(path)), []);
  for (const path of ["/p/sub/m", "/p/sub/t"]) assertEquals((read as string[]).includes(path), true, path);
  assertEquals(flagsOf(TASKS.attribution(given)) !== undefined, true);
});

Deno.test("Permissions: scan merge asks no host, and writes to its first folder or --out alone", () => {
  const of = (...args: string[]) => TASKS.scan(start(["merge", ...args]));
  assertEquals([of("a", "b").write, of("a", "b").net], [["/p/sub/a"], []]);
  assertEquals(of("a", "b", "--out", "../c").write, ["/p/c"]);
});

Deno.test("Permissions: caches and hosts are those of the Hub's variables", () => {
  const of = (variables: Record<string, string>) => TASKS.scan(start(["a/b"], variables));
  assertEquals(of({}).write, ["/p/out", "/h/.cache/huggingface"]);
  assertEquals(of({ HF_HOME: "/a b" }).write, ["/p/out", "/a b"]);
  assertEquals(of({ XDG_CACHE_HOME: "/x" }).write, ["/p/out", "/x/huggingface"]);
  assertEquals(of({ HF_HUB_CACHE: "/c/hub" }).write, [
    "/p/out",
    "/h/.cache/huggingface",
    "/c/hub",
    "/c/assets",
  ]);
  assertEquals(of({ HF_ENDPOINT: "http://mirror:8080/x" }).net, ["mirror:8080", "huggingface.co", "*.hf.co"]);
});

Deno.test("Permissions: figures reads the project, talks to its kernel, and writes notebooks only where asked to", () => {
  const { read, write, net, env, ffi } = TASKS.figures(start(["fig1"]));
  assertEquals([read, write, net], [["/p", "/p/out"], ["/p/out"], ["127.0.0.1"]]);
  assertEquals([env, ffi], [["CLEANUP_LENS_STARTED_BY"], false]);
  assertEquals(TASKS.figures(start(["--in-place", "--out", "x"])).write, [
    "/p/sub/x",
    "/p/notebooks",
    "/p/data/expected/rows",
    "/p/data/pictures",
  ]);
});

Deno.test("flagsOf() names every value, and gives up on a comma, at which Deno would split it", () => {
  const permissions = TASKS.figures(start([]));
  assertEquals(flagsOf(permissions), [
    "--allow-read=/p,/p/out",
    "--allow-write=/p/out",
    "--allow-net=127.0.0.1",
    "--allow-env=CLEANUP_LENS_STARTED_BY",
    "--allow-run=/bin/deno",
  ]);
  assertEquals(flagsOf({ ...permissions, write: ["/a,b"] }), undefined);
});

Deno.test("passing(): a second Ctrl-C ends a task at once; one that comes by two ways is one", () => {
  let now = 1000;
  const passed = passing(() => now);
  assertEquals(passed("SIGINT"), "SIGINT");
  now += 20;
  assertEquals(passed("SIGINT"), "SIGINT");
  now += 2000;
  assertEquals([passed("SIGTERM"), passed("SIGINT")], ["SIGKILL", "SIGKILL"]);
});

/** Runs a task with the flags that deno.json gives it, and no others. */
async function task(name: string, args: string[], cwd: string, env: Record<string, string> = {}) {
  const [program, ...flags] = await taskCommand(name);
  assertEquals(program, "deno");
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [flags[0], "--no-prompt", ...flags.slice(1), ...args],
    cwd: root,
    env: { NO_COLOR: "1", INIT_CWD: cwd, ...env },
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: decode(stdout), err: decode(stderr) };
}

Deno.test("task scan runs with just its permissions, from a folder with a space and a comma, and writes beside it", async () => {
  await withFolder(async (folder) => {
    const cwd = `${folder}/a b,c/sub`;
    await Deno.mkdir(cwd, { recursive: true });
    const args = ["tiny-gelu-4l", "--max-tokens", "2048", "--length", "64", "--out", "../here"];
    const { code, err } = await task("scan", args, cwd, { HF_HOME: `${folder}/a b,c/hf` });
    assertEquals(code, 0, err);
    const names = [...Deno.readDirSync(`${folder}/a b,c/here`)].map(({ name }) => name).sort();
    assertEquals(names, ["report.html", "report.json", "screen.safetensors"]);
    const left = [...Deno.readDirSync(`${root}/out`)].filter(({ name }) => name.startsWith(".permissions"));
    assertEquals(left, []);
  });
});

Deno.test("task scan ../folder looks from where the user stands, and names the folder", async () => {
  await withFolder(async (folder) => {
    const { code, err } = await task("scan", ["../nothing"], folder);
    assertEquals(code, 1);
    assertStringIncludes(
      err,
      `There is no model "../nothing" (looked for the folder ${join(folder, "../nothing")})`,
    );
  });
});

Deno.test("SSL_CERT_FILE names the certificates that a task believes", async () => {
  await withFolder(async (folder) => {
    const env = { HF_HOME: folder, HF_ENDPOINT: "https://127.0.0.1:4443", DENO_CERT: "" };
    const { code, err } = await task("scan", ["some/body"], folder, {
      ...env,
      SSL_CERT_FILE: `${folder}/none.pem`,
    });
    assertEquals(code, 1);
    assertStringIncludes(err, "CA file"); // the one named is looked for, and is not there
  });
});

Deno.test("task census may do what a scan may, and runs with just that, over several models", async () => {
  const args = ["../m", "a/b", "--prompts", "t.txt"];
  assertEquals(TASKS.census(start(args)), TASKS.scan(start(args)));
  await withFolder(async (folder) => {
    const { out, ...prompts } = { out: "here", "max-tokens": "1100", length: "48" };
    const options = Object.entries({
      ...prompts,
      out,
      examine: "1",
      early: "1",
      repair: "1",
      rotations: "2",
    });
    const given = ["tiny-gelu-4l", "../nothing", ...options.flatMap(([name, value]) => [`--${name}`, value])];
    const { code, err } = await task("census", given, folder, { HF_HOME: `${folder}/hf` });
    assertEquals(code, 1, "one model is not there");
    assertStringIncludes(err, `census: ../nothing is left out: There is no model "../nothing"`);
    const names = [...Deno.readDirSync(`${folder}/here`)].map(({ name }) => name).sort();
    assertEquals(names.slice(0, 2), ["report.html", "report.json"]);
    assertMatch(names[2], /^screen-[0-9a-f]{16}\.safetensors$/);
  });
});

Deno.test("task attribution runs with just its permissions, as the README calls it, and draws its picture", async () => {
  await withFolder(async (folder) => {
    const readme = ["tiny-gelu-4l", "--text", "I like tea and", "--answers", " the, a"];
    const env = { HF_HOME: `${folder}/hf` };
    const { code, err } = await task("attribution", [...readme, "--out", "here"], folder, env);
    assertEquals(code, 0, err);
    const names = [...Deno.readDirSync(`${folder}/here`)].map(({ name }) => name).sort();
    assertEquals(names, ["attribution.json", "waterfall.png", "waterfall.svg"]);
    assertEquals((await task("attribution", ["--help"], folder, env)).code, 0);
  });
});

Deno.test("task verify runs with just its permissions; its exit code is the task's own", async () => {
  await withFolder(async (folder) => {
    const env = { HF_HOME: `${folder}/h f` };
    const { code, out } = await task(
      "verify",
      ["tiny-gelu-4l", "--figures", "1", "--prompts", "2"],
      folder,
      env,
    );
    assertEquals(code, 1); // so few prompts differ
    assertStringIncludes(out, "values agree");
    assertEquals((await task("verify", ["--nonsense"], folder, env)).code, 2);
    const offline = await task("verify", [], folder, { ...env, HF_HUB_OFFLINE: "1" });
    assertStringIncludes(offline.err, `kept in ${folder}/h f/hub`);
  });
});

Deno.test("task figures runs with just its permissions, and draws", async () => {
  await withFolder(async (folder) => {
    const { code, err } = await task("figures", ["fig6", "--out", "here"], folder);
    assertEquals(code, 0, err);
    assertEquals(Deno.statSync(`${folder}/here/fig6.svg`).isFile, true);
  });
});

Deno.test("task fuzz runs with just its permissions, and reads what it reads with all", async () => {
  const args = ["parquet", "tokenizer", "torch", "--cases", "40"];
  const { code, out, err } = await task("fuzz", args, root);
  assertEquals(code, 0, out + err);
  const all = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--frozen", "--allow-all", "tests/fuzz/fuzz.ts", ...args],
    cwd: root,
    env: { NO_COLOR: "1" },
  }).output();
  assertEquals(out, new TextDecoder().decode(all.stdout));
});

Deno.test("tasks for users name every variable, folder and program; torture and packages look at other processes", async () => {
  for (const name of ["figures", "scan", "attribution", "verify", "fuzz"]) {
    const flags = (await taskCommand(name)).filter((flag) => flag.startsWith("--allow"));
    for (const flag of flags) assertMatch(flag, /^--allow-(read|write|env|run)=./, `${name}: ${flag}`);
  }
  for (const name of ["torture", "packages"]) {
    assertEquals((await taskCommand(name)).includes("--allow-all"), true);
  }
  for (const make of Object.values(TASKS)) {
    const { read, net, env } = make(start(["m"]));
    assertEquals([read, net, env].every(Array.isArray), true);
    assertEquals((read as string[]).includes("/p/sub"), false); // where the user stands, perhaps at home
  }
});

Deno.test("start() under LD_LIBRARY_PATH, which Deno hands on to nothing limited, says what to do", async () => {
  const { withLibraries } = await import("../../lib/cli/start.ts");
  // Deno 2.9.6's words.
  const refused = new Error(
    "Requires --allow-run permissions to spawn subprocess with LD_LIBRARY_PATH environment variable. " +
      "Alternatively, spawn with the environment variable unset.",
  );
  const { message } = withLibraries(refused, "scan", ["m", "--device", "webgpu"])!;
  assertStringIncludes(message, "scan: LD_LIBRARY_PATH is set");
  assertStringIncludes(message, "env -u LD_LIBRARY_PATH deno task scan m --device webgpu");
  assertStringIncludes(message, "deno run --allow-all lib/cli/scan.ts m --device webgpu");
  assertEquals(withLibraries(new Error("something else"), "scan", []), undefined);
});

Deno.test("start() refuses what is no task", async () => {
  const { start } = await import("../../lib/cli/start.ts");
  let message = "";
  await start("scam", []).catch((error) => message = error.message);
  assertEquals(message, 'start: got "scam"; expected figures, scan, census, attribution, verify.');
});
