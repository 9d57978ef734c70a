// What is typed wrongly on a command line is named, with what was expected, in every task the same.
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { commandArguments } from "../../lib/cli/command_arguments.ts";
import { taskCommand } from "../task_command.ts";

const read = (...args: string[]) =>
  commandArguments(args, { prompts: "string", out: "string", all: "boolean" });

Deno.test("commandArguments() gives values, what stands alone, and the last value of an option", () => {
  const { values, positionals } = read("m", "--prompts", "a", "--all", "--prompts=b=c", "n", "--", "--all");
  assertEquals({ ...values }, { prompts: "b=c", all: true });
  assertEquals(positionals, ["m", "n", "--all"]);
  assertEquals(read("--prompts", "-1").values.prompts, "-1"); // refused where a number is expected
  assertEquals(read("--prompts=--x").values.prompts, "--x");
});

const REFUSED: [args: string[], message: string][] = [
  [["--propmts", "x"], 'got --propmts; there is no such option. Did you mean "--prompts"?'],
  [["--constructor"], "got --constructor; there is no such option."],
  [["--__proto__=1"], "got --__proto__; there is no such option."],
  [["-x"], "got -x; there is no such option."],
  [["--all=3"], '--all: got "3"; expected no value'],
  [["m", "--prompts"], "--prompts: got none; expected a value"],
  [["--prompts="], "--prompts: got none; expected a value"],
  [["--prompts", ""], "--prompts: got none; expected a value"],
  [["--prompts", "--out", "x"], "--prompts: got the option --out; expected a value"],
  [["\u2014prompts", "x"], "got \u2014prompts, which begins with a dash; expected two hyphens"],
  [["--\u202eall"], "got --\\u202eall; there is no such option."],
];
for (const [args, message] of REFUSED) {
  Deno.test(`commandArguments() refuses ${JSON.stringify(args)}`, () => {
    assertThrows(() => read(...args), Error, message);
  });
}

Deno.test("every task says so in the same words, and ends with exit code 2", async () => {
  for (const name of ["scan", "census", "attribution", "verify", "figures", "fuzz", "torture"]) {
    const [, ...flags] = await taskCommand(name);
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [flags[0], "--no-prompt", ...flags.slice(1), "--nonsense", "-1"],
      cwd: new URL("../..", import.meta.url),
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder().decode(stderr);
    assertStringIncludes(text, `${name}: got --nonsense; there is no such option.`);
    assertEquals(code, 2, name);
  }
});
