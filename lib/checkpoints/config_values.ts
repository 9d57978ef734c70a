/**
 * Reads settings from a parsed config.json one by one, with errors that name the file, the key, what it holds
 * and what was expected. `null` counts as absent: that is how Hugging Face files write it.
 */
import { quoted } from "./quoted.ts";

/** Limits that no model comes near; beyond them a config is damaged. */
const largest = 1e7;

export class ConfigValues {
  readonly json: Readonly<Record<string, unknown>>;
  /** Names the file in errors. */
  readonly source: string;

  constructor(json: Readonly<Record<string, unknown>>, source: string) {
    this.json = json;
    this.source = source;
  }

  /** @throws always. */
  refuse(what: string): never {
    throw new Error(`${this.source}: ${what}`);
  }

  has(key: string): boolean {
    return this.json[key] !== undefined && this.json[key] !== null;
  }

  /** A whole number of at least 1. Without a fallback the key must be there. */
  size(key: string, { fallback, most = largest }: { fallback?: number; most?: number } = {}): number {
    const value = this.json[key] ?? fallback;
    if (value === undefined) this.refuse(`"${key}" is missing.`);
    if (!Number.isInteger(value) || (value as number) < 1 || (value as number) > most) {
      this.refuse(`"${key}" is ${quoted(value)}; a whole number from 1 to ${most} was expected.`);
    }
    return value as number;
  }

  /** A number in (0, ∞), or what `allowed` takes; `expected` says so in words. */
  number(
    key: string,
    fallback?: number,
    allowed: (x: number) => boolean = (x) => x > 0,
    expected = "a positive number was expected.",
  ): number {
    const value = this.json[key] ?? fallback;
    if (value === undefined) this.refuse(`"${key}" is missing.`);
    if (typeof value !== "number" || !Number.isFinite(value) || !allowed(value)) {
      this.refuse(`"${key}" is ${quoted(value)}; ${expected}`);
    }
    return value as number;
  }

  /** What is added under the root of a normalisation. */
  epsilon(key: string, fallback: number): number {
    return this.number(key, fallback, (x) => x >= 0 && x < 1, "a number in [0, 1) was expected.");
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.json[key] ?? fallback;
    if (typeof value !== "boolean") this.refuse(`"${key}" is ${quoted(value)}, not true or false.`);
    return value as boolean;
  }

  choice<T extends string>(key: string, known: readonly T[], value: unknown = this.json[key]): T {
    if (known.includes(value as T)) return value as T;
    return this.refuse(`"${key}" is ${quoted(value)}; supported are ${known.join(", ")}.`);
  }

  /**
   * @throws when the key holds another value than the one under which this library computes the right thing.
   */
  only(key: string, value: unknown): void {
    if (this.has(key) && this.json[key] !== value) {
      this.refuse(
        `"${key}": ${quoted(this.json[key])} is not supported, only ${quoted(value)} is.`,
      );
    }
  }

  /** An object inside, such as "rope_scaling", read in the same way; undefined when absent. */
  inside(key: string): ConfigValues | undefined {
    if (!this.has(key)) return undefined;
    const value = this.json[key];
    if (typeof value !== "object" || Array.isArray(value)) {
      this.refuse(`"${key}" is ${quoted(value)}, not an object.`);
    }
    return new ConfigValues(value as Record<string, unknown>, `${this.source}: "${key}"`);
  }
}
