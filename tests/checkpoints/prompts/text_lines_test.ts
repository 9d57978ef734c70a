/**
 * Text files as streams: characters and lines across the pieces' borders, and no more of a file than is
 * wanted.
 */
import { assertEquals, assertLess, assertRejects } from "@std/assert";
import { type Document, documents, type LongText } from "../../../lib/checkpoints/prompts/documents.ts";
import { textLines, textPieces } from "../../../lib/checkpoints/prompts/text_lines.ts";
import { withFolder } from "../small_model.ts";

const PIECE = 1 << 18;

async function longText(path: string): Promise<LongText> {
  const [document] = await Array.fromAsync(documents(path));
  return document as LongText;
}

Deno.test("textPieces() joins to the text, with characters of several bytes on the borders of the pieces", async () => {
  await withFolder(async (folder) => {
    for (const shift of [0, 1, 2, 3]) {
      const text = "x".repeat(PIECE - shift) + "日🙂é" + "y".repeat(PIECE);
      await Deno.writeTextFile(`${folder}/a.txt`, text);
      assertEquals((await Array.fromAsync(textPieces(`${folder}/a.txt`))).join(""), text);
    }
  });
});

Deno.test("textLines() gives every line once, however long", async () => {
  await withFolder(async (folder) => {
    const lines = ["a", "", "b".repeat(2 * PIECE + 5), "c".repeat(PIECE - 1), "é"];
    for (const end of ["", "\n"]) {
      await Deno.writeTextFile(`${folder}/a.txt`, lines.join("\n") + end);
      assertEquals(await Array.fromAsync(textLines(`${folder}/a.txt`)), lines);
    }
  });
});

/** Bytes that this test file holds: another runs beside it in the same process. */
function heldHere(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

Deno.test("A .txt of 1 GB, and a .jsonl of as much, are read no further than needed", async () => {
  await withFolder(async (folder) => {
    // Holes in a file read as zeros, which is UTF-8.
    await Deno.writeTextFile(`${folder}/a.txt`, "the beginning");
    await Deno.truncate(`${folder}/a.txt`, 1e9);
    await Deno.writeTextFile(`${folder}/a.jsonl`, `{"text": "one"}\n{"text": null}\n{"text": "two"}\n`);
    await Deno.truncate(`${folder}/a.jsonl`, 1e9);
    const before = heldHere();
    assertEquals(await (await longText(`${folder}/a.txt`)).start(13), "the beginning");
    assertEquals((await (await longText(`${folder}/a.txt`)).start(1e6)).length, 1e6);
    const found: Document[] = [];
    for await (const document of documents(`${folder}/a.jsonl`)) if (found.push(document) === 3) break;
    assertEquals(found, ["one", null, "two"]);
    assertLess(heldHere() - before, 1e8);
  });
});

Deno.test("A line that never ends, and bytes that are no text, are refused with their place", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a.jsonl`, "");
    await Deno.truncate(`${folder}/a.jsonl`, 3e8);
    await assertRejects(
      () => Array.fromAsync(documents(`${folder}/a.jsonl`)),
      Error,
      "has a line of more than 134217728 characters",
    );
    await Deno.writeFile(`${folder}/b.txt`, new Uint8Array([...new Uint8Array(PIECE), 0xff]));
    const text = await longText(`${folder}/b.txt`);
    await assertRejects(() => text.start(1e9), Error, "is not text in UTF-8 (bytes 262144 to 262145)");
    assertEquals((await text.start(10)).length, 10);
  });
});

Deno.test("documents() says how much is read, and ends with a signal's reason, before any document came", async () => {
  await withFolder(async (folder) => {
    await Deno.writeTextFile(`${folder}/a.jsonl`, `{"text": null}\n`.repeat(100_000)); // six pieces
    const controller = new AbortController(), read: number[] = [];
    const onRead = (bytes: number, of: number) => {
      assertEquals(of, 1_500_000);
      if (read.push(bytes) === 3) controller.abort(new Error("interrupted"));
    };
    const all = documents(`${folder}/a.jsonl`, { onRead, signal: controller.signal });
    await assertRejects(() => Array.fromAsync(all), Error, "interrupted");
    assertEquals(read, [PIECE, 2 * PIECE, 3 * PIECE]);
  });
});
