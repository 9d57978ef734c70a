/** Options and models as they are typed on a command line. */

/** untrainedPrompts → untrained-prompts: a setting's name, as an option is spelt. */
export const optionName = (setting: string): string =>
  setting.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/**
 * The number that was given for `--name`.
 *
 * @returns undefined where the option was left out @throws for what is no finite number
 */
export function numberOption(
  values: Readonly<Record<string, string | undefined>>,
  name: string,
): number | undefined {
  const text = values[name];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text === "" || !Number.isFinite(value)) throw new Error(`--${name}: got "${text}"; expected a number`);
  return value;
}

/** The last part of a path or of a Hugging Face name, as a part of a file's name. */
export const modelFileName = (model: string): string =>
  model.replace(/[/\\]+$/, "").replace(/^.*[/\\]/, "").replace(/[^\w.-]/g, "_");
