/** What may stand in a file's place, made through Node: Deno asks for every permission to make a link. */

const mayRun = Deno.permissions.querySync({ name: "run", command: "node" }).state === "granted";

/** Links and pipes can be made here. */
export const canMakeOddFiles: boolean = mayRun && Deno.build.os !== "windows";

async function node(code: string, ...args: string[]): Promise<void> {
  const { success, stderr } = await new Deno.Command("node", { args: ["-e", code, ...args] }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
}

export const link = (target: string, path: string): Promise<void> =>
  node("fs.symlinkSync(process.argv[1], process.argv[2])", target, path);

export const pipe = (path: string): Promise<void> =>
  node("child_process.execFileSync('mkfifo', [process.argv[1]])", path);
