/**
 * Bodies of answers, with limits on time and size. A server that sends a byte now and then keeps every
 * per-piece limit and still never ends, so the rate counts: too few bytes in one span of the time-out are a
 * broken connection.
 */
import { HubUnreachable } from "./errors.ts";

/** Slower than any line that a model could be fetched by. */
const LEAST_BYTES_PER_SECOND = 100;

/** Longest wait for the next piece, and who cancels. */
interface Limits {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** The server sends, but so slowly that it would never end. */
export class HubTooSlow extends HubUnreachable {}

/** The pieces of an answer's body. @throws HubUnreachable when the connection breaks, stalls or drips */
export async function* bodyOf(
  response: Response,
  client: Limits,
  stalled: AbortController,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = (response.body ?? new Blob([]).stream()).getReader();
  let [began, bytes] = [performance.now(), 0];
  try {
    for (;;) {
      const timer = setTimeout(() => stalled.abort(new Error("stalled")), client.timeoutMs);
      let value;
      try {
        const read = await reader.read();
        if (read.done) return;
        value = read.value;
      } catch (error) {
        client.signal?.throwIfAborted();
        throw new HubUnreachable(`the connection broke (${(error as Error).message})`, { cause: error });
      } finally {
        clearTimeout(timer);
      }
      bytes += value.length;
      const seconds = (performance.now() - began) / 1000;
      if (seconds * 1000 >= client.timeoutMs) {
        if (bytes < LEAST_BYTES_PER_SECOND * seconds) {
          throw new HubTooSlow(
            `only ${bytes} bytes came in ${
              seconds.toFixed(0)
            } s; ${LEAST_BYTES_PER_SECOND} a second is the least`,
          );
        }
        [began, bytes] = [performance.now(), 0];
      }
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

/** A whole body of at most `most` bytes. */
export async function wholeBody(
  response: Response,
  client: Limits,
  stalled: AbortController,
  most: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let length = 0;
  for await (const piece of bodyOf(response, client, stalled)) {
    length += piece.length;
    if (length > most) {
      throw new HubUnreachable(`the answer has more than the ${most} bytes that it may have`);
    }
    pieces.push(piece);
  }
  return new Uint8Array(await new Blob(pieces).arrayBuffer());
}
