/** The words of a task's command in deno.json, with what the shell puts into them. */
const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("../deno.json", import.meta.url)));

/** "deno", "run", the flags, and the script. */
export async function taskCommand(name: string): Promise<string[]> {
  let command: string = tasks[name].command;
  for (const [whole, expression] of command.matchAll(/\$\(deno eval -p '([^']*)'\)/g)) {
    const { stdout } = await new Deno.Command(Deno.execPath(), { args: ["eval", "-p", expression] }).output();
    command = command.replace(whole, () => new TextDecoder().decode(stdout).trim());
  }
  return command.match(/"[^"]*"|\S+/g)!.map((word) => word.replace(/^"|"$/g, ""));
}
