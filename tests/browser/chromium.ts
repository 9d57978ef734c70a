/**
 * Opens pages in Chromium, without a window, and gives what became of them after their scripts, if any, have
 * run. Started as a process of its own with every permission: tests may run Deno alone.
 *
 * `chromium.ts PAGE …` prints a JSON list: of each page the document as HTML, or null where there is no
 * Chromium.
 */

const NAMES = ["chromium", "chromium-browser", "google-chrome"];
const LONGEST_MS = 60_000;

async function opened(program: string, page: string): Promise<string> {
  const profile = await Deno.makeTempDir({ prefix: "cleanup-lens-chromium-" });
  try {
    const { stdout } = await new Deno.Command(program, {
      args: [
        ...["--headless", "--disable-gpu", "--no-sandbox", "--disable-dev-shm-usage", "--no-first-run"],
        ...["--disable-background-networking", "--disable-extensions", "--virtual-time-budget=1000"],
        ...[`--user-data-dir=${profile}`, "--dump-dom", new URL(page, "file:///").href],
      ],
      env: { HOME: profile },
      stderr: "null",
      signal: AbortSignal.timeout(LONGEST_MS),
    }).output();
    return new TextDecoder().decode(stdout);
  } finally {
    await Deno.remove(profile, { recursive: true }).catch(() => {}); // its processes may still write there
  }
}

function found(): string | undefined {
  return NAMES.find((name) => {
    try {
      return new Deno.Command(name, { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
        .success;
    } catch {
      return false;
    }
  });
}

/** The pages after their scripts; undefined where there is no Chromium. */
export async function openPages(paths: readonly string[]): Promise<string[] | undefined> {
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "--allow-all", new URL(import.meta.url).pathname, ...paths],
  }).output();
  try {
    return JSON.parse(new TextDecoder().decode(stdout)) ?? undefined;
  } catch {
    throw new Error(`Opening pages in Chromium: ${new TextDecoder().decode(stderr)}`);
  }
}

if (import.meta.main) {
  const program = found();
  const pages: string[] = [];
  for (const page of program ? Deno.args : []) pages.push(await opened(program!, page));
  console.log(JSON.stringify(program ? pages : null));
}
