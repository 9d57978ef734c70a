/**
 * Keys that a JSON object names twice. `JSON.parse` keeps the last and says nothing, so that two readers of
 * one file could see two different tensors under one name; formats that forbid it need this check. The text
 * must be valid JSON.
 */

/** The repeated keys of every object in `text`, as JSON strings (with their quotes). */
export function duplicateKeys(text: string): string[] {
  const found: string[] = [];
  const open: (Set<string> | undefined)[] = []; // one entry for each open { (its keys) or [ (undefined)
  let expectKey = false;
  for (let i = 0; i < text.length; i++) {
    const char = text[i];
    if (char === "{") {
      open.push(new Set());
      expectKey = true;
    } else if (char === "[") {
      open.push(undefined);
      expectKey = false;
    } else if (char === "}" || char === "]") {
      open.pop();
      expectKey = false;
    } else if (char === ",") {
      expectKey = open.at(-1) !== undefined;
    } else if (char === '"') {
      const start = i;
      for (i++; text[i] !== '"'; i++) if (text[i] === "\\") i++;
      if (!expectKey) continue;
      expectKey = false;
      const literal = text.slice(start, i + 1);
      const keys = open.at(-1)!;
      const key = literal.includes("\\") ? JSON.parse(literal) as string : literal.slice(1, -1);
      if (keys.has(key)) found.push(literal);
      keys.add(key);
    }
  }
  return found;
}
