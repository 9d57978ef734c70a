/**
 * Which npm packages a program really loads: those of the scripts that its JavaScript engine has parsed, as
 * the debugger is told of them. A package that stands in deno.lock, or in the graph of modules, need not be
 * among them.
 */

/** Where Deno keeps packages: …/npm/registry.npmjs.org/@scope/name/1.2.3/… */
const PACKAGE = /\/npm\/[^/]+\/((?:@[^/]+\/)?[^/]+)\/(\d[^/]*)\//;

/** Names and versions, such as "hyparquet@1.31.5", of one run of `args`, to its end. @throws when it fails */
export async function loadedPackages(args: readonly string[], cwd: string): Promise<string[]> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--frozen", "--no-prompt", "--allow-all", "--inspect-wait=127.0.0.1:0", ...args],
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const out = new Response(child.stdout).text();
  let log = "";
  const address = Promise.withResolvers<string>();
  const read = (async () => {
    for await (const text of child.stderr.pipeThrough(new TextDecoderStream())) {
      log += text;
      const [found] = /ws:\/\/\S+/.exec(log) ?? [];
      if (found) address.resolve(found);
    }
    address.reject(new Error(`Looking at what ${args[0]} loads: ${log}`));
  })();
  const packages = new Set<string>();
  const debuggerOf = new WebSocket(await address.promise);
  const over = Promise.withResolvers<void>();
  let id = 0;
  const ask = (method: string) => debuggerOf.send(JSON.stringify({ id: ++id, method }));
  debuggerOf.onopen = () =>
    ["Debugger.enable", "Runtime.enable", "Runtime.runIfWaitingForDebugger"].forEach(ask);
  debuggerOf.onmessage = ({ data }) => {
    const { method, params } = JSON.parse(data);
    // Deno waits at its end until the debugger is gone.
    if (method === "Runtime.executionContextDestroyed") over.resolve();
    const [, name, version] = method === "Debugger.scriptParsed" ? PACKAGE.exec(params.url) ?? [] : [];
    if (name) packages.add(`${name}@${version}`);
  };
  debuggerOf.onerror = debuggerOf.onclose = () => over.resolve();
  await Promise.race([over.promise, child.status]);
  debuggerOf.close();
  const { code } = await child.status;
  await read.catch(() => {});
  address.promise.catch(() => {});
  if (code !== 0 && code !== 1) throw new Error(`Looking at what ${args[0]} loads: code ${code}: ${log}`);
  await out;
  return [...packages].sort();
}
