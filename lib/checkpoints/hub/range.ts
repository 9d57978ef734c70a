/**
 * Ranges of a file on the Hub, for formats of which a part is enough (parquet). Nothing of it is kept on
 * disk.
 */
import { bodyOf } from "./body.ts";
import type { HubClient, HubFile, Repo } from "./client.ts";
import { HubUnreachable } from "./errors.ts";

const attempts = 5;

/** Reads the bytes [start, end) of a file. `onBytes` hears of each piece as it comes. */
export async function fetchRange(
  client: HubClient,
  repo: Repo,
  commit: string,
  file: HubFile,
  [start, end]: readonly [number, number],
  onBytes?: (count: number) => void,
): Promise<ArrayBuffer> {
  if (!(0 <= start && start <= end && end <= file.size)) {
    throw new Error(`Bytes ${start} to ${end} of ${file.path} were asked for, which has ${file.size}.`);
  }
  const url = client.fileUrl(repo, commit, file.path);
  const bytes = new Uint8Array(end - start);
  let done = 0;
  for (let breaks = 0; done < bytes.length;) {
    try {
      for await (const piece of rangePieces(client, url, start + done, end, file.size)) {
        bytes.set(piece, done); // a piece beyond the end throws a RangeError
        done += piece.length;
        onBytes?.(piece.length);
      }
      if (done < bytes.length) throw new HubUnreachable(`${url} ended ${bytes.length - done} bytes early.`);
    } catch (error) {
      if (!(error instanceof HubUnreachable) || ++breaks >= attempts) throw error;
      await client.pause(breaks);
    }
  }
  return bytes.buffer;
}

async function* rangePieces(
  client: HubClient,
  url: string,
  start: number,
  end: number,
  size: number,
): AsyncGenerator<Uint8Array> {
  const stalled = new AbortController();
  const headers = { "Accept-Encoding": "identity", Range: `bytes=${start}-${end - 1}` };
  const response = await client.request(url, { headers, signal: stalled.signal });
  const expected = `bytes ${start}-${end - 1}/${size}`;
  const got = response.headers.get("Content-Range");
  if (response.status !== 206 || got !== expected) {
    await response.body?.cancel();
    throw new Error(
      `${url} does not send parts of the file: "${expected}" was expected, "${got}" (${response.status}) came.`,
    );
  }
  yield* bodyOf(response, client, stalled);
}
