/** What stands on a command line: options, each known and with the value it takes, and all else. */
import { parseArgs } from "node:util";
import { didYouMean } from "../checkpoints/nearest.ts";
import { quoted, shown } from "../checkpoints/quoted.ts";

type Kinds = Readonly<Record<string, "string" | "boolean">>;

/** Values of the options that were given, and what stands alone, in its order. */
export interface Arguments<K extends Kinds> {
  values: { [name in keyof K]?: K[name] extends "boolean" ? boolean : string };
  positionals: string[];
}

/**
 * The arguments of a command that has these options. An option's last value counts; after `--` nothing is an
 * option. @throws for an option that there is not, one without its value, and one with a value too many
 *
 * @example
 * ```ts
 * const { values, positionals } = commandArguments(["m", "--out=there"], { out: "string", help: "boolean" });
 * console.log(positionals, values.out); // [ "m" ] there
 * ```
 */
export function commandArguments<const K extends Kinds>(args: string[], kinds: K): Arguments<K> {
  const options = Object.fromEntries(Object.entries(kinds).map(([name, type]) => [name, { type }]));
  const { values, positionals, tokens } = parseArgs({
    args,
    options,
    allowPositionals: true,
    strict: false,
    tokens: true,
  });
  for (const token of tokens) {
    if (token.kind === "positional" && /^[–—―−]/.test(token.value)) {
      throw new Error(
        `got ${shown(token.value)}, which begins with a dash; expected two hyphens before an option`,
      );
    }
    if (token.kind !== "option") continue;
    const { rawName, name, value, inlineValue } = token;
    if (!Object.hasOwn(kinds, name)) {
      const names = Object.keys(kinds).map((known) => `--${known}`);
      throw new Error(
        `got ${shown(rawName)}; there is no such option.${didYouMean(rawName.slice(0, 100), names)}`,
      );
    }
    if (kinds[name] === "boolean") {
      if (value !== undefined) throw new Error(`${rawName}: got ${quoted(value)}; expected no value`);
    } else if (value === undefined || value === "") {
      throw new Error(`${rawName}: got none; expected a value`);
    } else if (!inlineValue && /^-(?![\d.])/.test(value)) {
      throw new Error(
        `${rawName}: got the option ${
          shown(value)
        }; expected a value (one that begins with a hyphen is given as ${rawName}=…)`,
      );
    }
  }
  return { values: values as Arguments<K>["values"], positionals };
}
