/**
 * Damage, by a seed: bytes turned, moved, cut and repeated; and JSON whose values, keys and structure are
 * changed.
 */
import { randomInt } from "../reference/random.ts";

export type Random = () => number;

const pick = <T>(random: Random, list: readonly T[]): T => list[randomInt(random, list.length)];

/** Whole numbers at which sizes, offsets and counts go wrong. */
const NUMBERS = [
  0,
  1,
  -1,
  2,
  3,
  7,
  127,
  128,
  255,
  256,
  65535,
  65536,
  2 ** 24,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  2 ** 32 - 1,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 63,
];

/** Changes a few bytes, or a stretch of them. The result may have another length. */
export function mutateBytes(original: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  let bytes = original.slice() as Uint8Array<ArrayBuffer>;
  const edits = 1 + randomInt(random, 4);
  for (let edit = 0; edit < edits && bytes.length > 0; edit++) {
    const at = randomInt(random, bytes.length);
    const kind = random();
    if (kind < 0.3) bytes[at] = randomInt(random, 256);
    else if (kind < 0.5) bytes[at] ^= 1 << randomInt(random, 8);
    else if (kind < 0.75) { // a number in its usual widths, little-endian
      const width = pick(random, [1, 2, 4, 8]);
      let value = BigInt(pick(random, NUMBERS));
      for (let i = 0; i < width && at + i < bytes.length; i++, value >>= 8n) {
        bytes[at + i] = Number(value & 255n);
      }
    } else if (kind < 0.85) {
      bytes.copyWithin(at, randomInt(random, bytes.length), randomInt(random, bytes.length));
    } else if (kind < 0.92) { // a stretch taken out, or put in twice
      const end = Math.min(bytes.length, at + 1 + randomInt(random, 64));
      const parts = random() < 0.5
        ? [bytes.slice(0, at), bytes.slice(end)]
        : [bytes.slice(0, end), bytes.slice(at)];
      bytes = joined(parts);
    } else bytes = bytes.slice(0, at);
  }
  return bytes;
}

function joined(parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Texts that are keys of every object, end strings, move the cursor or turn the reading direction. */
const TEXTS = [
  "",
  " ",
  "__proto__",
  "constructor",
  "toString",
  "length",
  "a/b",
  "../x",
  "\0",
  "\x1b[2J",
  "\u202egnp.exe",
  "\ud800",
  "日本",
  "(a+)+$",
  "\\",
  "x".repeat(5000),
];

function strange(random: Random): unknown {
  const kind = random();
  if (kind < 0.3) return pick(random, NUMBERS);
  if (kind < 0.4) return pick(random, [0.5, -0.5, 1e-320, 1e308, -1e308, 1.5, 0.1]);
  if (kind < 0.6) return pick(random, TEXTS);
  if (kind < 0.75) return pick(random, [null, true, false]);
  if (kind < 0.8) return [];
  if (kind < 0.85) return {};
  if (kind < 0.9) return nested(random() < 0.5 ? 50 : 3000);
  return Array.from({ length: randomInt(random, 5) }, () => strange(random));
}

const nested = (depth: number): unknown => {
  let value: unknown = [];
  for (let i = 0; i < depth; i++) value = [value];
  return value;
};

type Container = Record<string, unknown> | unknown[];

/** Every list and object inside a value. */
function containers(value: unknown, found: Container[] = []): Container[] {
  if (typeof value !== "object" || value === null) return found;
  found.push(value as Container);
  for (const inner of Object.values(value)) containers(inner, found);
  return found;
}

/** A value that is too deep to be copied stands in two places instead. */
function copyOf(value: unknown): unknown {
  try {
    return structuredClone(value);
  } catch {
    return value;
  }
}

/** Changes a few values, keys or places of a JSON value. */
export function mutateJson(original: unknown, random: Random): unknown {
  const root = { value: structuredClone(original) };
  const edits = 1 + randomInt(random, 3);
  for (let edit = 0; edit < edits; edit++) {
    const all = containers(root).filter((container) => Object.keys(container).length > 0);
    if (all.length === 0) break;
    const container = pick(random, all) as Record<string, unknown>;
    const keys = Object.keys(container);
    const key = pick(random, keys);
    const kind = random();
    if (kind < 0.5) container[key] = strange(random);
    else if (kind < 0.65 && !Array.isArray(container)) delete container[key];
    else if (kind < 0.75) container[key] = copyOf(container[pick(random, keys)]);
    else if (kind < 0.85 && !Array.isArray(container)) {
      Object.defineProperty(container, pick(random, TEXTS), {
        value: container[key],
        enumerable: true,
        configurable: true,
        writable: true,
      });
    } else if (typeof container[key] === "number") {
      container[key] = container[key] + pick(random, [1, -1, 0.5, 1e6]);
    } else if (Array.isArray(container)) {
      container.splice(randomInt(random, container.length + 1), randomInt(random, 2), strange(random));
    }
  }
  return root.value;
}

/** JSON text, now and then damaged as text as well. */
export function mutateJsonText(original: unknown, random: Random): Uint8Array<ArrayBuffer> {
  let text: string;
  try {
    text = JSON.stringify(mutateJson(original, random)) ?? "null";
  } catch {
    text = "[".repeat(100_000); // nested too deep to be written
  }
  const bytes = new TextEncoder().encode(text);
  return random() < 0.15 ? mutateBytes(bytes, random) : bytes;
}
